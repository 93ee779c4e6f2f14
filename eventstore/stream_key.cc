#include "eventstore/stream_key.h"

#include <algorithm>

#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {

std::string stream_key(const domain::StreamId& stream) {
  CHECK(stream.tenant.value().find('\0') == std::string::npos);
  CHECK(stream.id.find('\0') == std::string::npos);
  std::string key;
  key.reserve(stream.tenant.value().size() + stream.id.size() + 3 + sizeof(std::uint64_t));
  key += stream.tenant.value();
  key.push_back('\0');
  key.push_back(static_cast<char>(stream.kind));
  key += stream.id;
  key.push_back('\0');
  return key;
}

std::string version_key(std::string_view stream_key, std::uint64_t version) {
  std::string key(stream_key);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(version >> shift));
  return key;
}

std::uint64_t version_of_key(std::string_view version_key) {
  CHECK(version_key.size() >= sizeof(std::uint64_t));
  std::uint64_t version = 0;
  for (const char byte : version_key.substr(version_key.size() - sizeof(version))) {
    version = version << 8 | static_cast<std::uint8_t>(byte);
  }
  return version;
}

LookupKey lookup_key(LookupKind kind, const domain::StreamId& stream, std::string_view text) {
  std::string framed;
  WireWriter wire(framed);
  wire.fixed8(static_cast<std::uint8_t>(kind));
  wire.fixed8(static_cast<std::uint8_t>(stream.kind));
  wire.text(stream.tenant.value());
  wire.text(stream.id);
  wire.raw(text);
  const Hash hash = sha256({framed});
  LookupKey key{};
  std::copy_n(hash.begin(), key.size(), key.begin());
  return key;
}

}  // namespace daybook::eventstore

#include "eventstore/entry.h"

#include <limits>
#include <memory>

#include <zstd.h>

#include "domain/base/check.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr std::uint32_t kMagic = 0x314B4244;  // "DBK1", little-endian.
constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kFlagZstd = 1;
constexpr std::string_view kChainTag = "daybook/entry/1";
constexpr int kZstdLevel = 1;

struct ZstdDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

/// The header fields that stored bytes and chain have in common, in this order.
void write_common_header(WireWriter& writer, const Entry& entry) {
  writer.varint(entry.partition);
  writer.varint(entry.generation);
  writer.varint(entry.entry_no);
  writer.varint(entry.base_position);
  writer.varint(entry.count);
  writer.fixed64(static_cast<std::uint64_t>(entry.first_recorded_at.micros));
  // The difference of two 64-bit integers fits 64 bits when taken without a sign.
  writer.varint(static_cast<std::uint64_t>(entry.last_recorded_at.micros) -
                static_cast<std::uint64_t>(entry.first_recorded_at.micros));
  writer.raw(bytes_of(entry.prev_chain));
  writer.varint(entry.body.size());
}

/// The body compressed, or nothing when that does not make it shorter.
std::string compressed(std::string_view body) {
  thread_local const std::unique_ptr<ZSTD_CCtx, ZstdDeleter> context(ZSTD_createCCtx());
  CHECK(context != nullptr);
  if (body.size() < 2) return {};
  // A buffer one byte too small for "not shorter": zstd then gives up early.
  std::string out(body.size() - 1, '\0');
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), body.data(),
                                             body.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return {};
  out.resize(size);
  return out;
}

/// Fills `body`, which has the size that the header promises. False if the bytes are not that.
bool decompress(std::string_view stored, std::string& body) {
  thread_local const std::unique_ptr<ZSTD_DCtx, ZstdDeleter> context(ZSTD_createDCtx());
  CHECK(context != nullptr);
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), body.data(), body.size(), stored.data(), stored.size());
  return ZSTD_isError(size) == 0 && size == body.size();
}

bool body_holds_events(std::string_view body, std::uint32_t count) {
  WireReader reader(body);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string_view event = reader.text();
    if (event.empty() || event.size() > kEventBytesMax) return false;
  }
  return reader.ok() && reader.at_end();
}

/// What the rules of the format say about fields that were read one by one; null if nothing.
const char* broken_rule(const Entry& entry) {
  if ((entry.kind == EntryKind::kEvents) != (entry.count > 0)) return "count against kind";
  if (entry.count > kEntryEventsMax) return "count";
  if (entry.base_position > std::numeric_limits<std::uint64_t>::max() - kEntryEventsMax) {
    return "base_position";
  }
  if (entry.last_recorded_at < entry.first_recorded_at) return "recorded_at";
  if (entry.count == 0 && entry.last_recorded_at != entry.first_recorded_at) return "recorded_at";
  return nullptr;
}

Status corrupt_entry(const char* field) { return corrupt(std::string("stored entry: ") + field); }

std::uint32_t varint32(WireReader& reader) {
  const std::uint64_t value = reader.varint();
  if (value > std::numeric_limits<std::uint32_t>::max()) reader.fail();
  return static_cast<std::uint32_t>(value);
}

void read_common_header(WireReader& reader, Entry& entry) {
  entry.partition = varint32(reader);
  entry.generation = varint32(reader);
  entry.entry_no = reader.varint();
  entry.base_position = reader.varint();
  entry.count = varint32(reader);
  const std::uint64_t first = reader.fixed64();
  entry.first_recorded_at.micros = static_cast<std::int64_t>(first);
  entry.last_recorded_at.micros = static_cast<std::int64_t>(first + reader.varint());
  const std::string_view chain = reader.raw(entry.prev_chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i) {
    entry.prev_chain[i] = static_cast<std::uint8_t>(chain[i]);
  }
}

}  // namespace

Hash chain_of(const Entry& entry) {
  std::string header;
  header.reserve(128);
  WireWriter writer(header);
  writer.fixed8(static_cast<std::uint8_t>(entry.kind));
  write_common_header(writer, entry);
  return sha256({kChainTag, header, entry.body});
}

std::string encode_entry(const Entry& entry) {
  CHECK(broken_rule(entry) == nullptr);
  CHECK(entry.body.size() <= kEntryBodyBytesMax);
  CHECK(entry.count > 0 || entry.body.empty());
  const std::string packed = compressed(entry.body);
  const std::string_view body = packed.empty() ? std::string_view(entry.body) : packed;

  std::string out;
  out.reserve(128 + body.size());
  WireWriter writer(out);
  writer.fixed32(kMagic);
  writer.fixed8(kFormat);
  writer.fixed8(static_cast<std::uint8_t>(entry.kind));
  writer.fixed8(packed.empty() ? 0 : kFlagZstd);
  write_common_header(writer, entry);
  writer.text(body);
  CHECK(out.size() <= kEntryBytesMax);
  return out;
}

Result<Entry> decode_entry(std::string_view bytes) {
  if (bytes.size() > kEntryBytesMax) return corrupt_entry("longer than an entry may be");
  WireReader reader(bytes);
  if (reader.fixed32() != kMagic) return corrupt_entry("magic");
  if (reader.fixed8() != kFormat) return corrupt_entry("format");
  const std::uint8_t kind = reader.fixed8();
  if (kind > static_cast<std::uint8_t>(EntryKind::kGeneration)) return corrupt_entry("kind");
  const std::uint8_t flags = reader.fixed8();
  if ((flags & ~kFlagZstd) != 0) return corrupt_entry("flags");

  Entry entry;
  entry.kind = static_cast<EntryKind>(kind);
  read_common_header(reader, entry);
  const std::uint64_t raw_size = reader.varint();
  const std::string_view stored = reader.text();
  if (!reader.ok() || !reader.at_end()) return corrupt_entry("header or length");
  if (const char* rule = broken_rule(entry)) return corrupt_entry(rule);
  if (raw_size > kEntryBodyBytesMax) return corrupt_entry("raw body length");

  if ((flags & kFlagZstd) != 0) {
    if (stored.size() >= raw_size) return corrupt_entry("compressed body is not shorter");
    entry.body.resize(static_cast<std::size_t>(raw_size));
    if (!decompress(stored, entry.body)) return corrupt_entry("compressed body");
  } else {
    if (stored.size() != raw_size) return corrupt_entry("body length");
    entry.body = stored;
  }
  if (!body_holds_events(entry.body, entry.count)) return corrupt_entry("events in the body");
  return entry;
}

void append_event_bytes(std::string& body, std::string_view event_bytes) {
  CHECK(!event_bytes.empty() && event_bytes.size() <= kEventBytesMax);
  WireWriter(body).text(event_bytes);
}

void for_each_event(const Entry& entry,
                    const std::function<bool(std::uint64_t, std::string_view)>& visit) {
  WireReader reader(entry.body);
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const std::string_view event = reader.text();
    CHECK(reader.ok());
    if (!visit(entry.base_position + i, event)) return;
  }
}

}  // namespace daybook::eventstore

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "domain/stream.h"

/// Keys of streams and of look-ups in the derived store (docs/stored_format.md). Pure functions.
namespace daybook::eventstore {

/// `tenant NUL kind id NUL`: rows of one stream are neighbours, streams of one tenant too.
/// REQUIRES: tenant and id hold no NUL (the API refuses control characters).
std::string stream_key(const domain::StreamId& stream);

/// stream_key followed by the version, big-endian, so that versions sort.
std::string version_key(std::string_view stream_key, std::uint64_t version);

/// Version at the end of a version_key. REQUIRES: made by version_key.
std::uint64_t version_of_key(std::string_view version_key);

/// What a look-up key stands for. These numbers are the stored format.
enum class LookupKind : std::uint8_t {
  kIdempotencyKey = 1,  ///< Text: the key. The event that carries it.
  kLatestReference =
      2,  ///< Text: a version in decimal. The newest refund or reversal of that event.
  kPaymentClaim =
      3,  ///< Text: empty. The one event of a payment stream; never stored, window only.
};

/// 16 bytes of SHA-256 over kind, stream and text.
using LookupKey = std::array<std::uint8_t, 16>;
LookupKey lookup_key(LookupKind kind, const domain::StreamId& stream, std::string_view text);

struct LookupKeyHash {
  using is_avalanching = void;  ///< Half of a digest: every bit is as good as any other (Boost).

  std::size_t operator()(const LookupKey& key) const {
    std::size_t value = 0;
    for (std::size_t i = 0; i < sizeof(value); ++i) value = value << 8 | key[i];
    return value;
  }
};

}  // namespace daybook::eventstore

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/stream.h"

namespace daybook::eventstore {

/// Versions are below this: 2^40.
inline constexpr std::uint64_t kEventVersionEnd = std::uint64_t{1} << 40;

/// The public id of an event: a UUIDv8 (RFC 9562) made of (tenant, stream kind, stream id, version)
/// and nothing else, so that it survives migration and can be recomputed by anybody.
///
/// 82 bits of SHA-256 over the stream and 40 bits of version: within a known stream the id tells
/// the version without an index. REQUIRES: version < kEventVersionEnd.
std::string event_id(const domain::StreamId& stream, std::uint64_t version);

/// The version, if `text` is the id of an event that this stream has or could have.
std::optional<std::uint64_t> version_in(const domain::StreamId& stream, std::string_view text);

}  // namespace daybook::eventstore

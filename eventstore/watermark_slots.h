#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "eventstore/watermark.h"

namespace daybook::eventstore {

/// The bytes of a watermark (docs/stored_format.md, "Watermark"): two slots of 4 KiB, each with a
/// SHA-256 checksum. Sequence number n is written into slot n mod 2.
inline constexpr std::size_t kWatermarkSlotBytes = 4'096;
inline constexpr std::size_t kWatermarkBytes = 2 * kWatermarkSlotBytes;

std::string encode_watermark_slot(std::uint64_t sequence, const LogHead& head, Instant closed);

/// Where slot number `sequence` is.
constexpr std::size_t watermark_slot_offset(std::uint64_t sequence) {
  return (sequence % 2) * kWatermarkSlotBytes;
}

/// The newer of the sound slots. Errors: kCorrupt: not kWatermarkBytes, or no slot is sound.
Result<Watermark::Loaded> decode_watermark(std::string_view bytes);

}  // namespace daybook::eventstore

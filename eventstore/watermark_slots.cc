#include "eventstore/watermark_slots.h"

#include <optional>

#include "eventstore/digest.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::uint32_t kMagic = 0x314D5744;  // "DWM1", little-endian.

std::optional<Watermark::Loaded> decode_slot(std::string_view bytes) {
  const std::string_view content = bytes.substr(0, kWatermarkSlotBytes - kHashBytes);
  const Hash checksum = sha256({content});
  if (bytes.substr(content.size()) != bytes_of(checksum)) return std::nullopt;
  WireReader reader(content);
  if (reader.fixed32() != kMagic) return std::nullopt;
  Watermark::Loaded slot;
  slot.head.generation = reader.fixed32();
  slot.sequence = reader.fixed64();
  slot.head.entry_count = reader.fixed64();
  slot.head.next_position = reader.fixed64();
  slot.head.last_recorded_at.micros = static_cast<std::int64_t>(reader.fixed64());
  const std::string_view chain = reader.raw(kHashBytes);
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    slot.head.chain[i] = static_cast<std::uint8_t>(chain[i]);
  }
  slot.closed.micros = static_cast<std::int64_t>(reader.fixed64());
  return slot;
}

}  // namespace

std::string encode_watermark_slot(std::uint64_t sequence, const LogHead& head, Instant closed) {
  std::string out;
  out.reserve(kWatermarkSlotBytes);
  WireWriter writer(out);
  writer.fixed32(kMagic);
  writer.fixed32(head.generation);
  writer.fixed64(sequence);
  writer.fixed64(head.entry_count);
  writer.fixed64(head.next_position);
  writer.fixed64(static_cast<std::uint64_t>(head.last_recorded_at.micros));
  writer.raw(bytes_of(head.chain));
  writer.fixed64(static_cast<std::uint64_t>(closed.micros));
  out.resize(kWatermarkSlotBytes - kHashBytes, '\0');
  const Hash checksum = sha256({out});
  out.append(bytes_of(checksum));
  return out;
}

Result<Watermark::Loaded> decode_watermark(std::string_view bytes) {
  if (bytes.size() != kWatermarkBytes) {
    return corrupt("expected " + std::to_string(kWatermarkBytes) + " bytes, found " +
                   (bytes.size() > kWatermarkBytes ? "more" : std::to_string(bytes.size())));
  }
  std::optional<Watermark::Loaded> newest;
  bool damaged = false;
  for (std::uint64_t i = 0; i < 2; ++i) {
    const auto slot = decode_slot(bytes.substr(i * kWatermarkSlotBytes, kWatermarkSlotBytes));
    // A slot in the wrong place is as bad as a damaged one: the next write would hit its twin.
    if (!slot || slot->sequence % 2 != i) {
      damaged = true;
    } else if (!newest || slot->sequence > newest->sequence) {
      newest = slot;
    }
  }
  if (!newest) return corrupt("both slots are damaged");
  newest->slot_damaged = damaged;
  return *newest;
}

}  // namespace daybook::eventstore

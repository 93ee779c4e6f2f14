#include "eventstore/log_keys.h"

#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kEntryKeyBytes = 20;
constexpr std::size_t kAnchorKeyBytes = 13;

template <class Integer>
void append_big_endian(std::string& out, Integer value) {
  for (std::size_t i = sizeof(Integer); i-- > 0;) {
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(value >> (8 * i))));
  }
}

std::uint64_t big_endian64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes.substr(0, 8)) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::string partition_prefix(std::uint32_t partition) {
  std::string prefix;
  append_big_endian(prefix, partition);
  return prefix;
}

}  // namespace

std::string entry_key(std::uint32_t partition, std::uint64_t base_position,
                      std::uint64_t entry_no) {
  std::string key = partition_prefix(partition);
  append_big_endian(key, base_position);
  append_big_endian(key, entry_no);
  return key;
}

std::optional<std::uint64_t> entry_no_of_key(std::uint32_t partition, std::string_view key) {
  if (key.size() != kEntryKeyBytes || !key.starts_with(partition_prefix(partition))) {
    return std::nullopt;
  }
  return big_endian64(key.substr(12));
}

std::string anchor_key(std::uint32_t partition, std::uint64_t entry_count) {
  std::string key = "a" + partition_prefix(partition);
  append_big_endian(key, entry_count);
  return key;
}

bool is_anchor_key(std::uint32_t partition, std::string_view key) {
  return key.size() == kAnchorKeyBytes && key.starts_with("a" + partition_prefix(partition));
}

std::string encode_anchor(const LogHead& head) {
  std::string out;
  WireWriter writer(out);
  writer.fixed32(head.generation);
  writer.fixed64(head.entry_count);
  writer.fixed64(head.next_position);
  writer.fixed64(static_cast<std::uint64_t>(head.last_recorded_at.micros));
  writer.raw(bytes_of(head.chain));
  return out;
}

std::optional<LogHead> decode_anchor(std::string_view bytes) {
  WireReader reader(bytes);
  LogHead head;
  head.generation = reader.fixed32();
  head.entry_count = reader.fixed64();
  head.next_position = reader.fixed64();
  head.last_recorded_at.micros = static_cast<std::int64_t>(reader.fixed64());
  const std::string_view chain = reader.raw(head.chain.size());
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    head.chain[i] = static_cast<std::uint8_t>(chain[i]);
  }
  return head;
}

std::string quarantine_key(std::uint64_t number, std::string_view entry_key) {
  std::string key;
  append_big_endian(key, number);
  key.append(entry_key);
  return key;
}

std::optional<std::uint64_t> number_of_quarantine_key(std::string_view key) {
  if (key.size() < 8) return std::nullopt;
  return big_endian64(key);
}

}  // namespace daybook::eventstore

#include "projections/checkpoint.h"

#include <algorithm>

#include "eventstore/wire.h"

namespace daybook::projections {

using eventstore::Hash;

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string bytes;
  eventstore::WireWriter wire(bytes);
  wire.varint(checkpoint.next_position);
  wire.varint(checkpoint.entry_no);
  wire.raw(eventstore::bytes_of(checkpoint.chain));
  wire.varint(checkpoint.code_version);
  return bytes;
}

std::optional<Checkpoint> decode_checkpoint(std::string_view bytes) {
  eventstore::WireReader wire(bytes);
  Checkpoint checkpoint;
  checkpoint.next_position = wire.varint();
  checkpoint.entry_no = wire.varint();
  const std::string_view chain = wire.raw(checkpoint.chain.size());
  std::copy(chain.begin(), chain.end(), checkpoint.chain.begin());
  const std::uint64_t code_version = wire.varint();
  if (!wire.ok() || !wire.at_end() || code_version > UINT32_MAX) return std::nullopt;
  checkpoint.code_version = static_cast<std::uint32_t>(code_version);
  return checkpoint;
}

Result<bool> agrees_with(const Checkpoint& checkpoint, const eventstore::EventLog& log) {
  const eventstore::LogHead head = log.head();
  if (checkpoint.next_position > head.next_position || checkpoint.entry_no > head.entry_count) {
    return false;
  }
  if (checkpoint.entry_no == 0) {
    return checkpoint.next_position == 0 && checkpoint.chain == Hash{};
  }
  if (checkpoint.entry_no == head.entry_count) {
    return checkpoint.next_position == head.next_position && checkpoint.chain == head.chain;
  }
  // From the entry that holds the last event before the checkpoint: entries without events follow
  // it, and a cursor at the checkpoint's own position might pass them by.
  auto cursor = log.read(checkpoint.next_position == 0 ? 0 : checkpoint.next_position - 1);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry || (*entry)->entry_no >= checkpoint.entry_no) return false;
    if ((*entry)->entry_no + 1 < checkpoint.entry_no) continue;
    return (*entry)->end_position() == checkpoint.next_position &&
           eventstore::chain_of(**entry) == checkpoint.chain;
  }
}

}  // namespace daybook::projections

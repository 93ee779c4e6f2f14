#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "eventstore/log_index.h"
#include "eventstore/log_keys.h"
#include "eventstore/watermark.h"
#include "projections/accounts.h"
#include "projections/balances.h"
#include "projections/checkpoint.h"
#include "projections/due.h"
#include "projections/general_ledger.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

constexpr std::size_t kSlotBytes = 4096;
constexpr std::size_t kSlotHashBytes = 32;

template <class State>
void check_state(std::string_view bytes) {
  const auto state = eventstore::decode_state<State>(bytes);
  if (!state.ok()) return;
  require(eventstore::encode_state(*state) == bytes, "a stored state is canonical");
}

template <class Row>
void check_row(std::string_view bytes) {
  Row row;
  if (!projections::decode_row(bytes, row)) return;
  require(projections::encode_row(row) == bytes, "a row is canonical");
}

void check_stream_row(std::string_view bytes) {
  const auto placed = eventstore::decode_stream_row(bytes);
  if (!placed.ok()) return;
  require(*placed != nullptr, "a row of a stream has an event");
  require(bytes.ends_with(eventstore::encode_event((*placed)->event)), "and that event's bytes");
}

void check_anchor(std::string_view bytes) {
  const auto head = eventstore::decode_anchor(bytes);
  if (!head) return;
  require(eventstore::encode_anchor(*head) == bytes, "an anchor is canonical");
}

void check_checkpoint(std::string_view bytes) {
  const auto checkpoint = projections::decode_checkpoint(bytes);
  if (!checkpoint) return;
  require(projections::encode_checkpoint(*checkpoint) == bytes, "a checkpoint is canonical");
}

/// A file in memory that has a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : descriptor_(::memfd_create("slots", 0)) {
    CHECK(descriptor_ >= 0);
    CHECK(::write(descriptor_, content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Slots as they are, or with checksums that fit, behind which the fuzzer would not get.
void check_watermark(std::string_view bytes, bool with_checksums) {
  std::string file(bytes);
  if (with_checksums) {
    file.clear();
    const std::size_t half = bytes.size() / 2;
    for (const std::string_view part : {bytes.substr(0, half), bytes.substr(half)}) {
      std::string slot(part.substr(0, kSlotBytes - kSlotHashBytes));
      slot.resize(kSlotBytes - kSlotHashBytes, '\0');
      slot += eventstore::bytes_of(eventstore::sha256({slot}));
      file += slot;
    }
  }
  const MemoryFile stored(file);
  const auto loaded = eventstore::WatermarkFile::load(stored.path());
  if (!loaded.ok()) {
    require(loaded.status().code() == StatusCode::kCorrupt, "damaged slots are corrupt");
    return;
  }
  require(file.size() == 2 * kSlotBytes, "a watermark has two slots");
  if (loaded->sequence >= std::numeric_limits<std::uint64_t>::max() - 1) return;
  auto open = eventstore::WatermarkFile::open(stored.path(), [](int) { return 0; });
  require(open.ok() && (*open)->at_open().head == loaded->head, "what loads opens");
  eventstore::LogHead next = loaded->head;
  ++next.entry_count;
  require((*open)->store(next, loaded->closed).ok(), "an open watermark is stored");
  const auto again = eventstore::WatermarkFile::load(stored.path());
  require(again.ok() && again->head == next && again->closed == loaded->closed &&
              again->sequence == loaded->sequence + 1,
          "what was stored is loaded");
}

}  // namespace

/// A letter that says of what kind, then a stored value: states, rows of the read models,
/// checkpoints, anchors, watermark slots.
void stored_rows(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view row = bytes.substr(1);
  switch (bytes.front()) {
    case 'a':
      return check_state<domain::AccountState>(row);
    case 't':
      return check_state<domain::TenantState>(row);
    case 'c':
      return check_checkpoint(row);
    case 'r':
      return check_row<projections::AccountRow>(row);
    case 'b':
      return check_row<projections::BalanceRow>(row);
    case 'g':
      return check_row<projections::LedgerSums>(row);
    case 'd':
      return check_row<projections::DueTime>(row);
    case 's':
      return check_stream_row(row);
    case 'n':
      return check_anchor(row);
    case 'w':
      return check_watermark(row, true);
    case 'W':
      return check_watermark(row, false);
    default:
      return;
  }
}

}  // namespace daybook::fuzz

#include <string>
#include <utility>

#include "tests/simulation/world.h"

/// Disks that somebody else has changed while the node was down: what was acknowledged is there, or
/// the opening says what is wrong.
namespace daybook::simulation {

void World::check_damaged_copies(Rng& rng) const {
  SimDisk damaged(disk_);
  const SimDisk::Damage damage = rng.pick(SimDisk::damages());
  damaged.damage(damage, rng);
  check_damaged(damaged, "damaged");
  if (older_disk_ == nullptr) return;
  SimDisk rows(disk_);
  rows.roll_back_rows(*older_disk_);
  check_damaged(rows, "rows rolled back");
  SimDisk watermark(disk_);
  watermark.roll_back_watermark(*older_disk_);
  check_damaged(watermark, "watermark rolled back");
}

void World::check_damaged(SimDisk& disk, const char* what) const {
  const auto log = disk.open();
  if (!log.ok()) {
    require(log.status().code() == StatusCode::kCorrupt && !log.status().message().empty(),
            std::string(what) + ": refused as something else: " + log.status().message());
    trace_.mark(std::string("refused: ") + what);
    return;
  }
  trace_.mark(std::string("harmless: ") + what);
  // All that was acknowledged, as it was; beyond it only what was on its way.
  std::uint64_t position = 0;
  auto cursor = (*log)->read(0);
  require(cursor.ok(), std::string(what) + ": it opens and cannot be read");
  while (true) {
    auto entry = (*cursor)->next();
    require(entry.ok(), std::string(what) + ": it opens and cannot be read");
    if (!*entry) break;
    const auto decoded = eventstore::decode_events(std::move(**entry));
    require(decoded.ok(), std::string(what) + ": an event cannot be read");
    for (const auto& event : decoded->events) {
      require(position < model_.log().size() && event == model_.log()[position],
              std::string(what) + ": served with another event");
      ++position;
    }
  }
  require(position >= told_, std::string(what) + ": served without what was acknowledged");
}

}  // namespace daybook::simulation

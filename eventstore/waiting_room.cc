#include "eventstore/waiting_room.h"

#include <algorithm>
#include <iterator>

#include "domain/base/check.h"

namespace daybook::eventstore {

void WaitingRoom::join(const std::string& stream, PreparedCommand prepared) {
  const auto found = lines_.find(stream);
  CHECK(found != lines_.end());
  auto& commands = found->second.commands;
  CHECK(commands.empty() || commands.back().arrival < prepared.arrival);
  commands.push_back(std::move(prepared));
}

void WaitingRoom::park(const std::string& stream, PreparedCommand prepared) {
  const auto [found, is_new] = lines_.try_emplace(stream);
  Line& line = found->second;
  if (!is_new) {
    CHECK(line.stage == Stage::kReady && ready_.front() == stream);
    ready_.pop_front();
    line.stage = Stage::kParked;
  }
  CHECK(line.commands.empty() || prepared.arrival < line.commands.front().arrival);
  parked_.emplace(prepared.look_again_at, stream);
  line.commands.push_front(std::move(prepared));
}

std::vector<WaitingRoom::Party> WaitingRoom::release(std::uint64_t indexed) {
  std::vector<Party> released;
  while (!parked_.empty() && parked_.begin()->first <= indexed) {
    auto stream = std::move(parked_.extract(parked_.begin()).value().second);
    Line& line = lines_.at(stream);
    line.stage = Stage::kAway;
    Party& party = released.emplace_back(Party{std::move(stream), {}, false});
    party.commands.assign(std::make_move_iterator(line.commands.begin()),
                          std::make_move_iterator(line.commands.end()));
    line.commands.clear();
  }
  return released;
}

void WaitingRoom::readmit(Party party) {
  const auto found = lines_.find(party.stream);
  CHECK(found != lines_.end() && found->second.stage == Stage::kAway);
  Line& line = found->second;
  line.commands.insert(line.commands.begin(), std::make_move_iterator(party.commands.begin()),
                       std::make_move_iterator(party.commands.end()));
  if (line.commands.empty()) {
    lines_.erase(found);
    return;
  }
  line.stage = Stage::kReady;
  ready_.push_back(std::move(party.stream));
}

std::optional<PreparedCommand> WaitingRoom::next() {
  if (ready_.empty()) return std::nullopt;
  const auto found = lines_.find(ready_.front());
  auto& commands = found->second.commands;
  std::optional<PreparedCommand> prepared(std::move(commands.front()));
  commands.pop_front();
  if (commands.empty()) {
    ready_.pop_front();
    lines_.erase(found);
  }
  return prepared;
}

std::vector<PreparedCommand> WaitingRoom::clear_waiting_for_index() {
  std::vector<PreparedCommand> gone;
  for (const auto& [position, stream] : std::exchange(parked_, {})) {
    const auto found = lines_.find(stream);
    auto& commands = found->second.commands;
    std::move(commands.begin(), commands.end(), std::back_inserter(gone));
    lines_.erase(found);
  }
  return gone;
}

std::vector<PreparedCommand> WaitingRoom::clear() {
  std::vector<PreparedCommand> gone;
  for (auto item = lines_.begin(); item != lines_.end();) {
    Line& line = item->second;
    std::move(line.commands.begin(), line.commands.end(), std::back_inserter(gone));
    line.commands.clear();
    item = line.stage == Stage::kAway ? std::next(item) : lines_.erase(item);
  }
  parked_.clear();
  ready_.clear();
  return gone;
}

}  // namespace daybook::eventstore

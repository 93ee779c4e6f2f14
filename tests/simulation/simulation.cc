#include "tests/simulation/simulation.h"

#include <algorithm>
#include <utility>

#include "eventstore/stream_key.h"

namespace daybook::simulation {

using eventstore::Answer;
using eventstore::AnswerKind;

Simulation::Simulation(std::uint64_t seed, Trace& trace) : trace_(trace), rng_(seed) {
  Workload::Options work;
  work.tenants = 1 + rng_.below(2);
  work.accounts = 1 + rng_.below(5);
  work.wide = rng_.chance(15);
  work.fat = rng_.chance(6);
  work.hoards = !work.fat && rng_.chance(4);
  if (work.hoards) work.tenants = work.accounts = 1;

  World::Options options;
  const bool evicts = rng_.chance(70);
  options.sequencer.resident_streams_max = evicts ? 2 + rng_.below(7) : 100'000;
  options.sequencer.window_slack_events = rng_.chance(30) ? 0 : rng_.below(17);
  options.sequencer.refusals.burst = static_cast<std::uint32_t>(1 + rng_.below(6));
  options.sequencer.refusals.per_second = 1;
  options.projector.batch_events = 1 + rng_.below(64);
  options.projector.ingest_events = 1 + rng_.below(96);
  options.projector.flush_events = 8 + rng_.below(400);
  options.fills_key_filter = rng_.chance(90);
  options.projector.flush_micros = rng_.chance(50) ? 60'000'000 : 3'600'000'000;
  plan_.steps = work.fat ? 700 : work.hoards ? 5'000 : 300 + rng_.below(900);
  plan_.hoards = work.hoards;
  plan_.queue_max = 2 + rng_.below(20);
  plan_.append_fault_per_mille = rng_.chance(60) ? rng_.below(80) : 0;
  plan_.read_fault_per_mille = rng_.chance(40) ? rng_.below(8) : 0;
  options.opening_fault_percent = rng_.chance(50) ? rng_.below(40) : 0;
  options.damage_percent = rng_.chance(50) ? rng_.below(50) : 0;
  plan_.crash_per_mille = rng_.chance(80) ? 1 + rng_.below(15) : 0;
  plan_.lost_percent = rng_.chance(70) ? rng_.below(40) : 0;
  plan_.retry_percent = rng_.chance(90) ? 5 + rng_.below(50) : 0;
  plan_.clock_percent = rng_.chance(80) ? 1 + rng_.below(10) : 0;
  plan_.half_batch_percent = rng_.chance(50) ? rng_.below(20) : 0;
  plan_.table_write_fault_per_mille = rng_.chance(40) ? rng_.below(8) : 0;
  if (work.hoards) plan_.clock_percent = plan_.lost_percent = plan_.retry_percent = 0;
  plan_.write_side_percent = work.fat ? 3 : 10 + rng_.below(25);
  plan_.read_side_percent = 5 + rng_.below(30);
  trace_.line("seed " + std::to_string(seed) + ": " + std::to_string(work.tenants) + "x" +
              std::to_string(work.accounts) + " accounts, resident " +
              std::to_string(options.sequencer.resident_streams_max) + ", slack " +
              std::to_string(options.sequencer.window_slack_events) + ", refusals " +
              std::to_string(options.sequencer.refusals.burst) + ", batch " +
              std::to_string(options.projector.batch_events) + ", faults " +
              std::to_string(plan_.append_fault_per_mille) + "/1000, crashes " +
              std::to_string(plan_.crash_per_mille) + "/1000");
  world_ = std::make_unique<World>(options, trace_);
  workload_ = std::make_unique<Workload>(rng_, work);
}

void Simulation::run() {
  for (; step_ < plan_.steps; ++step_) take_step();
  settle_everything();
  world_->check_log();
  world_->check_tables();
}

void Simulation::take_step() {
  if (world_->failed() ? rng_.chance(30) : rng_.below(1'000) < plan_.crash_per_mille) {
    crash();
    return;
  }
  if (plan_.hoards && (step_ + 1) % 2'500 == 0) {
    world_->clock().set({world_->clock().now().micros + 3'000'000'000});
    trace_.line("clock: much is due at once");
  }
  const auto what = rng_.below(100);
  if (what < plan_.write_side_percent) return write_side();
  if (what < plan_.write_side_percent + plan_.read_side_percent) return read_side();
  if (rng_.below(100) < plan_.clock_percent) return move_clock();
  if (queue_.size() < plan_.queue_max && rng_.chance(50)) return issue();
  offer_some();
}

// --- Clients
// ----------------------------------------------------------------------------------------

void Simulation::issue() {
  const Instant now = world_->clock().now();
  if (!requests_.empty() && rng_.below(100) < plan_.retry_percent) {
    // Mostly something recent, so that it meets its original on the way.
    const std::size_t back = rng_.chance(70)
                                 ? rng_.below(std::min<std::size_t>(requests_.size(), 6))
                                 : rng_.below(requests_.size());
    const std::size_t request = requests_.size() - 1 - back;
    if (rng_.chance(80)) return send(request);
    requests_.push_back({"v" + std::to_string(requests_.size()),
                         workload_->variation(world_->model(), requests_[request].command, now)});
  } else {
    requests_.push_back(
        {"r" + std::to_string(requests_.size()), workload_->next(world_->model(), now)});
  }
  send(requests_.size() - 1);
}

/// The request may be lost on the way, or arrive twice.
void Simulation::send(std::size_t request) {
  if (rng_.below(100) < plan_.lost_percent) return;
  const int copies = rng_.chance(8) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    queue_.push_back({request, world_->look_up(requests_[request].command)});
    // As if the caller had counted on a state that is in memory.
    if (rng_.chance(3)) queue_.back().prepared.lookups.account.reset();
  }
}

void Simulation::offer_some() {
  if (!world_->wants_more()) return;
  if (rng_.chance(40)) look_again();
  if (room_.has_ready() && rng_.chance(70)) return serve_room(rng_.chance(5));
  if (queue_.empty()) return;
  // Mostly in the order of the look-ups; late ones are the stale look-ups.
  const std::size_t at = rng_.chance(60) ? 0 : rng_.below(queue_.size());
  Queued queued = std::move(queue_[at]);
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(at));
  arrive(std::move(queued), rng_.chance(5));
}

/// In the ledger's queue: from here on the order within each stream is fixed.
void Simulation::arrive(Queued queued, bool gives_up) {
  queued.prepared.arrival = arrivals_.size();
  arrivals_.push_back(queued.request);
  const std::string stream = eventstore::stream_key(queued.prepared.command.stream());
  if (room_.has(stream)) {
    trace_.mark("waited behind an older command");
    room_.join(stream, std::move(queued.prepared));
    return;
  }
  offer(std::move(queued.prepared), gives_up);
}

/// What the ledger's thread for look-ups does: takes lines whose position is reached, looks up, and
/// brings them back, with any step of the others in between.
void Simulation::look_again() {
  for (auto& party : room_.release(world_->indexed())) away_.push_back(std::move(party));
  if (away_.empty()) return;
  const std::size_t at = rng_.below(away_.size());
  auto party = std::move(away_[at]);
  away_.erase(away_.begin() + static_cast<std::ptrdiff_t>(at));
  const std::uint64_t wanted = party.commands.front().look_again_at;
  for (auto& prepared : party.commands) {
    const bool is_first = &prepared == &party.commands.front();
    if (!is_first && prepared.lookups.as_of >= wanted) continue;
    prepared.lookups = world_->look_up(prepared.command).lookups;
    // Those behind the first one count on the state that it brings along.
    if (!is_first) prepared.lookups.account.reset();
  }
  room_.readmit(std::move(party));
}

void Simulation::serve_room(bool gives_up) {
  if (auto prepared = room_.next()) offer(std::move(*prepared), gives_up);
}

void Simulation::offer(eventstore::PreparedCommand prepared, bool gives_up) {
  const std::uint64_t arrival = prepared.arrival;
  const std::size_t request = arrivals_[arrival];
  const domain::StreamId stream = prepared.command.stream();
  const auto last = last_decided_.find(stream);
  require(last == last_decided_.end() || last->second < arrival,
          requests_[request].label + ": a newer command of its stream was decided before it");
  const bool taken =
      world_->offer(prepared, requests_[request].label,
                    [this, request](const Answer& answer) { answered(request, answer); });
  if (taken) {
    last_decided_[stream] = arrival;
    if (prepared.looked_again > 0) trace_.mark("decided with newer look-ups");
    return;
  }
  if (gives_up) return;
  ++prepared.looked_again;
  room_.park(eventstore::stream_key(stream), std::move(prepared));
}

void Simulation::answered(std::size_t request, const Answer& answer) {
  if (answer.kind == AnswerKind::kUnknown) return;
  // The answer may be lost on its way; then the client asks again, like one that never knew.
  requests_[request].answered = true;
  const bool stands = answer.kind == AnswerKind::kRecorded || answer.kind == AnswerKind::kReplayed;
  if (!stands || requests_[request].command.idempotency_key.empty()) return;
  const std::pair place(answer.event->position,
                        answer.original == nullptr ? UINT64_MAX : answer.original->position);
  const auto [before, is_first] = stands_.emplace(request, place);
  require(is_first || before->second == place,
          requests_[request].label + ": a retry is answered otherwise");
}

// --- The ledger's own steps
// -------------------------------------------------------------------------

void Simulation::write_side() {
  switch (rng_.below(3)) {
    case 0:
      if (world_->can_take()) world_->take();
      return;
    case 1:
      if (world_->can_append()) append();
      return;
    default:
      if (world_->can_report_commit()) world_->report_commit();
  }
}

void Simulation::read_side() {
  switch (rng_.below(12)) {
    case 0:
      return world_->flush();
    case 1:
      return close_time();
    case 2:
    case 3:
    case 4:
    case 5:
      if (!world_->failed()) project();
      return;
    case 6:
    case 7:
    case 8:
      return world_->publish();
    default:
      if (!world_->failed()) world_->report_indexed();
  }
}

void Simulation::close_time() {
  std::optional<SimDisk::Fault> fails;
  if (rng_.below(1'000) < plan_.append_fault_per_mille) fails = SimDisk::Fault::kLost;
  world_->close_time(fails);
}

void Simulation::append() {
  static const std::vector<SimDisk::Fault> kFaults{SimDisk::Fault::kLost, SimDisk::Fault::kKept,
                                                   SimDisk::Fault::kTorn};
  std::optional<World::AppendFault> fault;
  if (rng_.below(1'000) < plan_.append_fault_per_mille) {
    fault = World::AppendFault{rng_.below(2), rng_.pick(kFaults)};
  }
  world_->append(fault);
}

void Simulation::project() {
  std::optional<std::uint64_t> failing_read;
  if (rng_.below(1'000) < plan_.read_fault_per_mille) failing_read = rng_.below(3);
  world_->kv().before_write = [this, failing_read]() -> Status {
    // Where a read fails it is to be the projector's.
    if (rng_.below(100) < plan_.half_batch_percent && !requests_.empty() && !failing_read) {
      trace_.mark("look-up in the middle of a batch");
      send(rng_.below(requests_.size()));
    }
    if (rng_.below(1'000) < plan_.table_write_fault_per_mille) return io_error("simulated");
    return {};
  };
  world_->project(failing_read);
  world_->kv().before_write = nullptr;
}

void Simulation::move_clock() {
  constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t change = rng_.chance(25)   ? -rng_.between(1, 2'000 * kSecond)
                              : rng_.chance(50) ? rng_.between(1, 3 * kSecond)
                                                : rng_.between(1, 900 * kSecond);
  if (change < 0) trace_.mark("clock went back");
  world_->clock().set({world_->clock().now().micros + change});
  trace_.line("clock " + std::to_string(change));
}

void Simulation::crash() {
  queue_.clear();
  away_.clear();
  room_ = {};
  if (!world_->must_restart() && rng_.chance(15)) {
    world_->restart();
    if (!world_->must_restart()) return;
  }
  if (rng_.chance(20)) {
    world_->restore(rng_.next());
  } else {
    world_->crash(rng_.next());
  }
  if (rng_.chance(25)) world_->check_tables();
}

/// Faults stop; everything must get its answer in a bounded number of rounds.
void Simulation::settle_everything() {
  trace_.line("no more faults");
  if (world_->must_restart()) crash();
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const bool again = !requests_[i].answered || rng_.chance(20);
    if (again && !requests_[i].command.idempotency_key.empty()) {
      queue_.push_back({i, world_->look_up(requests_[i].command)});
    }
  }
  const auto is_done = [this] { return queue_.empty() && room_.empty(); };
  for (std::size_t round = 0; !is_done() && round <= requests_.size(); ++round) {
    for (auto& queued : std::exchange(queue_, {})) {
      if (!world_->wants_more()) {
        queue_.push_back(std::move(queued));
        continue;
      }
      arrive({queued.request, world_->look_up(requests_[queued.request].command)}, false);
    }
    do {
      look_again();
    } while (!away_.empty());
    while (room_.has_ready() && world_->wants_more()) serve_room(false);
    world_->drain();
  }
  world_->drain();
  require(is_done() && !world_->failed() && world_->waiting() == 0,
          "requests without an answer, though nothing fails any more");
  for (const Request& request : requests_) {
    require(request.answered || request.command.idempotency_key.empty(),
            request.label + ": no definite answer");
  }
}

}  // namespace daybook::simulation

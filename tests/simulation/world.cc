#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "eventstore/public_json.h"
#include "eventstore/stream_key.h"
#include "projections/all_projections.h"
#include "projections/tables.h"

namespace daybook::simulation {
namespace {

using eventstore::Answer;
using eventstore::AnswerKind;
using eventstore::AppendOutcome;
using eventstore::PreparedCommand;

const char* name_of(AnswerKind kind) {
  static constexpr const char* kNames[] = {"recorded", "replayed",   "unchanged",
                                           "rejected", "key-reused", "version-mismatch",
                                           "limited",  "overloaded", "unknown"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string text(std::uint64_t number) { return std::to_string(number); }

}  // namespace

World::World(Options options, Trace& trace)
    : options_(options), trace_(trace), kv_(projections::kTableCount) {
  Rng rng(0);
  open_log(rng);
  start();
}

/// Openings that fail on the way are repeated by a new process, as often as it takes.
void World::open_log(Rng& rng) {
  constexpr int kFailuresMax = 3;
  for (int failures = 0;; ++failures) {
    if (failures < kFailuresMax && rng.chance(options_.opening_fault_percent)) {
      disk_.fail_write(rng.below(3),
                       rng.chance(50) ? SimDisk::Fault::kLost : SimDisk::Fault::kKept);
    }
    if (failures < kFailuresMax && rng.chance(options_.opening_fault_percent)) {
      disk_.fail_read(rng.below(5 + 2 * disk_.entries()));
    }
    const std::uint64_t quarantined = disk_.quarantined();
    if (rng.chance(50) && disk_.cut_power()) trace_.mark("the power went after a failed sync");
    if (!disk_.is_watermark_synced()) trace_.mark("opened after a failed sync");
    auto log = disk_.open();
    disk_.restart();
    if (log.ok()) {
      require(disk_.is_watermark_synced(), "a log rests on a watermark that is on no disk");
      log_ = std::move(*log);
      if (log_->report().unacknowledged_entries > 0) trace_.mark("opened with an unproven tail");
      if (disk_.quarantined() > quarantined) trace_.mark("a torn entry is put aside");
      if (log_->report().watermark_slot_damaged) trace_.mark("a torn watermark is healed");
      return;
    }
    const bool is_damage = log.status().code() == StatusCode::kCorrupt;
    // A read that fails below the watermark leaves something unproven, and that is what is said.
    require(log.status().code() == StatusCode::kIo || (is_damage && failures < kFailuresMax),
            "a sound log does not open: " + log.status().message());
    trace_.mark("an opening failed and was repeated");
  }
}

void World::start() {
  index_ = std::make_unique<eventstore::LogIndex>(
      kv_, *log_,
      eventstore::LogIndex::Tables{projections::kKeysTable, projections::kStreamsTable,
                                   projections::kStatesTable});
  projector_ = std::make_unique<projections::Projector>(
      *log_, kv_, clock_, projections::all_projections(kv_, &index_->key_filter()),
      options_.projector);
  const Status status = projector_->run_once();
  require(status.ok(), "the projector does not open: " + status.message());
  const auto head = log_->head();
  require(projector_->applied() == head.next_position, "a start does not catch up");
  for (const auto& projection : projector_->status().projections) {
    if (projection.rebuilt) trace_.mark("table rebuilt at a start");
  }
  if (options_.fills_key_filter) {
    require(index_->fill_key_filter({}).ok(), "the keys that are there cannot be read");
  }
  index_->publish(projector_->applied());
  recorded_clock_ = std::make_unique<eventstore::RecordedClock>(clock_, *log_);
  sequencer_ = std::make_unique<eventstore::Sequencer>(head, 0, options_.sequencer);
  told_ = open_base_ = born_at_ = head.next_position;
  ++incarnation_;
}

// --- The write side
// ---------------------------------------------------------------------------------

PreparedCommand World::look_up(const eventstore::Command& command) const {
  auto lookups = index_->look_up(command);
  require(lookups.ok(), "a look-up fails: " + lookups.status().message());
  return {command, std::move(*lookups), nullptr};
}

bool World::offer(PreparedCommand& prepared, const std::string& label, OnAnswer on_answer) {
  auto taken = std::make_shared<Taken>();
  taken->label = label;
  taken->stream = prepared.command.stream();
  taken->start = sequencer_->next_position();
  taken->incarnation = incarnation_;
  const Instant now = taken->now = recorded_clock_->begin();
  if (!model_.log().empty()) {
    require(now >= model_.log().back().recorded_at, "a time before that of the last event");
  }
  if (!failed_) {
    require(taken->start == model_.log().size(), "the sequencer's end is not the model's");
    taken->predicted = model_.predict(prepared.command, taken->now);
  }
  prepared.complete = [this, taken, on_answer](const Answer& answer) {
    check_answer(*taken, answer);
    on_answer(answer);
  };
  const bool was_taken = sequencer_->offer(prepared, now);
  recorded_clock_->end(sequencer_->next_position());
  if (!was_taken) {
    require(sequencer_->next_position() == taken->start, "a bounced command left something");
    explain_bounce(prepared, label);
    return false;
  }
  if (failed_) {
    require(taken->answered, "a failed ledger keeps a command");
    trace_.mark("offered after the store failed");
    return true;
  }
  resolve(*taken);
  mark_prediction(prepared, *taken);
  trace_.line("offer " + label + " -> " + name_of(taken->predicted.kind) +
              (taken->limited ? " (limited)" : "") + " +" +
              text(model_.log().size() - taken->start));
  return true;
}

/// Once: what the sequencer wrote for the command becomes the model's next events.
void World::resolve(Taken& taken) {
  if (std::exchange(taken.resolved, true)) return;
  const auto& events = taken.predicted.events;
  const std::uint64_t written = sequencer_->next_position() - taken.start;
  taken.limited = taken.predicted.is_refusal && is_limited(taken, written);
  const std::size_t expected = taken.limited ? taken.predicted.settled : events.size();
  require(written == expected,
          taken.label + ": wrote " + text(written) + " events, expected " + text(expected));
  for (std::size_t i = 0; i < expected; ++i) model_.append(events[i]);
}

bool World::is_limited(const Taken& taken, std::uint64_t written) {
  const std::int64_t full = std::int64_t{options_.sequencer.refusals.burst} * 1'000'000;
  const auto [found, is_new] =
      buckets_.try_emplace(eventstore::stream_key(taken.stream), Bucket{full, taken.now});
  Bucket& bucket = found->second;
  const std::int64_t elapsed =
      std::max<std::int64_t>(taken.now.micros - bucket.refilled_at.micros, 0);
  bucket.credit += elapsed * std::int64_t{options_.sequencer.refusals.per_second};
  bucket.credit = std::min(bucket.credit, full);
  bucket.refilled_at = taken.now;
  const bool has_credit = bucket.credit >= 1'000'000;
  const bool limited = written != taken.predicted.events.size();
  require(!limited || !has_credit, taken.label + ": a refusal is withheld too early");
  // Also where a state was let go meanwhile: that is no way around the limit.
  require(limited || has_credit, taken.label + ": a refusal too many");
  if (!limited) bucket.credit -= 1'000'000;
  return limited;
}

void World::take() {
  in_flight_ = sequencer_->take_entry();
  open_base_ = in_flight_->end_position();
  trace_.line("take entry " + text(in_flight_->entry_no) + " [" + text(in_flight_->base_position) +
              ", " + text(in_flight_->end_position()) + ")");
  if (in_flight_->body.size() + 3 * eventstore::kEventBytesMax > eventstore::kEntryBodyBytesMax) {
    trace_.mark("entry sealed because it was full");
  }
}

void World::append(std::optional<AppendFault> fault) {
  if (fault) disk_.fail_write(fault->nth, fault->fault);
  const AppendOutcome outcome = log_->append(*in_flight_);
  trace_.line("append entry " + text(in_flight_->entry_no) + " -> " +
              (outcome == AppendOutcome::kCommitted ? "committed" : "failed"));
  if (outcome == AppendOutcome::kCommitted) {
    require(!log_poisoned_, "a log that failed takes an entry");
    in_flight_ = nullptr;
    return;
  }
  trace_.mark(log_poisoned_ ? "append to a failed log" : "append unknown");
  require(fault || log_poisoned_, "an append fails for no reason");
  require(log_->append(*in_flight_) == AppendOutcome::kUnknown, "a failed log takes an entry");
  maybe_end_ = log_poisoned_ ? log_->head().next_position : in_flight_->end_position();
  failed_ = true;
  sequencer_->on_failed();
  require(sequencer_->waiting() == 0, "a failed ledger keeps commands waiting");
}

void World::report_commit() {
  told_ = log_->head().next_position;
  trace_.line("commit " + text(told_));
  sequencer_->on_committed(told_);
}

// --- The answers
// ------------------------------------------------------------------------------------

void World::check_answer(Taken& taken, const Answer& answer) {
  require(!std::exchange(taken.answered, true), taken.label + ": answered twice");
  require(taken.incarnation == incarnation_, taken.label + ": answered by a dead process");
  trace_.line("answer " + taken.label + " " + name_of(answer.kind));
  if (failed_) {
    require(answer.kind == AnswerKind::kUnknown, taken.label + ": a definite answer of a failure");
    return;
  }
  resolve(taken);
  require(answer.position <= log_->head().next_position,
          taken.label + ": the answer rests on something that is not durable");
  require(answer.position >= taken.start, taken.label + ": the answer's position is too old");
  if (taken.limited) {
    require(answer.kind == AnswerKind::kRefusalsLimited, taken.label + ": not said to be limited");
    require(answer.version == taken.predicted.settled_version, taken.label + ": wrong version");
    return;
  }
  check_definite_answer(taken, answer);
  if (answer.event != nullptr) {
    acknowledged_.emplace(answer.event->position, answer.event->event);
  }
}

void World::check_definite_answer(const Taken& taken, const Answer& answer) const {
  const Predicted& want = taken.predicted;
  const auto check = [&](bool holds, const char* what) {
    require(holds, taken.label + ": answered " + name_of(answer.kind) + ", expected " +
                       name_of(want.kind) + ": " + what);
  };
  check(answer.kind == want.kind, "kind");
  check(answer.version == want.version, "version");
  // What stands under a key is no answer to another request.
  const bool answers = answer.kind != AnswerKind::kKeyReused;
  check((answer.event != nullptr) == (answers && want.event), "event");
  if (answer.event != nullptr) {
    check(answer.event->position == *want.event, "position");
    const auto& event = model_.log().at(*want.event);
    require(answer.event->event == event, taken.label + ": answered " +
                                              eventstore::public_json(answer.event->event) +
                                              "\nexpected " + eventstore::public_json(event));
    check(answer.event->position < log_->head().next_position, "the event is not durable");
  }
  check((answer.original != nullptr) == (answers && want.original), "original");
  if (answer.original != nullptr) {
    check(answer.original->position == *want.original, "position of the original");
    check(answer.original->event == model_.log().at(*want.original), "original's content");
  }
  if (answer.kind == AnswerKind::kRejected) {
    check(answer.rejection.kind == want.rejection, "rejection");
    check(answer.rejection.pointer == want.pointer, "pointer");
  }
}

void World::explain_bounce(const PreparedCommand& prepared, const std::string& label) {
  const auto& lookups = prepared.lookups;
  const bool has_states = !prepared.command.is_account_command() || lookups.account;
  const std::string why = has_states ? "floor" : "missing account";
  require(lookups.as_of < sequencer_->next_position() || why == "missing account",
          label + ": look-ups of everything were too old");
  require(prepared.look_again_at <= index_->applied(), label + ": waits for what is there");
  trace_.line("bounce " + label + ": " + why);
  trace_.mark("bounced: " + why);
}

void World::mark_prediction(const PreparedCommand& prepared, const Taken& taken) {
  const Predicted& want = taken.predicted;
  trace_.mark(std::string("answer: ") +
              name_of(taken.limited ? AnswerKind::kRefusalsLimited : want.kind));
  if (want.settled > domain::kSettledPerDecision) {
    trace_.mark("more was due than one decision settles");
  }
  if (want.settled > 0) trace_.mark("hold expired before another command");
  if (want.kind == AnswerKind::kReplayed && want.events.empty()) {
    const std::uint64_t at = *want.event;
    if (at >= open_base_) {
      trace_.mark("duplicate joined in the open entry");
    } else if (at >= told_) {
      trace_.mark("duplicate joined in flight");
    } else if (at >= prepared.lookups.as_of) {
      trace_.mark("duplicate found in the tail");
    } else {
      trace_.mark("duplicate found by the index");
    }
    if (at < born_at_) trace_.mark("duplicate after a restart");
    if (want.original) trace_.mark("duplicate of a repeated payment");
  }
  const auto newest = model_.newest_reference(taken.stream);
  if (eventstore::referenced_version(prepared.command) && newest &&
      *newest >= prepared.lookups.as_of) {
    trace_.mark("named an event while a newer reference was in the window");
  }
  if (taken.limited || want.events.empty()) return;
  if (eventstore::referenced_version(prepared.command) && !want.is_refusal &&
      prepared.lookups.referenced == nullptr) {
    trace_.mark("named an event in the window");
  }
  const auto* refused = std::get_if<domain::CommandRefused>(&want.events.back().event);
  if (refused != nullptr && refused->reason == domain::RefusalReason::kPaymentConflict) {
    trace_.mark("claim conflict");
  }
  const auto* reopened = std::get_if<domain::AccountReopened>(&want.events.back().event);
  if (reopened != nullptr && reopened->status_after == domain::AccountStatus::kFrozen) {
    trace_.mark("frozen account closed and reopened");
  }
  const auto* repeat = std::get_if<domain::NoChange>(&want.events.back().event);
  if (repeat != nullptr) {
    trace_.mark(repeat->of ? "payment repeated under another key" : "nothing changed, with a key");
  }
  if (prepared.command.effective_at) trace_.mark("effective in the past");
  if (prepared.command.if_match) trace_.mark("If-Match right");
}

// --- The read side
// ----------------------------------------------------------------------------------

void World::project(std::optional<std::uint64_t> failing_read) {
  if (failing_read) disk_.fail_read(*failing_read);
  const Status status = projector_->run_once();
  disk_.disarm();
  if (status.ok()) {
    trace_.line("project to " + text(projector_->applied()));
    return;
  }
  trace_.line("projector failed");
  trace_.mark(failing_read ? "a read of the log failed" : "crash between two tables of a batch");
  projector_failed_ = true;
}

void World::publish() { index_->publish(projector_->applied()); }

void World::report_indexed() {
  const std::size_t before = sequencer_->resident_streams();
  sequencer_->on_indexed(index_->applied());
  if (sequencer_->resident_streams() < before) trace_.mark("state evicted");
  if (index_->applied() > told_) trace_.mark("indexed before the sequencer knew of the commit");
  trace_.line("indexed " + text(index_->applied()) + ", resident " +
              text(sequencer_->resident_streams()));
}

void World::flush() {
  require(kv_.flush().ok(), "flush fails");
  trace_.line("flush");
}

void World::drain() {
  while (!failed_ && (sequencer_->has_entry() || in_flight_ != nullptr)) {
    if (in_flight_ == nullptr) take();
    append();
  }
  if (failed()) return;
  report_commit();
  project();
  publish();
  report_indexed();
}

// --- Faults
// -----------------------------------------------------------------------------------------

void World::crash(std::uint64_t kv_seed) {
  const std::uint64_t committed = log_->head().next_position;
  if (!failed_ && told_ < committed) trace_.mark("crash between append and on_committed");
  if (in_flight_ != nullptr && !failed_) trace_.mark("crash with an entry in flight");
  sequencer_ = nullptr;
  recorded_clock_ = nullptr;
  projector_ = nullptr;
  index_ = nullptr;
  in_flight_ = nullptr;
  log_ = nullptr;
  disk_.restart();
  kv_.before_write = nullptr;
  kv_.kv.crash(kv_seed);
  Rng rng(kv_seed);
  if (rng.chance(options_.damage_percent)) check_damaged_copies(rng);
  if (rng.chance(options_.damage_percent)) older_disk_ = std::make_unique<SimDisk>(disk_);
  open_log(rng);
  const std::uint64_t head = log_->head().next_position;
  require(head == committed || (failed_ && head == maybe_end_),
          "the log ends at " + text(head) + " after a crash, it had " + text(committed));
  if (failed_)
    trace_.mark(head == committed ? "unknown append was lost" : "unknown append was kept");
  failed_ = projector_failed_ = log_poisoned_ = false;
  trace_.line("crash: " + text(committed) + " committed, " + text(head) + " found");
  model_.truncate(head);
  buckets_.clear();
  // What was closed stays closed; of what was on its way then, only what is left counts.
  for (auto& [time, end] : closed_) {
    end = std::min(end, head);
    if (clock_.now() <= time) trace_.mark("started with the clock behind a closed moment");
  }
  start();
  check_log();
}

void World::restore(std::uint64_t kv_seed) {
  crash(kv_seed);
  raise_generation();
  crash(kv_seed);
}

void World::raise_generation() {
  const auto head = log_->head();
  eventstore::Entry entry;
  entry.kind = eventstore::EntryKind::kGeneration;
  entry.generation = head.generation + 1;
  entry.entry_no = head.entry_count;
  entry.base_position = head.next_position;
  entry.first_recorded_at = entry.last_recorded_at = head.last_recorded_at;
  entry.prev_chain = head.chain;
  require(log_->append(entry) == AppendOutcome::kCommitted, "a generation is not taken");
  trace_.line("generation " + text(entry.generation));
  trace_.mark("restored under the next generation");
}

void World::restart() {
  drain();
  if (failed()) return;
  require(projector_->stop().ok(), "a proper end fails");
  trace_.mark("proper end");
  crash(0);
}

// --- What is looked at
// ------------------------------------------------------------------------------

void World::close_time(std::optional<SimDisk::Fault> fails) {
  const Instant time = clock_.now();
  if (fails) disk_.fail_write(0, *fails);
  const auto end = recorded_clock_->close(time);
  disk_.disarm();
  const bool knew_failure = failed_ || log_poisoned_;
  log_poisoned_ = !log_->failure().ok();
  require(end.ok() || knew_failure || fails, "a moment cannot be closed");
  if (!end.ok() && fails && !knew_failure) trace_.mark("a moment could not be closed");
  if (end.ok()) closed_.emplace_back(time, *end);
  trace_.line(end.ok() ? "close time" : "close time failed");
}

void World::check_log() {
  auto cursor = log_->read(0);
  require(cursor.ok(), "the log cannot be read");
  eventstore::LogHead head;
  std::uint64_t position = 0;
  while (true) {
    auto entry = (*cursor)->next();
    require(entry.ok(), "the log cannot be read");
    if (!*entry) break;
    require(eventstore::check_continues(head, **entry).ok(), "an entry does not follow");
    head = eventstore::head_after(**entry, eventstore::chain_of(**entry));
    auto decoded = eventstore::decode_events(std::move(**entry));
    require(decoded.ok(), "an event cannot be read");
    for (const auto& event : decoded->events) {
      require(position < model_.log().size(), "the log has an event that nobody wrote");
      require(event == model_.log()[position],
              "position " + text(position) +
                  " is not what was decided: " + eventstore::public_json(event) + "\nexpected " +
                  eventstore::public_json(model_.log()[position]));
      ++position;
    }
  }
  require(head == log_->head(), "the log's head is not its end");
  for (const auto& [at, event] : acknowledged_) {
    require(at < position, "an acknowledged event is gone: position " + text(at));
    require(event == model_.log()[at], "an acknowledged event is another: position " + text(at));
  }
  for (const auto& [time, end] : closed_) {
    for (std::uint64_t at = end; at < position; ++at) {
      require(model_.log()[at].recorded_at > time,
              "recorded into a closed moment: position " + text(at));
    }
  }
}

}  // namespace daybook::simulation

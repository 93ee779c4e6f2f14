#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/base/clock.h"
#include "eventstore/log_index.h"
#include "eventstore/memory_kv.h"
#include "eventstore/recorded_clock.h"
#include "eventstore/sequencer.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "tests/simulation/model.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/trace.h"

namespace daybook::simulation {

/// The simulated clock. That it is set back takes no time, and that it is set forward takes as long
/// as that: what waits are measured by follows from the wall clock alone.
class SimClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  SteadyTime steady() const override { return steady_; }
  void set(Instant now) {
    if (now > now_) steady_.micros += now.micros - now_.micros;
    now_ = now;
  }

 private:
  Instant now_{1'767'225'600'000'000};  // 2026-01-01
  SteadyTime steady_;
};

/// A store that calls back before each write: between two tables of a batch is where look-ups meet
/// half of it and where a process may die.
class SimKv final : public eventstore::KvStore {
 public:
  explicit SimKv(std::size_t tables) : kv(tables) {}

  Status write(const eventstore::KvBatch& batch) override {
    if (before_write) {
      if (Status status = before_write(); !status.ok()) return status;
    }
    return kv.write(batch);
  }
  Result<std::optional<std::string>> get(eventstore::Table table,
                                         std::string_view key) const override {
    return kv.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return kv.snapshot(); }
  Status flush() override { return kv.flush(); }
  Status begin_flush() override { return kv.begin_flush(); }
  Status clear(eventstore::Table table) override { return kv.clear(table); }
  Status purge(eventstore::Table table) override { return kv.purge(table); }

  eventstore::MemoryKv kv;
  std::function<Status()> before_write;
};

/// A ledger in one thread: the part that eventstore/ledger.cc and app/node.cc play, one step at a
/// time, with the oracle looking at every step. Steps throw Violation.
class World {
 public:
  struct Options {
    eventstore::SequencerLimits sequencer;
    projections::ProjectorLimits projector;
    bool fills_key_filter = true;  ///< No: it is still being filled, at the end of the run.
    std::uint64_t opening_fault_percent = 0;  ///< How many openings of the log fail on the way.
    std::uint64_t damage_percent = 0;         ///< After how many crashes damaged disks are opened.
  };
  using OnAnswer = std::function<void(const eventstore::Answer&)>;

  World(Options options, Trace& trace);

  // --- The steps of the write side

  eventstore::PreparedCommand look_up(const eventstore::Command& command) const;
  bool wants_more() const { return sequencer_->wants_more(); }
  /// False: the look-ups were too old. `label` names the command in the trace.
  bool offer(eventstore::PreparedCommand& prepared, const std::string& label, OnAnswer on_answer);

  bool can_take() const { return !failed_ && in_flight_ == nullptr && sequencer_->has_entry(); }
  void take();
  bool can_append() const { return !failed_ && in_flight_ != nullptr; }
  /// The write number `nth` of the append (0: the entry, 1: the watermark) fails.
  struct AppendFault {
    std::uint64_t nth = 0;
    SimDisk::Fault fault = SimDisk::Fault::kLost;
  };
  void append(std::optional<AppendFault> fault = std::nullopt);
  bool can_report_commit() const { return !failed_ && told_ < log_->head().next_position; }
  void report_commit();

  // --- The steps of the read side

  /// Where `failing_read` is given, that read of the log fails if there are so many.
  void project(std::optional<std::uint64_t> failing_read = std::nullopt);
  void publish();
  void report_indexed();
  void flush();
  /// Everything decided becomes durable, projected and known.
  void drain();

  // --- Faults

  bool failed() const { return failed_ || projector_failed_; }
  /// Something is left that only another start mends: a moment that could not be closed ends the
  /// server as well, which no command has to notice first.
  bool must_restart() const { return failed() || log_poisoned_; }
  /// The process dies with all its memory and starts again; the seed picks what tables lose.
  void crash(std::uint64_t kv_seed);
  /// The same, and the log goes on under the next generation, as after a restore.
  void restore(std::uint64_t kv_seed);
  /// The process ends properly and starts again.
  void restart();

  // --- What is looked at

  /// The log is the model's, and all that was answered is in it.
  void check_log();
  /// Tables are the fold of the log, and agree with the model. Call with all projected.
  void check_tables();
  /// `fails`: the watermark is not written, and the log takes nothing any more.
  void close_time(std::optional<SimDisk::Fault> fails = std::nullopt);

  SimClock& clock() { return clock_; }
  SimKv& kv() { return kv_; }
  const eventstore::EventLog& log() const { return *log_; }
  const Model& model() const { return model_; }
  std::uint64_t indexed() const { return index_->applied(); }
  std::uint64_t incarnation() const { return incarnation_; }
  std::size_t waiting() const { return sequencer_->waiting(); }

 private:
  struct Bucket {
    std::int64_t credit = 0;
    Instant refilled_at;
  };
  /// One command that the sequencer took.
  struct Taken {
    std::string label;
    Predicted predicted;
    domain::StreamId stream;
    std::uint64_t start = 0;
    Instant now;
    std::uint64_t incarnation = 0;
    bool resolved = false;
    bool limited = false;
    bool answered = false;
  };

  void start();
  void open_log(Rng& rng);
  void check_damaged_copies(Rng& rng) const;
  void check_damaged(SimDisk& disk, const char* what) const;
  void raise_generation();
  void resolve(Taken& taken);
  bool is_limited(const Taken& taken, std::uint64_t written);
  void check_answer(Taken& taken, const eventstore::Answer& answer);
  void check_definite_answer(const Taken& taken, const eventstore::Answer& answer) const;
  void explain_bounce(const eventstore::PreparedCommand& prepared, const std::string& label);
  void mark_prediction(const eventstore::PreparedCommand& prepared, const Taken& taken);
  void check_against_model(const eventstore::KvReader& reader) const;
  void check_against_rebuild(const eventstore::KvReader& reader);

  Options options_;
  Trace& trace_;
  SimClock clock_;
  SimDisk disk_;
  std::unique_ptr<SimDisk> older_disk_;  ///< As it was at some crash before.
  SimKv kv_;
  Model model_;

  std::unique_ptr<eventstore::StoredLog> log_;
  std::unique_ptr<eventstore::LogIndex> index_;
  std::unique_ptr<projections::Projector> projector_;
  std::unique_ptr<eventstore::RecordedClock> recorded_clock_;
  std::unique_ptr<eventstore::Sequencer> sequencer_;
  std::shared_ptr<const eventstore::Entry> in_flight_;
  std::uint64_t told_ = 0;       ///< Up to where the sequencer was told of commits.
  std::uint64_t open_base_ = 0;  ///< Of the entry being filled.
  bool failed_ = false;
  bool projector_failed_ = false;
  std::uint64_t maybe_end_ = 0;  ///< End of an entry whose append answered kUnknown.
  bool log_poisoned_ = false;    ///< A moment could not be closed: nothing is written any more.

  std::uint64_t incarnation_ = 0;
  std::uint64_t born_at_ = 0;  ///< Head of the log when this incarnation began.
  std::map<std::string, Bucket> buckets_;
  std::map<std::uint64_t, domain::RecordedEvent> acknowledged_;
  std::vector<std::pair<Instant, std::uint64_t>> closed_;
};

}  // namespace daybook::simulation

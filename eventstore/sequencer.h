#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/account.h"
#include "domain/tenant.h"
#include "eventstore/command.h"
#include "eventstore/event_log.h"
#include "eventstore/lookups.h"
#include "eventstore/recent_positions.h"
#include "eventstore/refusal_limit.h"
#include "eventstore/resident_streams.h"
#include "eventstore/stable_map.h"
#include "eventstore/tail.h"

namespace daybook::eventstore {

/// Bounds of the sequencer's memory and patience.
struct SequencerLimits {
  // Beyond either of these, the states that were used longest ago are let go, if they are clean.
  std::size_t resident_streams_max = 200'000;
  std::size_t resident_bytes_max = std::size_t{128} << 20;
  // Kept although indexed, for look-ups on their way: no more than either.
  std::uint64_t window_slack_events = 16'384;
  std::size_t window_slack_bytes = std::size_t{16} << 20;
  // Decided, and their answers wait for the log: at either of these nothing more is decided. The
  // bytes are those of answers to what recorded nothing; entries bound the rest.
  std::size_t waiting_commands_max = 65'536;
  std::size_t waiting_bytes_max = std::size_t{64} << 20;
  RefusalLimits refusals;
};

/// Puts commands in order and decides them: dedup, settle what is due, decide, evolve, pack.
///
/// Sans I/O: it reads no clock, waits for nothing and writes nothing. Its owner offers prepared
/// commands, takes sealed entries to the log, and reports what was committed; answers come back
/// through the commands' completions, each only when everything it rests on is durable. States run
/// ahead of the log (speculatively); an append that fails makes this object useless, and a new one
/// is made from the log.
///
/// Thread rule: one thread.
class Sequencer {
 public:
  Sequencer(const LogHead& head, std::uint32_t partition, SequencerLimits limits);

  /// Decides one command. Returns false when its look-ups are too old for the window or lack a
  /// state: look again for `prepared.look_again_for` once the index has everything before
  /// `prepared.look_again_at`, both are set, and offer it again. Otherwise it is answered, now or
  /// when its entry is committed.
  /// REQUIRES: wants_more().
  bool offer(PreparedCommand& prepared, Instant now);

  /// False while the log is behind: a full entry waits to be taken, or as many answers as may. What
  /// records nothing (a command done before, one that is rejected) fills no entry.
  bool wants_more() const {
    return ready_.empty() && waiting_.size() < limits_.waiting_commands_max &&
           waiting_bytes_ < limits_.waiting_bytes_max;
  }
  bool has_entry() const { return !ready_.empty() || open_.count > 0; }

  /// The next entry for the log. REQUIRES: has_entry(), and that the one before was committed or is
  /// being appended.
  std::shared_ptr<const Entry> take_entry();

  /// Everything before `position` is durable: gives out the answers that waited for it.
  void on_committed(std::uint64_t position) {
    note_committed(position);
    give_answers();
  }
  /// The same in two steps, so that the log gets its next entry before the answers are made: they
  /// wait in note_committed and go out in give_answers.
  void note_committed(std::uint64_t position);
  void give_answers();
  /// The store failed: all that wait are answered kUnknown, and so is every later offer.
  void on_failed();

  /// The log index has everything before `position`: the window and clean states may shrink.
  void on_indexed(std::uint64_t position);

  const ResidentStreams& residents() const { return residents_; }
  std::uint64_t next_position() const { return tail_.next_position(); }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t resident_streams() const { return accounts_.size() + tenants_.size(); }
  std::size_t resident_bytes() const { return resident_bytes_; }
  std::size_t window_bytes() const { return tail_.bytes(); }

 private:
  template <class State>
  struct Resident;
  template <class State>
  using Residents = StableMap<Resident<State>>;
  template <class State>
  using Loaded = typename Residents<State>::Entry;
  template <class State>
  using ByUse = std::list<Loaded<State>*>;

  /// A stream's state in memory, ahead of the log by what is not committed yet.
  template <class State>
  struct Resident {
    State state;
    std::uint64_t end_position = 0;  ///< After its last event; 0: none since it was loaded.
    RecentPositions recent;          ///< Of its events since it was loaded.
    // Both are part of resident_bytes_.
    std::size_t counted = 0;  ///< Bytes, as last measured.
    std::size_t grown = 0;    ///< Bytes of its events since then: it has hardly grown by more.
    typename ByUse<State>::iterator place;  ///< In by_use_; an account's only.
  };
  using ResidentAccount = Resident<domain::AccountState>;
  using ResidentTenant = Resident<domain::TenantState>;

  struct Waiting {
    std::uint64_t position;
    std::size_t bytes;
    Completion complete;
    Answer answer;
  };

  template <class State>
  Loaded<State>* load(Residents<State>& streams, std::string_view key,
                      const std::optional<State>& state);
  template <class State>
  void count(Resident<State>& stream);
  // Null if neither memory nor the look-ups have the state.
  ResidentAccount* resident_account(const PreparedCommand& prepared);
  ResidentTenant* resident_tenant(const PreparedCommand& prepared);
  bool has_tenant(const PreparedCommand& prepared) const;

  /// What became of a command whose key an event may carry already.
  enum class Dedup { kNew, kAnswered, kLookAgain };
  Dedup answer_duplicate(PreparedCommand& prepared, std::uint64_t version);
  PlacedEventPtr referenced_by(const PreparedCommand& prepared,
                               const ResidentAccount& account) const;
  PlacedEventPtr latest_reference_for(const PreparedCommand& prepared) const;
  PlacedEventPtr claim_of(const PreparedCommand& prepared) const;
  PlacedEventPtr claimed_top_up(const PreparedCommand& prepared) const;

  bool offer_account_command(PreparedCommand& prepared, Instant now);
  bool offer_tenant_command(PreparedCommand& prepared, Instant now);
  bool answer_early(PreparedCommand& prepared, std::uint64_t version, Instant now);
  /// Records all that is due, in as many decisions as it takes.
  void settle(const Command& command, ResidentAccount& account, const domain::Catalogue& catalogue,
              Instant now);
  void conclude(PreparedCommand& prepared, domain::Outcome outcome, std::uint64_t version);

  /// An event on its way into the open entry.
  struct Draft {
    std::shared_ptr<PlacedEvent> placed = std::make_shared<PlacedEvent>();
    std::vector<LookupKey> keys;  ///< Under which it is found again.
    std::string bytes;            ///< Encoded.

    domain::RecordedEvent& event() { return placed->event; }
  };

  /// Writes the events of a decision and returns the last one, which answers; null, with nothing
  /// changed, if one of them would be larger than kEventBytesMax.
  template <class State>
  PlacedEventPtr record(const PreparedCommand& prepared, Resident<State>& stream,
                        domain::Decision decision, Instant now);
  /// Appends one event to the open entry.
  PlacedEventPtr append(Draft& draft);
  void reject_too_large(PreparedCommand& prepared, std::uint64_t version);
  void answer(PreparedCommand& prepared, Answer answer);
  /// A decision is in one entry as a whole: closes the open one if these do not fit it.
  void make_room(const std::vector<Draft>& drafts);
  std::shared_ptr<const Entry> seal();

  std::uint32_t partition_;
  SequencerLimits limits_;
  bool failed_ = false;

  // The end of what was decided; the log's own head follows.
  std::uint32_t generation_;
  std::uint64_t entry_count_;
  Hash chain_;
  Instant last_recorded_at_;
  std::uint64_t committed_;

  Entry open_;  ///< The entry being filled.
  /// Sealed because they were full, not taken yet: what one command and its settling can fill.
  std::deque<std::shared_ptr<const Entry>> ready_;
  Tail tail_;
  std::uint64_t indexed_ = 0;
  /// Look-ups older than this are too old. One for all: a state that is let go raises it for every
  /// account to where that one's last event ended. To know it for each would take memory for every
  /// account that was ever here; the index has all before the floor, so that whoever comes too
  /// late for a neighbour looks again once and does not wait.
  std::uint64_t floor_;

  Residents<domain::AccountState> accounts_;  ///< By stream_key.
  Residents<domain::TenantState> tenants_;
  ByUse<domain::AccountState> by_use_;  ///< All accounts_, the last used one first.
  ResidentStreams residents_;           ///< Of both.
  std::size_t resident_bytes_ = 0;      ///< Of both, about.
  std::deque<Waiting> waiting_;         ///< By position.
  std::size_t waiting_bytes_ = 0;
  RefusalLimit refusals_;  ///< Apart from the states: letting one go forgives nothing.
};

}  // namespace daybook::eventstore

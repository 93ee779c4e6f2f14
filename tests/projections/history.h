#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "domain/account.h"
#include "domain/base/clock.h"
#include "domain/event.h"
#include "domain/posting_rules.h"
#include "eventstore/event_codec.h"
#include "eventstore/fake_log.h"
#include "eventstore/lookups.h"
#include "eventstore/memory_kv.h"
#include "projections/accounts.h"
#include "projections/all_projections.h"
#include "projections/balances.h"
#include "projections/due.h"
#include "projections/general_ledger.h"
#include "projections/index_rows.h"
#include "projections/projector.h"
#include "projections/tables.h"

namespace daybook::projections {

/// Stands where it is put: the wall clock and the time that waits are measured by, each alone.
class FixedClock final : public Clock {
 public:
  Instant now() const override { return {micros.load()}; }
  SteadyTime steady() const override { return {steady_micros.load()}; }
  std::atomic<std::int64_t> micros{0};
  std::atomic<std::int64_t> steady_micros{0};
};

inline domain::Currency currency(std::string_view code) {
  return domain::Currency::parse(code).value();
}
inline domain::Money money(std::string_view amount, std::string_view code) {
  return {domain::parse_amount(amount).value(), currency(code)};
}

inline constexpr std::int64_t kHour = 3'600'000'000;

/// Events that the real decider gave to random commands on a few accounts of two tenants.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    catalogue_.version = 3;
    catalogue_.currencies.push_back({currency("USD"), domain::parse_amount("25"), std::nullopt,
                                     domain::CurrencyStatus::kActive});
    const auto tenant = domain::StreamId::of_tenant(TenantId("acme"));
    domain::TenantCreated created;
    created.name = "Acme";
    record(tenant, created, now_);
    record(domain::StreamId::partition(TenantId("acme")), domain::CatalogueAdopted{3}, now_);
  }

  /// One random command, settled first as the sequencer does.
  void step() {
    now_.micros += pick(4) == 0 ? 0 : static_cast<std::int64_t>(pick(2 * kHour));
    const TenantId tenant(pick(5) == 0 ? "zeta" : "acme");
    static const std::vector<std::string> kAccounts{"a", "a.b", ":c", "big"};
    const AccountId account(pick(3) == 0 ? kAccounts[pick(4)] : "big");
    run(tenant, account, command(states[domain::StreamId::account(tenant, account)]));
  }

  void run(const TenantId& tenant, const AccountId& account,
           const domain::AccountCommand& command) {
    const auto stream = domain::StreamId::account(tenant, account);
    domain::AccountState& state = states[stream];
    for (auto& event : domain::settle(state, catalogue_, now_)) record(stream, event, now_);
    domain::AccountFacts facts;
    facts.now = now_;
    facts.account = &account;
    facts.catalogue = &catalogue_;
    facts.keyed = pick(2) == 0;
    eventstore::Command envelope{tenant, account, command, {}, {}, 0, {}, {}};
    if (const auto version = eventstore::referenced_version(envelope)) {
      for (const auto& event : events) {
        if (event.stream != stream) continue;
        if (event.version == *version) facts.referenced = &event;
        if (eventstore::reference_of(event.event) == version) facts.latest_reference = &event;
      }
    }
    const auto outcome = domain::decide(command, state, facts);
    const auto* decision = std::get_if<domain::Decision>(&outcome);
    if (decision == nullptr) return;
    for (const auto& event : decision->events) {
      const bool is_late = domain::balance_change_of(event) && pick(3) == 0;
      record(stream, event,
             {now_.micros - (is_late ? static_cast<std::int64_t>(pick(240 * kHour)) : 0)});
    }
  }

  void record(const domain::StreamId& stream, const domain::Event& event, Instant effective_at) {
    domain::RecordedEvent recorded;
    recorded.stream = stream;
    recorded.version = ++versions_[stream];
    recorded.recorded_at = now_;
    recorded.effective_at = effective_at;
    recorded.actor = "system";
    recorded.idempotency_key = pick(2) == 0 ? "k" + std::to_string(events.size()) : "";
    recorded.event = event;
    if (stream.kind == domain::StreamKind::kAccount) domain::evolve(states[stream], recorded);
    events.push_back(std::move(recorded));
  }

  std::uint64_t pick(std::uint64_t bound) { return random_() % bound; }
  Instant now() const { return now_; }
  const domain::Catalogue& catalogue() const { return catalogue_; }

  std::vector<domain::RecordedEvent> events;  ///< Event i has position i.
  std::map<domain::StreamId, domain::AccountState> states;

  /// The account's state folded from nothing up to a version.
  domain::AccountState fold(const domain::StreamId& stream, std::uint64_t version) const {
    domain::AccountState state;
    for (const auto& event : events) {
      if (event.stream == stream && event.version <= version) domain::evolve(state, event);
    }
    return state;
  }

 private:
  domain::Money some_money() {
    static const std::vector<std::string> kCodes{"USD", "EUR", "JPY"};
    const std::string& code = kCodes[pick(4) == 0 ? pick(3) : 0];
    return {domain::Amount{static_cast<int128>(1 + pick(40)) * 1'000'000'000'000}, currency(code)};
  }
  domain::Money signed_money() {
    domain::Money some = some_money();
    if (pick(2) == 0) some.amount.units = -some.amount.units;
    return some;
  }
  domain::EventRef some_ref(const domain::AccountState& state) {
    return {1 + pick(state.version + 1)};
  }
  domain::EventRef some_hold(const domain::AccountState& state) {
    if (state.holds.empty() || pick(8) == 0) return some_ref(state);
    return {state.holds[pick(state.holds.size())].version};
  }
  std::optional<std::string> some_service() {
    return pick(2) == 0 ? std::nullopt : std::optional<std::string>("srv1");
  }
  std::string some_tag() {
    static const std::vector<std::string> kTags{"plan", "auto_credit", "region"};
    return kTags[pick(3)];
  }

  domain::AccountCommand command(const domain::AccountState& state) {
    switch (pick(24)) {
      case 0:
      case 1:
        return domain::OpenAccount{currency("USD"), domain::AccountMode::kPrepaid, {{"plan", "x"}}};
      case 2:
      case 3:
      case 4:
        return domain::TopUp{some_money(), {}, {}, {}};
      case 5:
      case 6:
      case 7:
        return domain::PostCharge{some_money(), domain::Enforcement::kStrict, "c", {}, {}};
      case 8:
        return domain::PostCharge{some_money(), domain::Enforcement::kRecord, {}, {}, {}};
      case 9:
      case 10:
        return domain::PlaceHold{
            some_money(),
            Instant{now_.micros + 1 + static_cast<std::int64_t>(pick(20 * kHour))},
            {},
            {}};
      case 11:
        return domain::PlaceHold{some_money(), {}, {}, {}};
      case 12:
        return domain::CaptureHold{some_hold(state), {}, {}};
      case 13:
        return domain::ReleaseHold{some_hold(state), {}};
      case 14:
        return domain::RefundCharge{some_ref(state), {}, "r"};
      case 15:
        return domain::ReverseTopUp{some_ref(state), {}};
      case 16:
        return domain::PayOutBalance{some_money(), {}};
      case 17:
        return domain::IssueCreditNote{signed_money(), "r"};
      case 18:
        return domain::PostAdjustment{signed_money(), "r", {}};
      case 19:
        return domain::SetCreditLimit{some_money(), "r"};
      case 20:
        return domain::ClearCreditLimit{some_money().currency, {}};
      case 21:
        return domain::SetTag{some_service(), some_tag(), "v" + std::to_string(pick(3)), {}};
      case 22:
        return domain::RemoveTag{some_service(), some_tag()};
      default:
        switch (pick(5)) {
          case 0:
            return domain::FreezeAccount{};
          case 1:
            return domain::UnfreezeAccount{};
          case 2:
            return domain::CloseAccount{};
          case 3:
            return domain::ReopenAccount{};
          default:
            return domain::NoteUsage{};
        }
    }
  }

  std::mt19937_64 random_;
  Instant now_{1'700'000'000'000'000};
  domain::Catalogue catalogue_;
  std::map<domain::StreamId, std::uint64_t> versions_;
};

inline History some_history(std::uint64_t seed, std::size_t steps) {
  History history(seed);
  for (std::size_t i = 0; i < steps; ++i) history.step();
  return history;
}

/// Appends an entry of these events; without events it is one of a new generation.
inline void append_events(eventstore::EventLog& log,
                          const std::vector<domain::RecordedEvent>& events) {
  const eventstore::LogHead head = log.head();
  eventstore::Entry entry;
  entry.kind = events.empty() ? eventstore::EntryKind::kGeneration : eventstore::EntryKind::kEvents;
  entry.generation = head.generation + (events.empty() ? 1 : 0);
  entry.entry_no = head.entry_count;
  entry.base_position = head.next_position;
  entry.prev_chain = head.chain;
  entry.first_recorded_at = events.empty() ? head.last_recorded_at : events.front().recorded_at;
  entry.last_recorded_at = events.empty() ? head.last_recorded_at : events.back().recorded_at;
  entry.count = static_cast<std::uint32_t>(events.size());
  for (const auto& event : events) {
    eventstore::append_event_bytes(entry.body, eventstore::encode_event(event));
  }
  ASSERT_EQ(log.append(entry), eventstore::AppendOutcome::kCommitted);
}

/// Appends events from..to of a history in entries of random size, with entries without events
/// between them.
inline void append_range(eventstore::EventLog& log, const History& history, std::size_t from,
                         std::size_t to, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (from < to) {
    if (random() % 6 == 0) append_events(log, {});
    const std::size_t count = std::min<std::size_t>(to - from, 1 + random() % 9);
    const auto first = history.events.begin() + static_cast<std::ptrdiff_t>(from);
    append_events(log, {first, first + static_cast<std::ptrdiff_t>(count)});
    from += count;
  }
}
inline void append_all(eventstore::EventLog& log, const History& history, std::uint64_t seed) {
  append_range(log, history, 0, history.events.size(), seed);
}

/// Every row of every table, checkpoints included.
using Dump = std::map<std::pair<eventstore::Table, std::string>, std::string>;
inline Dump dump(const eventstore::KvStore& store) {
  Dump rows;
  const auto reader = store.snapshot();
  for (eventstore::Table table = 0; table < kTableCount; ++table) {
    const auto cursor = reader->scan(table, "", "");
    for (; cursor->valid(); cursor->next()) {
      rows[{table, std::string(cursor->key())}] = cursor->value();
    }
  }
  return rows;
}

/// A history in a log and in all tables.
struct Books {
  Books(std::uint64_t seed, std::size_t steps) : history(some_history(seed, steps)) {
    append_all(log, history, seed);
    Projector projector(log, store, clock, all_projections(store));
    const Status status = projector.run_once();
    CHECK(status.ok());
    reader = store.snapshot();
  }

  History history;
  eventstore::FakeLog log;
  eventstore::MemoryKv store{kTableCount};
  FixedClock clock;
  std::unique_ptr<eventstore::KvReader> reader;
};

}  // namespace daybook::projections

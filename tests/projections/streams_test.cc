// The folds over a stream against naive folds of the same events.
#include "projections/streams.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "domain/posting_rules.h"
#include "eventstore/stream_key.h"
#include "tests/projections/history.h"

namespace daybook::projections {
namespace {

using domain::Amount;
using domain::Money;
using domain::StreamId;
using eventstore::PlacedEvent;
using eventstore::PlacedEventPtr;

constexpr StreamTables kTables{kStreamsTable, kStatesTable};
const StreamId kBig = StreamId::account(TenantId("acme"), AccountId("big"));

Books some_books() {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto steps = *rc::gen::inRange<std::size_t>(0, 300);
  return {seed, steps};
}

/// The stream's events with their positions; index i is version i + 1.
std::vector<PlacedEvent> events_of(const History& history, const StreamId& stream) {
  std::vector<PlacedEvent> events;
  for (std::size_t i = 0; i < history.events.size(); ++i) {
    if (history.events[i].stream == stream) events.push_back({history.events[i], i});
  }
  return events;
}

bool same(const PlacedEventPtr& left, const PlacedEvent& right) {
  return left != nullptr && left->position == right.position && left->event == right.event;
}

Instant some_time(const History& history) {
  return {history.now().micros - *rc::gen::inRange<std::int64_t>(-2, 400) * kHour};
}
domain::Currency some_currency() {
  return currency(*rc::gen::element<std::string>("USD", "EUR", "JPY"));
}

RC_GTEST_PROP(StreamReaderTest, events_and_single_reads_give_the_history, ()) {
  const Books books = some_books();
  const auto expected = events_of(books.history, kBig);
  const StreamReader stream(*books.reader, kTables, kBig);
  RC_ASSERT(*stream.last_version() == expected.size());
  RC_ASSERT(*stream.event_at(0) == nullptr);
  RC_ASSERT(*stream.event_at(expected.size() + 1) == nullptr);
  const auto limit = *rc::gen::inRange<std::size_t>(1, 20);
  std::vector<PlacedEventPtr> all;
  while (all.size() < expected.size()) {
    const auto page = stream.events(all.size() + 1, expected.size(), limit);
    RC_ASSERT(page.ok());
    RC_ASSERT(page->size() == std::min(limit, expected.size() - all.size()));
    all.insert(all.end(), page->begin(), page->end());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    RC_ASSERT(same(all[i], expected[i]));
    RC_ASSERT(same(*stream.event_at(i + 1), expected[i]));
  }
}

RC_GTEST_PROP(StreamReaderTest, transactions_are_the_money_rows_newest_first, ()) {
  const Books books = some_books();
  TransactionsQuery query;
  if (*rc::gen::arbitrary<bool>()) query.currency = some_currency();
  query.limit = *rc::gen::inRange<std::size_t>(1, 10);
  query.looked_at_max = *rc::gen::inRange<std::size_t>(1, 30);

  std::vector<PlacedEvent> expected;
  for (const auto& event : events_of(books.history, kBig)) {
    const auto change = domain::balance_change_of(event.event.event);
    if (change && (!query.currency || change->currency == *query.currency)) {
      expected.insert(expected.begin(), event);
    }
  }
  const StreamReader stream(*books.reader, kTables, kBig);
  std::vector<PlacedEventPtr> found;
  for (int calls = 0; calls < 1'000; ++calls) {
    const auto page = stream.transactions(query);
    RC_ASSERT(page.ok());
    RC_ASSERT(page->rows.size() <= query.limit);
    found.insert(found.end(), page->rows.begin(), page->rows.end());
    if (!page->next_before) break;
    RC_ASSERT((!query.before_version || *page->next_before < *query.before_version));
    query.before_version = page->next_before;
  }
  RC_ASSERT(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) RC_ASSERT(same(found[i], expected[i]));
}

RC_GTEST_PROP(StreamReaderTest, a_time_names_the_last_version_recorded_by_then, ()) {
  const Books books = some_books();
  const auto events = events_of(books.history, kBig);
  Instant time = some_time(books.history);
  // Half of the times are exactly those of an event: the bound is included.
  if (!events.empty() && *rc::gen::arbitrary<bool>()) {
    time = events[*rc::gen::inRange<std::size_t>(0, events.size())].event.recorded_at;
  }
  std::uint64_t expected = 0;
  for (const auto& event : events) {
    if (event.event.recorded_at <= time) expected = event.event.version;
  }
  const StreamReader stream(*books.reader, kTables, kBig);
  RC_ASSERT(*stream.version_as_of(time) == expected);
}

RC_GTEST_PROP(StreamReaderTest, a_position_names_the_last_version_up_to_it, ()) {
  const Books books = some_books();
  const auto position = *rc::gen::inRange<std::uint64_t>(0, books.history.events.size() + 2);
  std::uint64_t expected = 0;
  for (const auto& event : events_of(books.history, kBig)) {
    if (event.position <= position) expected = event.event.version;
  }
  const StreamReader stream(*books.reader, kTables, kBig);
  RC_ASSERT(*stream.version_at_position(position) == expected);
}

RC_GTEST_PROP(StreamReaderTest, the_state_at_a_version_is_the_fold_of_its_prefix, ()) {
  const Books books = some_books();
  for (const auto& [id, state] : books.history.states) {
    const auto version = *rc::gen::inRange<std::uint64_t>(0, state.version + 1);
    const StreamReader stream(*books.reader, kTables, id);
    RC_ASSERT(*stream.state_at(version) == books.history.fold(id, version));
  }
}

/// A statement gathered from its pages.
Statement whole_statement(const StreamReader& stream, StatementQuery query) {
  Statement whole;
  for (int calls = 0; calls < 1'000; ++calls) {
    const auto page = stream.statement(query);
    RC_ASSERT(page.ok());
    RC_ASSERT(page->lines.size() <= query.limit);
    RC_ASSERT((calls == 0 || (page->opening == whole.opening && page->closing == whole.closing)));
    whole.opening = page->opening;
    whole.closing = page->closing;
    whole.lines.insert(whole.lines.end(), page->lines.begin(), page->lines.end());
    if (!page->next) return whole;
    query.after = page->next;
  }
  RC_FAIL("the pages do not end");
}

RC_GTEST_PROP(StatementTest, lines_are_the_changes_of_the_period_and_add_up, ()) {
  const Books books = some_books();
  StatementQuery query;
  query.currency = some_currency();
  query.from = some_time(books.history);
  query.to = some_time(books.history);
  if (query.to < query.from) std::swap(query.from, query.to);
  query.limit = *rc::gen::inRange<std::size_t>(1, 12);
  const auto events = events_of(books.history, kBig);
  query.upto_version = *rc::gen::inRange<std::uint64_t>(0, events.size() + 1);

  int128 opening = 0;
  int128 closing = 0;
  std::map<StatementPlace, std::pair<PlacedEvent, int128>> lines;
  for (const auto& event : events) {
    const auto change = domain::balance_change_of(event.event.event);
    if (!change || change->currency != query.currency) continue;
    if (event.event.version > query.upto_version || event.event.effective_at >= query.to) continue;
    closing += change->amount.units;
    if (event.event.effective_at < query.from) {
      opening += change->amount.units;
    } else {
      lines.insert(
          {{event.event.effective_at, event.event.version}, {event, change->amount.units}});
    }
  }
  const StreamReader stream(*books.reader, kTables, kBig);
  const Statement statement = whole_statement(stream, query);
  RC_ASSERT(statement.opening == Amount{opening});
  RC_ASSERT(statement.closing == Amount{closing});
  RC_ASSERT(statement.lines.size() == lines.size());
  int128 balance = opening;
  std::size_t i = 0;
  for (const auto& [place, line] : lines) {
    balance += line.second;
    RC_ASSERT(same(statement.lines[i].event, line.first));
    RC_ASSERT(statement.lines[i].change == Amount{line.second});
    RC_ASSERT(statement.lines[i].balance == Amount{balance});
    ++i;
  }
  RC_ASSERT(balance == closing);
}

RC_GTEST_PROP(StatementTest, each_opening_is_the_closing_before_it, ()) {
  const Books books = some_books();
  const auto events = events_of(books.history, kBig);
  const StreamReader stream(*books.reader, kTables, kBig);
  StatementQuery query;
  query.currency = currency("USD");
  query.upto_version = events.size();
  query.from = {INT64_MIN};
  Amount last_closing;
  for (const std::int64_t hours : {300, 200, 100, 50, 10, 0}) {
    query.to = {books.history.now().micros - hours * kHour};
    const Statement statement = whole_statement(stream, query);
    RC_ASSERT(statement.opening == last_closing);
    last_closing = statement.closing;
    query.from = query.to;
  }
  query.to = {INT64_MAX};
  const Statement rest = whole_statement(stream, query);
  RC_ASSERT(rest.opening == last_closing);
  const auto state = books.history.fold(kBig, events.size());
  RC_ASSERT(rest.closing == domain::balance_of(state, query.currency).balance);
}

RC_GTEST_PROP(StreamReaderTest, the_effective_balance_is_the_sum_of_what_counts_by_then, ()) {
  const Books books = some_books();
  const auto events = events_of(books.history, kBig);
  if (events.empty()) return;
  const auto upto = *rc::gen::inRange<std::uint64_t>(1, events.size() + 1);
  const Instant time = some_time(books.history);
  std::map<std::string, int128> expected;
  bool counts_anything = events.front().event.recorded_at <= time;
  for (const auto& event : events) {
    const auto change = domain::balance_change_of(event.event.event);
    if (!change || event.event.version > upto || event.event.effective_at > time) continue;
    counts_anything = true;
    expected[std::string(change->currency.code())] += change->amount.units;
  }
  const StreamReader stream(*books.reader, kTables, kBig);
  const auto found = stream.balance_effective(time, upto);
  RC_ASSERT(found.ok());
  RC_ASSERT(found->counts_anything == counts_anything);
  RC_ASSERT(!found->sums.empty());
  RC_ASSERT(found->sums.front().currency == currency("USD"));
  for (const Money& sum : found->sums) {
    RC_ASSERT(sum.amount == Amount{expected[std::string(sum.currency.code())]});
    expected.erase(std::string(sum.currency.code()));
  }
  RC_ASSERT(expected.empty());
}

// --- A long stream: snapshots, and rows that went missing
// -------------------------------------------

class LongStreamTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kVersions = 2'600;

  LongStreamTest() : history_(5) {
    history_.run(TenantId("acme"), AccountId("big"),
                 domain::OpenAccount{currency("USD"), domain::AccountMode::kPrepaid, {}});
    while (history_.states[kBig].version < kVersions) {
      history_.run(
          TenantId("acme"), AccountId("big"),
          domain::PostAdjustment{money(history_.pick(2) == 0 ? "3.5" : "-2", "USD"), "r", {}});
    }
    append_all(log_, history_, 5);
    Projector projector(log_, store_, clock_, all_projections(store_));
    CHECK(projector.run_once().ok());
  }

  void erase(eventstore::Table table, std::string key) {
    eventstore::KvBatch batch;
    batch.erase(table, std::move(key));
    CHECK(store_.write(batch).ok());
    reader_ = store_.snapshot();
  }
  void erase_version(std::uint64_t version) {
    erase(kStreamsTable, eventstore::version_key(eventstore::stream_key(kBig), version));
  }
  StreamReader stream() {
    reader_ = store_.snapshot();
    return {*reader_, kTables, kBig};
  }

  History history_;
  eventstore::FakeLog log_;
  eventstore::MemoryKv store_{kTableCount};
  FixedClock clock_;
  std::unique_ptr<eventstore::KvReader> reader_;
};

TEST_F(LongStreamTest, deleting_snapshots_changes_no_answer) {
  const std::vector<std::uint64_t> versions{1, 1'023, 1'024, 1'025, 2'047, 2'048, 2'599, 2'600};
  std::vector<domain::AccountState> states;
  for (const auto version : versions) {
    states.push_back(*stream().state_at(version));
    EXPECT_EQ(states.back(), history_.fold(kBig, version)) << version;
  }
  for (const std::string& key :
       {eventstore::snapshot_key(kBig, 2'048), eventstore::latest_state_key(kBig),
        eventstore::snapshot_key(kBig, 1'024)}) {
    ASSERT_TRUE(store_.get(kStatesTable, key)->has_value());
    erase(kStatesTable, key);
    for (std::size_t i = 0; i < versions.size(); ++i) {
      EXPECT_EQ(*stream().state_at(versions[i]), states[i]) << versions[i];
    }
  }
}

TEST_F(LongStreamTest, a_snapshot_spares_the_reads_before_it) {
  erase_version(1'000);
  EXPECT_EQ(*stream().state_at(2'100), history_.fold(kBig, 2'100));
  EXPECT_EQ(stream().state_at(1'010).status().code(), StatusCode::kCorrupt);
}

TEST_F(LongStreamTest, a_missing_row_is_corrupt_wherever_it_is_needed) {
  erase_version(2'500);
  const StreamReader broken = stream();
  EXPECT_EQ(broken.event_at(2'500).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(broken.events(2'490, 2'600, 50).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(broken.events(2'490, 2'500, 50).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(broken.events(2'500, 2'510, 50).status().code(), StatusCode::kCorrupt);
  TransactionsQuery transactions;
  transactions.limit = 1'000;
  EXPECT_EQ(broken.transactions(transactions).status().code(), StatusCode::kCorrupt);
  StatementQuery statement;
  statement.currency = currency("USD");
  statement.to = {INT64_MAX};
  statement.upto_version = kVersions;
  EXPECT_EQ(broken.statement(statement).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(broken.balance_effective({0}, kVersions).status().code(), StatusCode::kCorrupt);
  EXPECT_TRUE(broken.events(2'501, 2'600, 50).ok());
}

TEST_F(LongStreamTest, a_missing_first_row_is_corrupt_and_not_a_shorter_history) {
  erase_version(1);
  const StreamReader broken = stream();
  EXPECT_EQ(broken.event_at(1).status().code(), StatusCode::kCorrupt);
  TransactionsQuery transactions;
  transactions.limit = 10'000;
  EXPECT_EQ(broken.transactions(transactions).status().code(), StatusCode::kCorrupt);
}

TEST_F(LongStreamTest, a_damaged_row_or_snapshot_is_corrupt) {
  eventstore::KvBatch batch;
  batch.put(kStreamsTable, eventstore::version_key(eventstore::stream_key(kBig), 7), "\x01");
  batch.put(kStatesTable, eventstore::snapshot_key(kBig, 1'024), "\x01");
  ASSERT_TRUE(store_.write(batch).ok());
  EXPECT_EQ(stream().event_at(7).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(stream().events(1, 10, 10).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(stream().state_at(1'100).status().code(), StatusCode::kCorrupt);
}

TEST_F(LongStreamTest, a_snapshot_in_the_place_of_another_is_corrupt) {
  const auto newer = store_.get(kStatesTable, eventstore::snapshot_key(kBig, 2'048));
  eventstore::KvBatch batch;
  batch.put(kStatesTable, eventstore::snapshot_key(kBig, 1'024), newer->value());
  ASSERT_TRUE(store_.write(batch).ok());
  EXPECT_EQ(stream().state_at(1'100).status().code(), StatusCode::kCorrupt);
}

/// A tenant that changes its catalogue all the time, and has two keys.
class LongTenantTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kVersions = 2'100;

  LongTenantTest() {
    record(domain::TenantCreated{"Hosting Ltd", {"k1", {}, {}, {}, std::string(32, 'h')}});
    for (std::uint64_t version = 2; version <= kVersions; ++version) {
      if (version == 1'500) {
        record(domain::ApiKeyCreated{{"k2", {}, {}, {}, std::string(32, 'h')}});
        continue;
      }
      const Money limit{Amount{static_cast<int128>(version)}, currency("EUR")};
      record(domain::CurrencySet{currency("EUR"),
                                 limit,
                                 {},
                                 domain::CurrencyStatus::kActive,
                                 versions_[version - 2].catalogue.version + 1});
    }
    append_events(log_, events_);
    Projector projector(log_, store_, clock_, all_projections(store_));
    CHECK(projector.run_once().ok());
  }
  void record(const domain::Event& event) {
    domain::RecordedEvent& recorded = events_.emplace_back();
    recorded.stream = kTenant;
    recorded.version = events_.size();
    recorded.actor = "system";
    recorded.event = event;
    versions_.push_back(versions_.empty() ? domain::TenantState{} : versions_.back());
    domain::evolve(versions_.back(), recorded);
  }
  const domain::TenantState& state(std::uint64_t version) const { return versions_[version - 1]; }
  void erase(eventstore::Table table, std::string key) {
    eventstore::KvBatch batch;
    batch.erase(table, std::move(key));
    CHECK(store_.write(batch).ok());
  }
  StreamReader stream() {
    reader_ = store_.snapshot();
    return {*reader_, kTables, kTenant};
  }

  const StreamId kTenant = StreamId::of_tenant(TenantId("acme"));
  std::vector<domain::RecordedEvent> events_;
  std::vector<domain::TenantState> versions_;
  eventstore::FakeLog log_;
  eventstore::MemoryKv store_{kTableCount};
  FixedClock clock_;
  std::unique_ptr<eventstore::KvReader> reader_;
};

TEST_F(LongTenantTest, its_past_is_what_it_was) {
  for (const std::uint64_t version :
       {1U, 2U, 1'023U, 1'024U, 1'025U, 1'499U, 1'500U, 1'501U, 2'100U}) {
    EXPECT_EQ(*stream().tenant_at(version), state(version)) << version;
    const auto terms = stream().terms_at(version);
    ASSERT_TRUE(terms.ok());
    EXPECT_EQ(terms->version, version);
    EXPECT_EQ(terms->name, "Hosting Ltd");
    EXPECT_EQ(terms->catalogue, state(version).catalogue) << version;
  }
  EXPECT_EQ(stream().tenant_at(0)->version, 0U);
  EXPECT_EQ(stream().terms_at(0)->version, 0U);
}

TEST_F(LongTenantTest, a_snapshot_spares_the_reads_before_it) {
  erase(kStreamsTable, eventstore::version_key(eventstore::stream_key(kTenant), 1'000));
  EXPECT_EQ(*stream().tenant_at(1'030), state(1'030));
  EXPECT_EQ(stream().tenant_at(1'010).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(stream().terms_at(1'010)->catalogue, state(1'010).catalogue);
  erase(kStatesTable, eventstore::snapshot_key(kTenant, 1'024));
  EXPECT_EQ(stream().tenant_at(1'030).status().code(), StatusCode::kCorrupt);
}

TEST_F(LongTenantTest, a_row_of_terms_in_the_place_of_another_is_corrupt) {
  const auto other = store_.get(kStatesTable, eventstore::terms_key(kTenant, 7));
  eventstore::KvBatch batch;
  batch.put(kStatesTable, eventstore::terms_key(kTenant, 8), other->value());
  ASSERT_TRUE(store_.write(batch).ok());
  EXPECT_EQ(stream().terms_at(8).status().code(), StatusCode::kCorrupt);
}

TEST(StreamReaderTest, an_unknown_stream_is_empty) {
  const Books books(3, 30);
  const StreamReader stream(*books.reader, kTables,
                            StreamId::account(TenantId("acme"), AccountId("nobody")));
  EXPECT_EQ(*stream.last_version(), 0U);
  EXPECT_EQ(*stream.version_as_of({INT64_MAX}), 0U);
  EXPECT_EQ(stream.state_at(0)->version, 0U);
  EXPECT_TRUE(stream.transactions({})->rows.empty());
}

}  // namespace
}  // namespace daybook::projections

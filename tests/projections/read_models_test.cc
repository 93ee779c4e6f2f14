// Each read model against a naive fold of the same events.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "domain/account.h"
#include "domain/posting_rules.h"
#include "projections/balance_view.h"
#include "tests/projections/history.h"

namespace daybook::projections {
namespace {

using domain::AccountStatus;
using domain::Amount;
using domain::LedgerAccount;
using domain::StreamId;

Books some_books() {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto steps = *rc::gen::inRange<std::size_t>(0, 250);
  return {seed, steps};
}

RC_GTEST_PROP(BalancesTest, rows_equal_the_folded_state_of_every_account, ()) {
  const Books books = some_books();
  for (const auto& [stream, state] : books.history.states) {
    const auto rows =
        balances_of(*books.reader, kBalancesTable, stream.tenant, AccountId(stream.id));
    RC_ASSERT(rows.ok());
    std::vector<domain::CurrencyBalance> balances;
    for (const auto& row : *rows) balances.push_back(row.balance);
    RC_ASSERT(balances == state.balances);
    for (const auto& row : *rows) {
      const auto& event = books.history.events.at(row.position);
      RC_ASSERT(event.stream == stream);
      RC_ASSERT(event.version >= row.first_version);
    }
    const auto of_rows = balance_views(*rows, books.history.catalogue());
    const auto of_state = balance_views(state, books.history.catalogue());
    RC_ASSERT(of_rows == of_state);
  }
}

TEST(BalancesTest, an_unknown_account_has_no_balance) {
  const Books books(1, 50);
  const auto rows = balances_of(*books.reader, kBalancesTable, TenantId("acme"), AccountId("bi"));
  ASSERT_TRUE(rows.ok());
  EXPECT_TRUE(rows->empty());
}

TEST(BalancesTest, a_damaged_row_is_corrupt_and_not_an_empty_success) {
  Books books(1, 50);
  eventstore::KvBatch batch;
  batch.put(kBalancesTable, std::string("acme\0big\0USD", 12), "\x01");
  ASSERT_TRUE(books.store.write(batch).ok());
  const auto rows =
      balances_of(*books.store.snapshot(), kBalancesTable, TenantId("acme"), AccountId("big"));
  EXPECT_EQ(rows.status().code(), StatusCode::kCorrupt);
}

TEST(BalanceViewTest, a_balance_below_zero_is_credit_in_use) {
  domain::Catalogue catalogue;
  catalogue.currencies.push_back({currency("RUB"), domain::parse_amount("500"), std::nullopt,
                                  domain::CurrencyStatus::kActive});
  const auto view = balance_view(
      {currency("RUB"), *domain::parse_amount("-250"), *domain::parse_amount("100"), {}},
      catalogue);
  EXPECT_EQ(view.balance, *domain::parse_amount("-250"));
  EXPECT_EQ(view.shown_balance, Amount{});
  EXPECT_EQ(view.credit_used, *domain::parse_amount("250"));
  EXPECT_EQ(view.credit_limit, *domain::parse_amount("500"));
  EXPECT_EQ(view.credit_limit_source, domain::CreditLimitSource::kCurrencyDefault);
  EXPECT_EQ(view.held, *domain::parse_amount("100"));
  EXPECT_EQ(view.available, *domain::parse_amount("150"));
}

TEST(BalanceViewTest, available_is_never_shown_below_zero) {
  const auto view = balance_view(
      {currency("RUB"), *domain::parse_amount("-250"), {}, *domain::parse_amount("100")}, {});
  EXPECT_EQ(view.credit_limit_source, domain::CreditLimitSource::kAccount);
  EXPECT_EQ(view.available, Amount{});
}

TEST(BalanceViewTest, the_largest_balance_with_the_largest_limit_can_be_shown) {
  const Amount most = *domain::parse_amount("99999999999999999999999999.999999999999");
  const Amount limit = *domain::parse_amount("9999999999999999999999999.999999999999");
  EXPECT_EQ(to_text(balance_view({currency("USD"), most, {}, limit}, {}).available, 2),
            "109999999999999999999999999.999999999998");
}

TEST(BalanceViewTest, a_sum_that_no_decision_allows_ends_at_the_largest_amount) {
  const Amount most{kInt128Max};
  EXPECT_EQ(balance_view({currency("USD"), most, {}, most}, {}).available, most);
  EXPECT_EQ(balance_view({currency("USD"), Amount{-most.units}, most, {}}, {}).available, Amount{});
}

AccountRow expected_row(const domain::AccountState& state, std::uint64_t position) {
  AccountRow row{state.currency,  state.mode, state.status, state.version,
                 state.opened_at, {},         position};
  for (const auto& tag : state.tags) row.tags.push_back({tag.service, tag.name, tag.value});
  return row;
}

RC_GTEST_PROP(AccountsTest, rows_equal_the_folded_state_of_every_account, ()) {
  const Books books = some_books();
  std::map<StreamId, std::uint64_t> positions;
  for (std::size_t i = 0; i < books.history.events.size(); ++i) {
    positions[books.history.events[i].stream] = i;
  }
  for (const auto& [stream, state] : books.history.states) {
    const auto row = account_of(*books.reader, kAccountsTable, stream.tenant, AccountId(stream.id));
    RC_ASSERT(row.ok());
    RC_ASSERT(row->has_value() == (state.version > 0));
    if (state.version > 0) RC_ASSERT(**row == expected_row(state, positions[stream]));
  }
}

RC_GTEST_PROP(AccountsTest, pages_joined_are_the_filtered_list_in_order_of_ids, ()) {
  const Books books = some_books();
  AccountFilter filter;
  if (*rc::gen::arbitrary<bool>()) filter.status = AccountStatus::kOpen;
  if (*rc::gen::arbitrary<bool>()) filter.tags.push_back({"plan", "x"});
  const auto limit = *rc::gen::inRange<std::size_t>(1, 4);
  const auto looked_at_max = *rc::gen::inRange<std::size_t>(1, 5);

  std::vector<std::string> expected;
  for (const auto& [stream, state] : books.history.states) {
    if (stream.tenant != TenantId("acme") || state.version == 0) continue;
    if (filter.status && state.status != *filter.status) continue;
    const bool has_tag = std::any_of(state.tags.begin(), state.tags.end(), [](const auto& tag) {
      return !tag.service && tag.name == "plan" && tag.value == "x";
    });
    if (!filter.tags.empty() && !has_tag) continue;
    expected.push_back(stream.id);
  }
  std::sort(expected.begin(), expected.end());

  std::vector<std::string> listed;
  std::optional<AccountId> after;
  for (int calls = 0; calls < 20; ++calls) {
    const auto page = list_accounts(*books.reader, kAccountsTable, TenantId("acme"), filter, after,
                                    limit, looked_at_max);
    RC_ASSERT(page.ok());
    RC_ASSERT(page->rows.size() <= limit);
    for (const auto& [id, row] : page->rows) listed.push_back(id.value());
    after = page->next;
    if (!after) break;
  }
  RC_ASSERT(!after);
  RC_ASSERT(listed == expected);
}

TEST(AccountsTest, the_last_full_page_says_that_there_is_no_more) {
  History history(1);
  for (const char* id : {"a", "b", "c", "d"}) {
    history.run(TenantId("acme"), AccountId(id),
                domain::OpenAccount{currency("USD"), domain::AccountMode::kPostpaid, {}});
  }
  eventstore::FakeLog log;
  eventstore::MemoryKv store(kTableCount);
  FixedClock clock;
  append_all(log, history, 1);
  Projector projector(log, store, clock, all_projections(store));
  ASSERT_TRUE(projector.run_once().ok());
  const auto reader = store.snapshot();
  const auto first = list_accounts(*reader, kAccountsTable, TenantId("acme"), {}, std::nullopt, 2);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->next, AccountId("b"));
  EXPECT_EQ(first->rows[0].second.mode, domain::AccountMode::kPostpaid);
  const auto second = list_accounts(*reader, kAccountsTable, TenantId("acme"), {}, first->next, 2);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->rows.size(), 2U);
  EXPECT_EQ(second->rows[1].first, AccountId("d"));
  EXPECT_EQ(second->next, std::nullopt);
}

RC_GTEST_PROP(DueTest, what_is_due_are_the_open_holds_with_an_expiry_in_order, ()) {
  const Books books = some_books();
  std::vector<std::tuple<Instant, std::string, std::uint64_t>> expected;
  const Instant time{books.history.now().micros + *rc::gen::inRange<std::int64_t>(-20, 20) * kHour};
  for (const auto& [stream, state] : books.history.states) {
    for (const auto& hold : state.holds) {
      if (!hold.expires_at || *hold.expires_at > time) continue;
      expected.emplace_back(*hold.expires_at, stream.tenant.value() + "/" + stream.id,
                            hold.version);
    }
  }
  std::sort(expected.begin(), expected.end());
  const auto due = due_by(*books.reader, kDueTable, time, 1'000);
  RC_ASSERT(due.ok());
  std::vector<std::tuple<Instant, std::string, std::uint64_t>> found;
  for (const auto& hold : *due) {
    RC_ASSERT(hold.stream.kind == domain::StreamKind::kAccount);
    found.emplace_back(hold.due_at, hold.stream.tenant.value() + "/" + hold.stream.id,
                       hold.hold_version);
  }
  RC_ASSERT(std::is_sorted(found.begin(), found.end(), [](const auto& left, const auto& right) {
    return std::get<Instant>(left) < std::get<Instant>(right);
  }));
  std::sort(found.begin(), found.end());
  RC_ASSERT(found == expected);
}

TEST(DueTest, the_limit_gives_the_earliest_ones_and_the_bound_is_included) {
  History history(1);
  history.run(TenantId("acme"), AccountId("a"),
              domain::OpenAccount{currency("USD"), domain::AccountMode::kPrepaid, {}});
  const auto place = [&](std::int64_t in_micros) {
    history.run(
        TenantId("acme"), AccountId("a"),
        domain::PlaceHold{money("1", "USD"), Instant{history.now().micros + in_micros}, {}, {}});
  };
  place(300);
  place(100);
  place(200);
  eventstore::FakeLog log;
  eventstore::MemoryKv store(kTableCount);
  FixedClock clock;
  append_all(log, history, 1);
  Projector projector(log, store, clock, all_projections(store));
  ASSERT_TRUE(projector.run_once().ok());
  const auto reader = store.snapshot();
  const auto next = due_by(*reader, kDueTable, Instant{INT64_MAX}, 1);
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(next->size(), 1U);
  EXPECT_EQ(next->front().hold_version, 3U);
  EXPECT_EQ(due_by(*reader, kDueTable, Instant{history.now().micros + 199}, 9)->size(), 1U);
  EXPECT_EQ(due_by(*reader, kDueTable, Instant{history.now().micros + 200}, 9)->size(), 2U);
}

TEST(DueTest, no_row_is_left_when_all_holds_have_ended) {
  History history = some_history(7, 400);
  for (auto& [stream, state] : history.states) {
    while (!state.holds.empty()) {
      history.run(stream.tenant, AccountId(stream.id),
                  domain::ReleaseHold{{state.holds.front().version}, {}});
    }
  }
  eventstore::FakeLog log;
  eventstore::MemoryKv store(kTableCount);
  FixedClock clock;
  append_all(log, history, 1);
  ProjectorLimits limits;
  limits.batch_events = 20;
  Projector projector(log, store, clock, all_projections(store), limits);
  ASSERT_TRUE(projector.run_once().ok());
  const auto reader = store.snapshot();
  const auto cursor = reader->scan(kDueTable, "\1", "");
  EXPECT_FALSE(cursor->valid());
}

RC_GTEST_PROP(GeneralLedgerTest, totals_equal_the_postings_and_sum_to_zero_per_currency, ()) {
  const Books books = some_books();
  const std::int64_t today = utc_day_of(books.history.now());
  DayRange days;
  if (*rc::gen::arbitrary<bool>()) days.first = today - *rc::gen::inRange(0, 20);
  if (*rc::gen::arbitrary<bool>()) days.last = today - *rc::gen::inRange(0, 20);

  using Sums = std::map<std::pair<LedgerAccount, std::string>, std::pair<int128, int128>>;
  Sums expected;
  Sums opening;
  for (const auto& event : books.history.events) {
    if (event.stream.tenant != TenantId("acme")) continue;
    const std::int64_t day = utc_day_of(event.effective_at);
    if (days.last && day > *days.last) continue;
    const bool is_before = days.first && day < *days.first;
    for (const auto& posting : domain::postings_of(event.event, event.rules_version)) {
      const std::pair key{posting.account, std::string(posting.amount.currency.code())};
      (is_before ? expected : opening)[key];  // An account is shown whole.
      auto& [debits, credits] = (is_before ? opening : expected)[key];
      const int128 units = posting.amount.amount.units;
      (units < 0 ? credits : debits) += units < 0 ? -units : units;
    }
  }
  const auto balance = trial_balance(*books.reader, kGeneralLedgerTable, TenantId("acme"), days);
  RC_ASSERT(balance.ok());
  Sums found;
  Sums found_opening;
  for (const auto& total : balance->accounts) {
    RC_ASSERT((total.sums.debits.units.high == 0 && total.sums.credits.units.high == 0));
    found[{total.account, std::string(total.currency.code())}] = {
        static_cast<int128>(total.sums.debits.units.low),
        static_cast<int128>(total.sums.credits.units.low)};
    found_opening[{total.account, std::string(total.currency.code())}] = {
        static_cast<int128>(total.opening.debits.units.low),
        static_cast<int128>(total.opening.credits.units.low)};
  }
  RC_ASSERT(found == expected);
  RC_ASSERT(found_opening == opening);
  std::set<std::string> currencies;
  for (const auto& [key, sums] : expected) currencies.insert(key.second);
  RC_ASSERT(balance->currencies.size() == currencies.size());
  for (const auto& total : balance->currencies) {
    RC_ASSERT(total.is_balanced());
    RC_ASSERT(total.opening.debits == total.opening.credits);
  }
}

TEST(GeneralLedgerTest, sums_beyond_128_bits_stay_exact_and_do_not_stop_the_books) {
  History history(1);
  const std::string most(26, '9');
  for (const char* id : {"a", "b", "c"}) {
    history.run(TenantId("acme"), AccountId(id),
                domain::OpenAccount{currency("USD"), domain::AccountMode::kPrepaid, {}});
    history.run(TenantId("acme"), AccountId(id),
                domain::PostAdjustment{money("-" + most, "USD"), "r", {}});
  }
  eventstore::FakeLog log;
  eventstore::MemoryKv store(kTableCount);
  FixedClock clock;
  append_all(log, history, 1);
  Projector projector(log, store, clock, all_projections(store));
  ASSERT_TRUE(projector.run_once().ok());
  const auto balance = trial_balance(*store.snapshot(), kGeneralLedgerTable, TenantId("acme"));
  ASSERT_TRUE(balance.ok());
  ASSERT_EQ(balance->currencies.size(), 1U);
  EXPECT_TRUE(balance->currencies[0].is_balanced());
  EXPECT_EQ(to_text(balance->currencies[0].sums.debits, 2), "299999999999999999999999997.00");
}

RC_GTEST_PROP(WideSumTest, text_is_that_of_an_amount_where_one_fits,
              (std::int64_t high, std::uint64_t low)) {
  const int128 units = (static_cast<int128>(high) << 63) + static_cast<int128>(low);
  const Amount amount{units < 0 ? -units : units};
  const int decimals = *rc::gen::inRange(0, 13);
  WideSum sum;
  sum.add(static_cast<uint128>(amount.units));
  RC_ASSERT(to_text(sum, decimals) == domain::to_text(amount, decimals));
}

TEST(WideSumTest, a_carry_goes_into_the_upper_half_and_comes_back) {
  WideSum sum;
  sum.add(~uint128{0});
  WideSum one;
  one.add(1);
  sum.add(one);
  EXPECT_TRUE(sum.units.high == 1 && sum.units.low == 0);
  const WideSum back = difference(sum, one);
  EXPECT_TRUE(back.units.high == 0 && back.units.low == ~uint128{0});
  EXPECT_EQ(to_text(sum, 0), "340282366920938463463374607.431768211456");
}

}  // namespace
}  // namespace daybook::projections

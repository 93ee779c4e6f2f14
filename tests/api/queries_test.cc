#include "api/queries.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/api/read_rig.h"

namespace daybook::api {
namespace {

const TenantId kTenant("acme");
const AccountId kAccount("a");

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() {
    rig_.record_tenant(kTenant);
    rig_.record_account(kTenant, kAccount.value());
  }
  HttpResponse get(Operation operation, const std::string& query = "",
                   const ReadPoint& point = {}) {
    ReadRequest request;
    request.operation = operation;
    request.params["account"] = kAccount.value();
    request.query = std::get<QueryParams>(QueryParams::parse(query, query_names(operation)));
    request.point = point;
    request.principal.tenant = kTenant;
    request.request_id = "r";
    return run_query(request, rig_.sources);
  }
  void record(const domain::Event& event) {
    rig_.record(domain::StreamId::account(kTenant, kAccount), event);
  }
  /// As run_query() needs it: the next page's cursor.
  static std::string next_of(const std::string& body) {
    const std::string name = R"("next":")";
    const std::size_t at = body.find(name);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size();
    return body.substr(begin, body.find('"', begin) - begin);
  }
  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++found;
    }
    return found;
  }

  ReadRig rig_;
};

TEST_F(QueriesTest, pages_of_tags_lose_none_whatever_sorts_below_a_slash) {
  const std::vector<std::string> services{"a", "a-b", "a.b", "a+b", "b"};
  domain::TagSet own;
  own.tag = "own";
  record(own);
  for (const auto& service : services) {
    domain::TagSet set;
    set.service = service;
    set.tag = "vip";
    set.value = "1";
    record(set);
  }
  rig_.commit();
  for (const std::string limit : {"1", "2", "5", "6"}) {
    std::string rows;
    std::string query = "limit=" + limit;
    for (int page = 0; page < 9 && !query.empty(); ++page) {
      const HttpResponse response = get(Operation::kListTags, query);
      ASSERT_EQ(response.status, 200) << response.body;
      rows += response.body;
      const std::string next = next_of(response.body);
      query = next.empty() ? "" : "limit=" + limit + "&cursor=" + next;
    }
    EXPECT_EQ(count(rows, R"("tag":"own")"), 1U) << limit;
    EXPECT_EQ(count(rows, R"("tag":"vip")"), services.size()) << limit;
    for (const auto& service : services) {
      EXPECT_EQ(count(rows, R"("service":")" + service + "\""), 1U) << limit;
    }
  }
}

TEST_F(QueriesTest, a_private_value_that_is_damaged_is_an_error_and_not_one_that_was_erased) {
  const auto extra = rig_.private_store.put(kTenant, kAccount, "Ann");
  ASSERT_TRUE(extra.ok());
  domain::TagSet set;
  set.tag = "contact";
  set.value = "1";
  set.extra = *extra;
  record(set);
  rig_.commit();
  EXPECT_EQ(count(get(Operation::kGetAccount).body, R"("extra":"Ann")"), 1U);
  const auto cursor = rig_.private_rows.snapshot()->scan(eventstore::PrivateStore::kValues, "", "");
  ASSERT_TRUE(cursor->valid());
  eventstore::KvBatch batch;
  batch.put(eventstore::PrivateStore::kValues, std::string(cursor->key()), "damaged");
  ASSERT_TRUE(rig_.private_rows.write(batch).ok());
  for (const Operation operation : {Operation::kGetAccount, Operation::kListTags}) {
    const HttpResponse response = get(operation);
    EXPECT_EQ(response.status, 503) << response.body;
    EXPECT_EQ(count(response.body, "storage-degraded"), 1U);
  }
}

TEST_F(QueriesTest, what_counts_before_the_opening_counts_also_where_it_sums_to_zero) {
  rig_.clock.micros = 1'000'000;
  const Instant early{1'000};
  ReadPoint point;
  point.effective_at = early;
  rig_.record_account(kTenant, "b");
  rig_.commit();
  EXPECT_EQ(get(Operation::kGetBalance).status, 200);

  const AccountId later("b");
  const auto balance_then = [&] {
    ReadRequest request;
    request.operation = Operation::kGetBalance;
    request.params["account"] = later.value();
    request.point = point;
    request.principal.tenant = kTenant;
    return run_query(request, rig_.sources).status;
  };
  EXPECT_EQ(balance_then(), 404);
  for (const char* amount : {"5", "-5"}) {
    domain::AdjustmentPosted adjusted;
    adjusted.amount = projections::money(amount, "USD");
    adjusted.reason = "r";
    adjusted.balance_after = projections::money(amount[0] == '5' ? "5" : "0", "USD");
    adjusted.available_after = adjusted.balance_after;
    rig_.record(domain::StreamId::account(kTenant, later), adjusted);
    rig_.pending.back().effective_at = early;
  }
  rig_.commit();
  EXPECT_EQ(balance_then(), 200);
}

TEST_F(QueriesTest, only_the_list_of_keys_reads_the_keys) {
  rig_.commit();
  eventstore::KvBatch batch;
  const auto tenant = domain::StreamId::of_tenant(kTenant);
  batch.put(projections::kStatesTable, eventstore::latest_state_key(tenant), "no state");
  ASSERT_TRUE(rig_.rows.write(batch).ok());
  ReadPoint past;
  past.as_of_position = 1;
  for (const auto operation : {Operation::kGetBalance, Operation::kGetSettings,
                               Operation::kListCurrencies, Operation::kListAccounts}) {
    EXPECT_EQ(get(operation).status, 200) << static_cast<int>(operation);
    EXPECT_EQ(get(operation, "", past).status, 200) << static_cast<int>(operation);
  }
  EXPECT_EQ(get(Operation::kListKeys).status, 503);
}

TEST_F(QueriesTest, a_filter_by_a_name_that_no_tag_can_have_is_422) {
  rig_.commit();
  for (const std::string& query : {std::string("tag[bad%20name!]=x"), std::string("tag[]=x"),
                                   "tag[a]=" + std::string(257, 'v')}) {
    const HttpResponse response = get(Operation::kListAccounts, query);
    EXPECT_EQ(response.status, 422) << query;
    EXPECT_EQ(count(response.body, "\"parameter\":\"tag["), 1U) << response.body;
  }
  EXPECT_EQ(get(Operation::kListAccounts, "tag[vip]=x").status, 200);
}

}  // namespace
}  // namespace daybook::api

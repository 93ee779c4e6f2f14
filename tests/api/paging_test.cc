#include "api/paging.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "api/queries.h"

namespace daybook::api {
namespace {

class PagingTest : public ::testing::Test {
 protected:
  static ReadRequest list(Operation operation, const std::string& query = "") {
    ReadRequest request;
    request.operation = operation;
    request.principal.tenant = TenantId("main");
    request.request_id = "r";
    request.query = std::get<QueryParams>(QueryParams::parse(query, query_names(operation)));
    return request;
  }
  std::variant<ReadRequest, HttpResponse> follow(const ReadRequest& request,
                                                 const std::string& cursor) const {
    return follow_cursor(request, cursors_, cursor);
  }
  static int status_of(const std::variant<ReadRequest, HttpResponse>& outcome) {
    const auto* refusal = std::get_if<HttpResponse>(&outcome);
    return refusal == nullptr ? 200 : refusal->status;
  }

  CursorCodec cursors_{"secret"};
};

TEST_F(PagingTest, a_cursor_pins_its_position_and_says_where_to_go_on) {
  const ReadRequest request = list(Operation::kListAccounts, "status=open");
  const auto outcome = follow(request, next_cursor(request, cursors_, 17, {"acme"}));
  ASSERT_EQ(status_of(outcome), 200);
  const auto& pinned = std::get<ReadRequest>(outcome);
  EXPECT_EQ(pinned.point.pin, 17U);
  EXPECT_TRUE(pinned.point.is_past());
  EXPECT_EQ(pinned.place, std::vector<std::string>{"acme"});
}

TEST_F(PagingTest, a_cursor_of_another_generation_is_gone) {
  ReadRequest request = list(Operation::kListKeys);
  const std::string cursor = next_cursor(request, cursors_, 17, {"2"});
  request.generation = 1;
  const auto outcome = follow(request, cursor);
  ASSERT_EQ(status_of(outcome), 410);
  EXPECT_NE(std::get<HttpResponse>(outcome).body.find("/gone\""), std::string::npos);
}

TEST_F(PagingTest, a_cursor_is_bad_on_another_list_tenant_or_filter_and_good_at_another_limit) {
  const ReadRequest request = list(Operation::kListAccounts, "tag[env]=prod&limit=2");
  const std::string cursor = next_cursor(request, cursors_, 17, {"acme"});
  EXPECT_EQ(status_of(follow(list(Operation::kListAccounts, "tag[env]=prod&limit=7"), cursor)),
            200);
  EXPECT_EQ(status_of(follow(list(Operation::kListAccounts, "tag[env]=test"), cursor)), 400);
  EXPECT_EQ(status_of(follow(list(Operation::kListAccounts), cursor)), 400);
  EXPECT_EQ(status_of(follow(list(Operation::kListKeys), cursor)), 400);
  ReadRequest other = request;
  other.principal.tenant = TenantId("other");
  EXPECT_EQ(status_of(follow(other, cursor)), 400);
}

TEST_F(PagingTest, a_changed_or_foreign_cursor_is_bad) {
  const ReadRequest request = list(Operation::kListAccounts);
  std::string cursor = next_cursor(request, cursors_, 17, {"acme"});
  for (const std::string text : {"", "x", "0:17", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_EQ(status_of(follow(request, text)), 400) << text;
  }
  cursor.back() = cursor.back() == 'A' ? 'E' : 'A';
  EXPECT_EQ(status_of(follow(request, cursor)), 400);
  EXPECT_EQ(status_of(follow(request, next_cursor(request, CursorCodec("else"), 17, {"acme"}))),
            400);
}

}  // namespace
}  // namespace daybook::api

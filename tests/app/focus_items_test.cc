#include "app/focus_items.h"

#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "api/json_reader.h"
#include "domain/account.h"

namespace daybook::app {
namespace {

api::FocusRow row_of(const std::string& cost) {
  api::FocusRow row;
  row.line = 7;
  row.account_id = "acme";
  row.original_account_id = "acme";
  row.currency = *domain::Currency::parse("USD");
  row.cost = *domain::parse_amount(cost);
  row.charge_period_start = *parse_rfc3339("2024-09-18T22:00:00Z");
  row.description = "hours";
  row.service_name = "Queue service";
  row.attributes = {{"BillingAccountId", "acme"}, {"ChargeCategory", "Usage"}, {"tag.env", "prod"}};
  row.key = "focus:00:1";
  return row;
}

template <class Kind>
Kind command_in(const ImportItem& item) {
  auto read = command_of(item, TenantId("main"));
  auto* body = std::get_if<api::CommandBody>(&read);
  EXPECT_NE(body, nullptr);
  return std::get<Kind>(std::get<domain::AccountCommand>(body->body));
}

TEST(FocusItemsTest, a_cost_is_a_charge_that_is_always_booked) {
  const ImportItem item = item_of(row_of("0.00000080000"));
  EXPECT_EQ(item.path, "/v1/accounts/acme/charges");
  EXPECT_EQ(item.idempotency_key, "focus:00:1");
  const auto charge = command_in<domain::PostCharge>(item);
  EXPECT_EQ(to_text(charge.amount), "0.0000008");
  EXPECT_EQ(charge.enforce, domain::Enforcement::kRecord);
  EXPECT_EQ(charge.description, "hours");
  const domain::Attributes expected = {{"BillingAccountId", "acme"},
                                       {"ChargeCategory", "Usage"},
                                       {"ServiceName", "Queue service"},
                                       {"tag.env", "prod"}};
  EXPECT_EQ(charge.attributes, expected);
}

TEST(FocusItemsTest, a_negative_cost_gives_the_money_back_and_says_why) {
  const ImportItem item = item_of(row_of("-0.5"));
  EXPECT_EQ(item.path, "/v1/accounts/acme/adjustments");
  const auto adjustment = command_in<domain::PostAdjustment>(item);
  EXPECT_EQ(to_text(adjustment.amount), "0.50");
  EXPECT_EQ(adjustment.reason, "Usage: hours");
}

TEST(FocusItemsTest, the_reason_prefers_the_class_and_is_never_empty) {
  api::FocusRow row = row_of("-1");
  row.attributes.push_back({"ChargeClass", "Correction"});
  EXPECT_EQ(command_in<domain::PostAdjustment>(item_of(row)).reason, "Correction: hours");
  row.attributes.clear();
  row.description.clear();
  EXPECT_EQ(command_in<domain::PostAdjustment>(item_of(row)).reason, "Credit");
}

TEST(FocusItemsTest, no_cost_is_a_usage_fact) {
  const ImportItem item = item_of(row_of("0.00000000000"));
  EXPECT_EQ(item.path, "/v1/accounts/acme/usage-facts");
  EXPECT_EQ(command_in<domain::NoteUsage>(item).attributes.size(), 4U);
}

TEST(FocusItemsTest, the_time_is_the_begin_of_the_charge_period) {
  const auto read = command_of(item_of(row_of("1")), TenantId("main"));
  EXPECT_EQ(std::get<api::CommandBody>(read).effective_at, parse_rfc3339("2024-09-18T22:00:00Z"));
}

TEST(FocusItemsTest, an_account_is_opened_in_the_currency_of_its_row) {
  const ImportItem item = opening_of(row_of("1"));
  EXPECT_EQ(item.path, "/v1/accounts");
  EXPECT_EQ(item.idempotency_key, "focus-open:acme");
  EXPECT_EQ(command_in<domain::OpenAccount>(item).currency.code(), "USD");
}

TEST(FocusItemsTest, the_body_is_the_canonical_text_that_a_server_takes_the_fingerprint_of) {
  for (const std::string cost : {"1.25", "-1.25", "0"}) {
    const ImportItem item = item_of(row_of(cost));
    const auto parsed = api::parse_json(item.body);
    ASSERT_TRUE(std::holds_alternative<api::JsonValue>(parsed));
    EXPECT_EQ(canonical_text(std::get<api::JsonValue>(parsed)), item.body);
    EXPECT_EQ(identity_of(item).canonical_body, item.body);
    EXPECT_EQ(identity_of(item).method, "POST");
  }
}

TEST(FocusItemsTest, what_the_ledger_would_refuse_is_an_error_of_its_column) {
  const Instant now = *parse_rfc3339("2024-10-01T00:00:00Z");
  api::FocusRow row = row_of("1");
  EXPECT_FALSE(objection_to(row, item_of(row), now).has_value());

  row.service_name = std::string(1'100, 'x');
  auto error = objection_to(row, item_of(row), now);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->line, 7U);
  EXPECT_EQ(error->column, "ServiceName");

  row = row_of("1");
  error = objection_to(row, item_of(row), Instant{row.charge_period_start.micros - 1});
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->column, "ChargePeriodStart");
  EXPECT_FALSE(objection_to(row, item_of(row), row.charge_period_start).has_value());
}

TEST(FocusItemsTest, what_looks_like_a_card_number_is_left_out_and_the_money_is_booked) {
  const Instant now = *parse_rfc3339("2024-10-01T00:00:00Z");
  for (const std::string cost : {"1.25", "-1.25", "0"}) {
    api::FocusRow row = row_of(cost);
    EXPECT_TRUE(withheld_columns(row).empty());
    row.description = "paid by 4111 1111 1111 1111";
    row.attributes.push_back({"ResourceId", "vol-4111111111111111"});
    const std::vector<std::string> expected = {"ChargeDescription", "ResourceId"};
    EXPECT_EQ(withheld_columns(row), expected);
    const ImportItem item = item_of(row);
    EXPECT_FALSE(objection_to(row, item, now).has_value());
    EXPECT_EQ(item.body.find("1111"), std::string::npos);
    EXPECT_NE(item.body.find("tag.env"), std::string::npos);
  }
}

}  // namespace
}  // namespace daybook::app

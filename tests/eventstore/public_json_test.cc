#include "eventstore/public_json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "eventstore/event_id.h"
#include "tests/support/events.h"

namespace daybook::eventstore {
namespace {

using domain::RecordedEvent;
using domain::StreamId;
using test::account_id;
using test::money;
using test::morning;
using test::tenant_id;
using test::usd;

RecordedEvent recorded(domain::Event event, std::uint64_t version = 3) {
  RecordedEvent result;
  result.stream = StreamId::account(tenant_id(), account_id());
  result.version = version;
  result.recorded_at = result.effective_at = morning();
  result.actor = "key:k1";
  result.event = std::move(event);
  return result;
}

TEST(PublicJsonTest, money_is_text_with_at_least_the_digits_of_its_currency) {
  EXPECT_EQ(money_json(usd("30.25")), R"({"amount":"30.25","currency":"USD"})");
  EXPECT_EQ(money_json(usd("100")), R"({"amount":"100.00","currency":"USD"})");
  EXPECT_EQ(money_json(usd("-400")), R"({"amount":"-400.00","currency":"USD"})");
  EXPECT_EQ(money_json(usd("0.0000008")), R"({"amount":"0.0000008","currency":"USD"})");
  EXPECT_EQ(money_json(money("5", "JPY")), R"({"amount":"5","currency":"JPY"})");
  EXPECT_EQ(money_json(money("0.5", "JPY")), R"({"amount":"0.5","currency":"JPY"})");
  EXPECT_EQ(money_json(money("1.5", "KWD")), R"({"amount":"1.500","currency":"KWD"})");
  EXPECT_EQ(money_json(usd("0")), R"({"amount":"0.00","currency":"USD"})");
}

TEST(PublicJsonTest, an_event_is_one_object_with_sorted_members) {
  RecordedEvent event = recorded(domain::CreditNoteIssued{usd("1"), "sorry", usd("3"), usd("3")});
  event.effective_at = morning(-1);
  event.idempotency_key = "k\"1";
  event.fingerprint = 77;
  const std::string id = event_id(event.stream, 3);
  EXPECT_EQ(
      public_json(event),
      R"({"account":"acme","actor":"key:k1","data":{"amount":{"amount":"1.00","currency":"USD"},)"
      R"("available_after":{"amount":"3.00","currency":"USD"},)"
      R"("balance_after":{"amount":"3.00","currency":"USD"},"reason":"sorry"},)"
      R"("effective_at":"2026-01-31T09:59:59.000000Z","id":")" +
          id +
          R"(","idempotency_key":"k\"1","recorded_at":"2026-01-31T10:00:00.000000Z",)"
          R"("schema_version":1,"stream":"account","type":"CreditNoteIssued","version":3})");
}

TEST(PublicJsonTest, what_is_absent_is_left_out) {
  EXPECT_EQ(public_data_json(recorded(domain::AccountFrozen{})), "{}");
  EXPECT_EQ(public_json(recorded(domain::AccountFrozen{})).find("idempotency_key"),
            std::string::npos);
}

TEST(PublicJsonTest, only_events_of_accounts_name_an_account) {
  RecordedEvent event = recorded(domain::SettingsChanged{"x"});
  event.stream = StreamId::of_tenant(tenant_id());
  const std::string text = public_json(event);
  EXPECT_EQ(text.find("account"), std::string::npos);
  EXPECT_NE(text.find(R"("stream":"tenant")"), std::string::npos);
}

TEST(PublicJsonTest, the_form_holds_nothing_of_where_the_event_is_stored) {
  RecordedEvent event = recorded(domain::AccountFrozen{});
  const std::string before = public_json(event);
  event.fingerprint = 99;
  EXPECT_EQ(public_json(event), before);
}

TEST(PublicJsonTest, references_are_ids_numbers_are_text_and_bytes_are_hexadecimal) {
  const StreamId stream = StreamId::account(tenant_id(), account_id());
  EXPECT_EQ(public_data_json(recorded(domain::NoChange{domain::EventRef{2}})),
            R"({"of":")" + event_id(stream, 2) + R"("})");
  EXPECT_EQ(public_data_json(recorded(domain::CatalogueAdopted{UINT64_MAX})),
            R"({"catalogue_version":"18446744073709551615"})");
  EXPECT_EQ(public_data_json(recorded(
                domain::TagSet{{}, "t", "v", domain::PrivateValue{"\x01\xFF", "\x02"}, {}})),
            R"({"extra":{"commitment":"02","ref":"01ff"},"tag":"t","value":"v"})");
  domain::Roles roles;
  roles.add(domain::Role::kClient);
  roles.add(domain::Role::kAdmin);
  EXPECT_EQ(public_data_json(recorded(domain::ApiKeyCreated{{"k", {}, roles, {}, "\xAB"}})),
            R"({"id":"k","roles":["admin","client"],"secret_commitment":")" +
                to_hex(sha256({"daybook/key-commitment/1\xAB"})) + R"("})");
  EXPECT_EQ(
      public_data_json(
          recorded(domain::PaymentClaimed{"p", "i", usd("1"), {AccountId("beta"), 2}})),
      R"({"amount":{"amount":"1.00","currency":"USD"},"provider":"p","provider_payment_id":"i",)"
      R"("top_up":{"account":"beta","id":")" +
          event_id(StreamId::account(tenant_id(), AccountId("beta")), 2) + R"("}})");
}

TEST(PublicJsonTest, attribute_names_sort_by_utf16_whatever_their_order) {
  const domain::UsageNoted noted{
      {}, {}, {{"\xEF\xAC\xB3", "dalet"}, {"z", "1"}, {"\xF0\x9F\x92\xBE", "disk"}, {"a", "2"}}};
  EXPECT_EQ(public_data_json(recorded(noted)),
            "{\"attributes\":{\"a\":\"2\",\"z\":\"1\",\"\xF0\x9F\x92\xBE\":\"disk\","
            "\"\xEF\xAC\xB3\":\"dalet\"}}");
}

TEST(PublicJsonTest, the_public_hash_is_what_sha256sum_says_of_the_line) {
  EXPECT_EQ(to_hex(public_hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace daybook::eventstore

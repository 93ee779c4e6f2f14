#include <gtest/gtest.h>

#include "domain/account.h"
#include "tests/support/given_when_then.h"

namespace daybook::domain {
namespace {

using test::amount;
using test::charge;
using test::currency;
using test::eur;
using test::given;
using test::given_nothing;
using test::limit;
using test::open;
using test::refused;
using test::Story;
using test::tag;
using test::untag;
using test::usd;

// --- Credit limits

ClearCreditLimit clear_limit(std::string_view code) { return {currency(code), std::nullopt}; }

EffectiveLimit limit_of(const Story& story, std::string_view code) {
  return effective_limit(balance_of(story.state(), currency(code)), story.catalogue());
}

TEST(AccountLimitTest, check_d2_override_before_default_per_currency) {
  auto a = given().with_default_limit(eur("5000.0000"));
  auto b = given({limit(eur("1000")), limit(usd("7"))}).with_default_limit(eur("5000.0000"));
  EXPECT_EQ(limit_of(a, "EUR").amount, amount("5000"));
  EXPECT_EQ(limit_of(a, "EUR").source, CreditLimitSource::kCurrencyDefault);
  EXPECT_EQ(limit_of(b, "EUR").amount, amount("1000"));
  EXPECT_EQ(limit_of(b, "EUR").source, CreditLimitSource::kAccount);

  a.with_default_limit(eur("6000"));
  b.with_default_limit(eur("6000"));
  EXPECT_EQ(limit_of(a, "EUR").amount, amount("6000"));
  EXPECT_EQ(limit_of(b, "EUR").amount, amount("1000"));

  b.when(clear_limit("EUR")).then({CreditLimitCleared{eur("1000"), std::nullopt, eur("6000")}});
  EXPECT_EQ(limit_of(b, "EUR").amount, amount("6000"));
  EXPECT_EQ(limit_of(b, "USD").amount, amount("7"));
  EXPECT_EQ(limit_of(a, "USD").source, CreditLimitSource::kNone);
}

TEST(AccountLimitTest, an_override_of_zero_is_a_limit_of_zero) {
  auto story = given({limit(eur("0"))}).with_default_limit(eur("5000"));
  EXPECT_EQ(limit_of(story, "EUR").source, CreditLimitSource::kAccount);
  story.when(charge(eur("1"))).then_refused(RefusalReason::kInsufficientFunds, eur("1"));
}

TEST(AccountLimitTest, the_charge_records_the_limit_it_used_and_the_catalogue_it_came_from) {
  auto story = given().with_default_limit(usd("5"));
  story.when(charge(usd("5")));
  const auto posted = story.last<ChargePosted>();
  EXPECT_EQ(posted.credit_limit, usd("5"));
  EXPECT_EQ(posted.credit_limit_source, CreditLimitSource::kCurrencyDefault);
  EXPECT_EQ(posted.catalogue_version, 1U);
  story.when(charge(usd("1")));
  EXPECT_EQ(story.last<ChargeRefused>().catalogue_version, 1U);
}

TEST(AccountLimitTest, setting_the_same_limit_again_changes_nothing) {
  given({limit(usd("5"))}).when(limit(usd("5"))).then({NoChange{}});
  given({limit(usd("5"))}).keyed(false).when(limit(usd("5"))).then_nothing();
  // A default of that size is not an override.
  given()
      .with_default_limit(usd("5"))
      .when(limit(usd("5")))
      .then({CreditLimitSet{usd("5"), std::nullopt, "agreed", usd("5")}});
}

TEST(AccountLimitTest, clearing_what_is_not_set_changes_nothing) {
  given().when(clear_limit("USD")).then({NoChange{}});
  given().keyed(false).when(clear_limit("EUR")).then_nothing();
  given({limit(usd("5")), clear_limit("USD")}).when(clear_limit("USD")).then({NoChange{}});
}

TEST(AccountLimitTest, limits_that_cannot_be) {
  given_nothing().when(limit(usd("1"))).then_not_found();
  given().when(limit(usd("-0.000000000001"))).then_invalid("/amount/amount", "negative");
  given().with_inactive("USD").when(limit(usd("1"))).then_invalid("/amount/currency");
  given({CloseAccount{}})
      .when(limit(usd("1")))
      .then({refused("credit-limit", RefusalReason::kAccountClosed, usd("1"))});
  given({CloseAccount{}})
      .when(clear_limit("USD"))
      .then({refused("credit-limit", RefusalReason::kAccountClosed)});
}

// --- Tags

TEST(AccountTagTest, a_tag_is_set_changed_and_removed) {
  auto story = given();
  story.when(tag("plan", "small")).then({TagSet{{}, "plan", "small", {}, std::nullopt}});
  story.when(tag("plan", "big")).then({TagSet{{}, "plan", "big", {}, "small"}});
  story.when(tag("plan", "big")).then({NoChange{}});
  story.keyed(false).when(tag("plan", "big")).then_nothing();
  story.when(untag("plan")).then({TagRemoved{{}, "plan", "big"}});
  EXPECT_TRUE(story.state().tags.empty());
  story.when(untag("plan")).then_not_found();
}

TEST(AccountTagTest, tags_of_services_are_apart_from_the_accounts_own_and_sorted) {
  auto story = given({SetTag{"vm-2", "plan", "c", {}}, SetTag{"vm-1", "plan", "b", {}},
                      tag("plan", "a"), tag("a", "1")});
  ASSERT_EQ(story.state().tags.size(), 4U);
  EXPECT_EQ(story.state().tags[0].name, "a");
  EXPECT_EQ(story.state().tags[1].value, "a");
  EXPECT_EQ(story.state().tags[2].service, "vm-1");
  EXPECT_EQ(story.state().tags[3].service, "vm-2");
  story.when(RemoveTag{"vm-1", "plan"}).then({TagRemoved{"vm-1", "plan", "b"}});
  EXPECT_EQ(story.state().tags.size(), 3U);
  story.when(RemoveTag{"vm-3", "plan"}).then_not_found();
}

TEST(AccountTagTest, removing_auto_credit_is_an_explicit_off_even_where_it_never_was) {
  auto story = given();
  story.when(untag("auto_credit")).then({TagRemoved{{}, "auto_credit", std::nullopt}});
  ASSERT_EQ(story.state().tags.size(), 1U);
  EXPECT_EQ(story.state().tags[0].value, std::nullopt);
  story.when(untag("auto_credit")).then({NoChange{}});
  story.when(RemoveTag{"vm-102", "auto_credit"})
      .then({TagRemoved{"vm-102", "auto_credit", std::nullopt}});
  story.when(tag("auto_credit", "yes")).then({TagSet{{}, "auto_credit", "yes", {}, std::nullopt}});
  story.when(untag("auto_credit")).then({TagRemoved{{}, "auto_credit", "yes"}});
}

TEST(AccountTagTest, a_private_extra_is_kept_by_reference_and_let_go_by_an_erasure) {
  const PrivateValue extra{std::string(16, 'r'), std::string(32, 'c')};
  auto story = given();
  story.when(SetTag{{}, "contact", "x", extra}).then({TagSet{{}, "contact", "x", extra, {}}});
  // A new reference may stand for another text, unless it is said to be the same.
  story.when(SetTag{{}, "contact", "x", extra}).then({TagSet{{}, "contact", "x", extra, "x"}});
  story.when(ErasePrivateData{"asked"}).then({PrivateDataErased{"asked"}});
  EXPECT_EQ(story.state().tags[0].extra, std::nullopt);
  story.when(ErasePrivateData{"asked again"}).then({NoChange{}});
  EXPECT_EQ(story.state().tags[0].value, "x");
  story.when(tag("contact", "x")).then({NoChange{}});
}

TEST(AccountTagTest, an_extra_that_is_known_to_be_the_same_changes_nothing) {
  const PrivateValue first{std::string(16, 'r'), std::string(32, 'c')};
  const PrivateValue again{std::string(16, 's'), std::string(32, 'd')};
  auto story = given({SetTag{{}, "contact", "x", first}});
  story.when(SetTag{{}, "contact", "x", again, first}).then({NoChange{}});
  // Another value; another extra than the one it was compared with; none; one that was erased.
  story.when(SetTag{{}, "contact", "y", again, first})
      .then({TagSet{{}, "contact", "y", again, "x"}});
  story.when(SetTag{{}, "contact", "y", first, first})
      .then({TagSet{{}, "contact", "y", first, "y"}});
  story.when(SetTag{{}, "contact", "y", {}, first}).then({TagSet{{}, "contact", "y", {}, "y"}});
  story.when(SetTag{{}, "contact", "y", first}).then({TagSet{{}, "contact", "y", first, "y"}});
  story.when(ErasePrivateData{}).then({PrivateDataErased{}});
  story.when(SetTag{{}, "contact", "y", again, first})
      .then({TagSet{{}, "contact", "y", again, "y"}});
}

TEST(AccountTagTest, leaving_the_extra_out_takes_it_away) {
  const PrivateValue extra{std::string(16, 'r'), std::string(32, 'c')};
  auto story = given({SetTag{{}, "contact", "x", extra}});
  story.when(tag("contact", "x")).then({TagSet{{}, "contact", "x", {}, "x"}});
  EXPECT_EQ(story.state().tags[0].extra, std::nullopt);
}

TEST(AccountTagTest, an_account_has_at_most_a_thousand_tags) {
  std::vector<InitialTag> tags;
  for (std::size_t i = 0; i < kTagsMax; ++i) tags.push_back({"t" + std::to_string(i), "v"});
  auto story = given_nothing().after({open("USD", tags)});
  story.when(tag("one-more", "v")).then({refused("tag", RefusalReason::kLimitReached)});
  story.when(untag("auto_credit")).then({refused("tag", RefusalReason::kLimitReached)});
  story.when(tag("t7", "w")).then({TagSet{{}, "t7", "w", {}, "v"}});
  story.when(untag("t7"));
  story.when(tag("one-more", "v"));
  story.last<TagSet>();
}

}  // namespace
}  // namespace daybook::domain

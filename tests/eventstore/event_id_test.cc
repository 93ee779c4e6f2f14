#include "eventstore/event_id.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using domain::StreamId;
using test::account_id;
using test::tenant_id;

StreamId acme() { return StreamId::account(tenant_id(), account_id()); }

TEST(EventIdTest, an_id_is_a_uuid_of_version_8_and_ends_in_the_version) {
  const std::string id = event_id(acme(), 0xABCDEF);
  ASSERT_EQ(id.size(), 36U);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) EXPECT_EQ(id[dash], '-');
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef-"), std::string::npos);
  EXPECT_EQ(id[14], '8');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  EXPECT_EQ(id.substr(26), "0000abcdef");
}

TEST(EventIdTest, an_id_never_changes) {
  // Whoever changes this breaks every link that clients have kept.
  EXPECT_EQ(event_id(acme(), 1), "5a0f1a50-6a36-8826-953e-f60000000001");
  EXPECT_EQ(event_id(StreamId::of_tenant(tenant_id()), 12), "bf61948d-9a9e-882a-9886-95000000000c");
}

TEST(EventIdTest, every_part_of_the_stream_counts) {
  const std::set<std::string> ids = {
      event_id(acme(), 1),
      event_id(acme(), 2),
      event_id(StreamId::account(tenant_id(), AccountId("acm")), 1),
      event_id(StreamId::account(TenantId("maina"), AccountId("cme")), 1),
      event_id(StreamId::account(TenantId("other"), account_id()), 1),
      event_id(StreamId::of_tenant(tenant_id()), 1),
      event_id(StreamId::partition(tenant_id()), 1),
      event_id(StreamId::payment(tenant_id(), "a", "b/c"), 1),
  };
  EXPECT_EQ(ids.size(), 8U);
}

TEST(EventIdTest, only_the_streams_own_ids_have_a_version) {
  const std::string id = event_id(acme(), 7);
  EXPECT_EQ(version_in(acme(), id), 7U);
  EXPECT_EQ(version_in(StreamId::of_tenant(tenant_id()), id), std::nullopt);
  EXPECT_EQ(version_in(StreamId::account(tenant_id(), AccountId("other")), id), std::nullopt);
  EXPECT_EQ(version_in(acme(), event_id(acme(), 0)), std::nullopt);  // versions start at 1
  EXPECT_EQ(version_in(acme(), ""), std::nullopt);
  EXPECT_EQ(version_in(acme(), id.substr(1)), std::nullopt);
  EXPECT_EQ(version_in(acme(), id + "0"), std::nullopt);
  std::string upper = event_id(acme(), 0xAB);
  upper.replace(34, 2, "AB");
  EXPECT_EQ(version_in(acme(), upper), std::nullopt);
  std::string no_dash = id;
  no_dash[8] = '0';
  EXPECT_EQ(version_in(acme(), no_dash), std::nullopt);
}

TEST(EventIdTest, the_largest_version_fits) {
  const std::uint64_t largest = (std::uint64_t{1} << 40) - 1;
  EXPECT_EQ(version_in(acme(), event_id(acme(), largest)), largest);
  EXPECT_DEATH(event_id(acme(), largest + 1), "CHECK");
}

RC_GTEST_PROP(EventIdProperty, the_version_reads_back_and_a_changed_id_has_none, ()) {
  const auto version = *rc::gen::inRange<std::uint64_t>(1, std::uint64_t{1} << 40);
  std::string id = event_id(acme(), version);
  RC_ASSERT(version_in(acme(), id) == version);
  const auto at = *rc::gen::inRange<std::size_t>(0, 26);
  const char before = id[at];
  id[at] = *rc::gen::arbitrary<char>();
  RC_PRE(id[at] != before);
  RC_ASSERT(version_in(acme(), id) == std::nullopt);
}

}  // namespace
}  // namespace daybook::eventstore

#include "eventstore/stream_key.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using test::account_id;
using test::tenant_id;
using std::string_literals::operator""s;
using domain::StreamId;

TEST(StreamKeyTest, a_key_is_tenant_kind_and_id) {
  EXPECT_EQ(stream_key(StreamId::account(tenant_id(), account_id())), "main\0\0acme\0"s);
  EXPECT_EQ(stream_key(StreamId::of_tenant(tenant_id())), "main\0\1\0"s);
  EXPECT_EQ(stream_key(StreamId::payment(tenant_id(), "stripe", "pi_1")), "main\0\2stripe/pi_1\0"s);
  EXPECT_EQ(stream_key(StreamId::partition(tenant_id())), "main\0\3\0"s);
}

TEST(StreamKeyTest, a_version_key_reads_back_and_sorts) {
  const std::string key = stream_key(StreamId::account(tenant_id(), account_id()));
  std::string before;
  for (const std::uint64_t version : {0ULL, 1ULL, 255ULL, 256ULL, 65'536ULL, 1ULL << 40, ~0ULL}) {
    const std::string row = version_key(key, version);
    EXPECT_EQ(version_of_key(row), version);
    EXPECT_LT(before, row);
    before = row;
  }
}

TEST(StreamKeyTest, no_streams_rows_lie_among_anothers) {
  // "acme" and "acme1": the NUL keeps versions of the one from sorting into the other.
  const std::string one = stream_key(StreamId::account(tenant_id(), AccountId("acme")));
  const std::string two = stream_key(StreamId::account(tenant_id(), AccountId("acme1")));
  EXPECT_FALSE(two.starts_with(one));
  EXPECT_LT(version_key(one, ~0ULL), version_key(two, 0));
}

TEST(StreamKeyDeathTest, a_nul_in_a_name_is_a_bug) {
  EXPECT_DEATH(stream_key(StreamId::account(tenant_id(), AccountId("a\0b"s))), "CHECK");
  EXPECT_DEATH(stream_key(StreamId::account(TenantId("a\0b"s), account_id())), "CHECK");
  EXPECT_DEATH(StreamId::payment(tenant_id(), "a/b", "c"), "CHECK");
}

TEST(StreamKeyTest, look_up_keys_differ_in_every_part) {
  const StreamId acme = StreamId::account(tenant_id(), account_id());
  const auto key = lookup_key(LookupKind::kIdempotencyKey, acme, "7");
  EXPECT_EQ(key, lookup_key(LookupKind::kIdempotencyKey, acme, "7"));
  EXPECT_NE(key, lookup_key(LookupKind::kLatestReference, acme, "7"));
  EXPECT_NE(key, lookup_key(LookupKind::kIdempotencyKey, acme, "8"));
  EXPECT_NE(key, lookup_key(LookupKind::kIdempotencyKey, StreamId::of_tenant(tenant_id()), "7"));
  // The parts are framed: moving a character from one to the next is another key.
  EXPECT_NE(
      lookup_key(LookupKind::kIdempotencyKey, StreamId::account(tenant_id(), AccountId("a")), "b7"),
      lookup_key(LookupKind::kIdempotencyKey, StreamId::account(tenant_id(), AccountId("ab")),
                 "7"));
}

RC_GTEST_PROP(StreamKeyProperty, two_streams_have_two_keys, ()) {
  const auto any_stream = [] {
    const auto name = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 4));
    return StreamId{static_cast<domain::StreamKind>(*rc::gen::inRange(0, 4)), TenantId(*name),
                    *name};
  };
  const StreamId left = any_stream();
  const StreamId right = any_stream();
  RC_ASSERT((left == right) == (stream_key(left) == stream_key(right)));
  RC_ASSERT((left == right) == (lookup_key(LookupKind::kIdempotencyKey, left, "k") ==
                                lookup_key(LookupKind::kIdempotencyKey, right, "k")));
}

}  // namespace
}  // namespace daybook::eventstore

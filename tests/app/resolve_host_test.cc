#include "app/resolve_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace daybook::app {
namespace {

using testing::HasSubstr;

TEST(ResolveHostTest, an_address_is_itself) {
  for (const std::string address : {"127.0.0.1", "0.0.0.0", "::1", "::"}) {
    const auto resolved = resolve_host(address);
    ASSERT_TRUE(resolved.ok()) << resolved.status().message();
    EXPECT_EQ(*resolved, address);
  }
}

TEST(ResolveHostTest, localhost_is_this_machine_by_ipv4_first) {
  const auto resolved = resolve_host("localhost");
  ASSERT_TRUE(resolved.ok()) << resolved.status().message();
  EXPECT_EQ(*resolved, "127.0.0.1");
}

// RFC 6761: nobody has a name under .invalid.
TEST(ResolveHostTest, a_name_that_nobody_has_is_named_in_the_error) {
  const auto resolved = resolve_host("ledger.invalid");
  ASSERT_FALSE(resolved.ok());
  EXPECT_EQ(resolved.status().code(), StatusCode::kInvalid);
  EXPECT_THAT(resolved.status().message(), HasSubstr("ledger.invalid"));
}

}  // namespace
}  // namespace daybook::app

#include "api/fingerprint.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

TEST(FingerprintTest, it_is_the_start_of_an_hmac_over_framed_parts) {
  // Computed with Python's hmac module. Stored for ever: it must not change.
  EXPECT_EQ(request_fingerprint("secret", {"POST", "/v1/accounts/acme/charges", "",
                                           R"({"amount":{"amount":"1.00","currency":"USD"}})"}),
            0xc84a1969c4a5f20cU);
}

TEST(FingerprintTest, every_part_and_every_border_between_parts_counts) {
  const std::vector<RequestIdentity> requests = {
      {"POST", "/a", "", "{}"},    {"PUT", "/a", "", "{}"},  {"POST", "/b", "", "{}"},
      {"POST", "/a", "x=1", "{}"}, {"POST", "/a", "", "[]"}, {"POST", "/a", "{}", ""},
      {"POST", "/a{}", "", ""},    {"POST/a", "", "", "{}"}, {"POST", "", "/a", "{}"},
      {"POS", "T/a", "", "{}"},
  };
  std::set<std::uint64_t> seen;
  for (const RequestIdentity& request : requests) {
    EXPECT_TRUE(seen.insert(request_fingerprint("secret", request)).second);
    EXPECT_TRUE(seen.insert(request_fingerprint("another", request)).second);
    EXPECT_EQ(request_fingerprint("secret", request), request_fingerprint("secret", request));
  }
}

}  // namespace
}  // namespace daybook::api

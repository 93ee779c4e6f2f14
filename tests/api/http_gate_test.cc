#include "api/http_gate.h"

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "api/http_parser.h"
#include "tests/api/http_gate_cases.h"

namespace daybook::api {
namespace {

/// What the server does with a stream of bytes: scan until the header ends, then judge it.
std::optional<Refusal> judge(std::string_view bytes, RequestHead& head) {
  const GateLimits limits;
  const HeaderScan scan = scan_header(bytes, 0, limits);
  if (scan.refusal) return scan.refusal;
  EXPECT_GT(scan.end, 0U) << "the header never ends";
  return gate(bytes.substr(0, scan.end), limits, head);
}

std::string seen(const std::optional<Refusal>& refusal) {
  if (!refusal) return "accepted";
  return std::to_string(refusal->status) + " " + std::string(refusal->slug) +
         (refusal->close ? " close: " : " keep: ") + std::string(refusal->detail);
}

TEST(GateTest, every_case_of_the_table_is_judged_as_stated) {
  const std::vector<GateCase> cases = all_gate_cases();
  ASSERT_GE(cases.size(), 80U);
  for (const GateCase& one : cases) {
    SCOPED_TRACE(std::string(one.name) + ": " + one.raw.substr(0, 200));
    RequestHead head;
    const std::optional<Refusal> refusal = judge(one.raw + one.body, head);
    EXPECT_EQ(refusal ? refusal->status : 0, one.status) << seen(refusal);
    EXPECT_EQ(refusal ? refusal->slug : "", one.slug) << seen(refusal);
    EXPECT_EQ(refusal && refusal->close, one.close) << seen(refusal);
    if (!refusal) {
      EXPECT_EQ(head.content_length, one.body.size());
    }
  }
}

TEST(GateTest, what_the_gate_accepts_beast_reads_in_the_same_way) {
  for (const GateCase& one : all_gate_cases()) {
    if (one.status != 0) continue;
    SCOPED_TRACE(std::string(one.name));
    RequestHead head;
    ASSERT_FALSE(gate(one.raw, {}, head));
    EXPECT_TRUE(beast_agrees(one.raw, head, {}));
  }
}

TEST(GateTest, a_header_that_beast_reads_otherwise_is_noticed) {
  const std::string raw = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  RequestHead head;
  ASSERT_FALSE(gate(raw, {}, head));
  RequestHead other = head;
  other.target = "/b";
  EXPECT_FALSE(beast_agrees(raw, other, {}));
  other = head;
  other.content_length = 4;
  EXPECT_FALSE(beast_agrees(raw, other, {}));
  other = head;
  other.fields[0].second = "b";
  EXPECT_FALSE(beast_agrees(raw, other, {}));
  other = head;
  other.fields.pop_back();
  EXPECT_FALSE(beast_agrees(raw, other, {}));
  other = head;
  other.method = "PUT";
  EXPECT_FALSE(beast_agrees(raw, other, {}));
}

TEST(GateTest, the_scan_answers_the_same_however_the_bytes_are_split) {
  const GateLimits limits;
  for (const GateCase& one : all_gate_cases()) {
    const std::string bytes = one.raw + one.body;
    const HeaderScan whole = scan_header(bytes, 0, limits);
    const std::size_t step = bytes.size() > 1000 ? 97 : 1;
    for (std::size_t split = 0; split <= bytes.size(); split += step) {
      const HeaderScan first = scan_header(std::string_view(bytes).substr(0, split), 0, limits);
      const bool decided = first.end > 0 || first.refusal.has_value();
      const HeaderScan last = decided ? first : scan_header(bytes, split, limits);
      ASSERT_EQ(last.end, whole.end) << one.name << " split at " << split;
      ASSERT_EQ(seen(last.refusal), seen(whole.refusal)) << one.name << " split at " << split;
    }
  }
}

TEST(GateTest, the_parts_of_a_request_are_read) {
  const std::string raw =
      "POST /v1/a%20b/c?x=%41&y=1 HTTP/1.1\r\nHost: h:1\r\nAuthorization:  Bearer k \t\r\n"
      "Content-Length: 12\r\nExpect: 100-Continue\r\nConnection: keep-alive, Close\r\n\r\n";
  RequestHead head;
  ASSERT_FALSE(gate(raw, {}, head));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v1/a%20b/c?x=%41&y=1");
  EXPECT_EQ(head.raw_path, "/v1/a%20b/c");
  EXPECT_EQ(head.path, "/v1/a b/c");
  EXPECT_EQ(head.query, "x=%41&y=1");
  EXPECT_EQ(head.content_length, 12U);
  EXPECT_TRUE(head.expect_continue);
  EXPECT_TRUE(head.close);
  ASSERT_EQ(head.fields.size(), 5U);
  EXPECT_EQ(head.fields[1].first, "Authorization");
  EXPECT_EQ(head.fields[1].second, "Bearer k");
}

TEST(GateTest, nothing_of_one_request_is_left_for_the_next) {
  RequestHead head;
  ASSERT_FALSE(
      gate("POST /a?q HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n"
           "Expect: 100-continue\r\n\r\n",
           {}, head));
  ASSERT_FALSE(gate("GET / HTTP/1.1\r\nHost: b\r\n\r\n", {}, head));
  EXPECT_EQ(head.content_length, 0U);
  EXPECT_FALSE(head.close);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "");
  EXPECT_EQ(head.fields.size(), 1U);
}

TEST(GateTest, a_header_that_is_not_delimited_is_refused) {
  RequestHead head;
  for (const std::string_view raw : {"", "GET", "GET / HTTP/1.1\r\nHost: a\r\n",
                                     "GET / HTTP/1.1\r\nHost: a\r\n\r\nX", "\r\n\r\n"}) {
    const std::optional<Refusal> refusal = gate(raw, {}, head);
    ASSERT_TRUE(refusal) << raw;
    EXPECT_EQ(refusal->status, 400) << raw;
  }
}

/// Random damage to good and bad requests: whatever the gate still accepts is well formed by an
/// independent, byte-wise reading of the rules, and Beast reads it in the same way.
TEST(GateTest, damaged_requests_are_refused_or_unambiguous) {
  constexpr int kRounds = 60'000;
  constexpr std::string_view kBytes(
      " \t\r\n:;,%/.?#\0\x7F\xFF"
      "0159aTE-",
      23);
  const std::vector<GateCase> cases = all_gate_cases();
  std::mt19937_64 random(20260131);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string raw = cases[random() % cases.size()].raw;
    if (raw.size() > 600) continue;
    for (std::size_t hits = 1 + random() % 3; hits > 0; --hits) {
      const std::size_t at = random() % raw.size();
      const char byte = kBytes[random() % kBytes.size()];
      if (random() % 3 == 0)
        raw.erase(at, 1 + random() % 4);
      else if (random() % 2 == 0)
        raw.insert(at, 1, byte);
      else
        raw[at] = byte;
      if (raw.empty()) raw = "x";
    }
    RequestHead head;
    const HeaderScan scan = scan_header(raw, 0, {});
    if (scan.refusal || scan.end == 0) continue;
    const std::string_view header = std::string_view(raw).substr(0, scan.end);
    if (gate(header, {}, head)) continue;
    ++accepted;
    ASSERT_TRUE(beast_agrees(header, head, {})) << raw;
    std::string rebuilt = std::string(head.method) + " " + std::string(head.target) + " HTTP/1.1";
    std::size_t lines = 1;
    for (const char c : header) lines += c == '\n' ? 1 : 0;
    EXPECT_EQ(header.substr(0, rebuilt.size() + 2), rebuilt + "\r\n") << raw;
    EXPECT_EQ(lines, head.fields.size() + 3) << raw;
    EXPECT_EQ(head.path.find("//"), std::string::npos) << raw;
    EXPECT_EQ((head.path + "/").find("/../"), std::string::npos) << raw;
    EXPECT_EQ((head.path + "/").find("/./"), std::string::npos) << raw;
    EXPECT_EQ(head.path.find('\0'), std::string::npos) << raw;
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace daybook::api

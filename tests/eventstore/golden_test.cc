#include <string>

#include <gtest/gtest.h>

#include "eventstore/entry.h"
#include "eventstore/event_codec.h"
#include "eventstore/log_keys.h"
#include "eventstore/watermark.h"
#include "tests/eventstore/temp_dir.h"
#include "tests/support/controls.h"
#include "tests/support/events.h"
#include "tests/support/golden_file.h"

/// Stored forms beside the events (event_golden_test.cc): what was written once is read for ever,
/// and is still what is written.
namespace daybook::eventstore {
namespace {

using test::from_hex;

std::string golden(const std::string& name, const std::string& found) {
  return test::golden(name + ".hex", to_hex(found));
}

LogHead head() {
  LogHead head;
  head.generation = 2;
  head.entry_count = 8;
  head.next_position = 302;
  head.chain = sha256({"abc"});
  head.last_recorded_at = *parse_rfc3339("2026-01-31T10:00:00.000200Z");
  return head;
}

TEST(GoldenTest, a_compressed_entry) {
  Entry entry;
  entry.entry_no = 7;
  entry.base_position = 300;
  entry.count = 40;
  entry.first_recorded_at = entry.last_recorded_at = head().last_recorded_at;
  entry.prev_chain = sha256({"abc"});
  for (int i = 0; i < 40; ++i) append_event_bytes(entry.body, "always the same");
  const std::string stored = golden("entry_v1_zstd", encode_entry(entry));
  const auto decoded = decode_entry(from_hex(stored));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(*decoded, entry);
  // Another zstd may find other bytes; the chain covers none of them.
  EXPECT_LT(stored.size() / 2, entry.body.size());
  EXPECT_EQ(to_hex(chain_of(*decoded)),
            "b74c1ff98d510d61ed927dd5f546a11de1834f46d5092e3b774f373540503a9d");
}

TEST(GoldenTest, a_watermark_slot) {
  const TempDir dir;
  ASSERT_TRUE(WatermarkFile::create(dir.file("w"), head()).ok());
  const std::string file = file_bytes(dir.file("w"));
  ASSERT_EQ(file.size(), 8192U);
  // Both slots are written when the file is made: this is the second one, sequence 1.
  const std::string slot = file.substr(4096);
  const std::string content = slot.substr(0, 80);
  EXPECT_EQ(slot.substr(80, 4064 - 80), std::string(4064 - 80, '\0'));
  EXPECT_EQ(to_hex(content + slot.substr(4064)),
            golden("watermark_v1", content + slot.substr(4064)));
  EXPECT_EQ(WatermarkFile::load(dir.file("w"))->sequence, 1U);
}

TEST(GoldenTest, an_anchor_and_its_key) {
  const std::string key = anchor_key(3, head().entry_count);
  const std::string value = encode_anchor(head());
  EXPECT_EQ(to_hex(key + value), golden("anchor_v1", key + value));
  EXPECT_EQ(decode_anchor(from_hex(golden("anchor_v1", "")).substr(key.size())), head());
}

TEST(GoldenTest, the_state_of_an_account) {
  domain::AccountState state;
  state.version = 12;
  state.status = domain::AccountStatus::kFrozen;
  state.mode = domain::AccountMode::kPostpaid;
  state.currency = test::currency("RUB");
  state.opened_at = test::morning();
  state.balances.push_back(
      {test::currency("RUB"), test::amount("-250"), test::amount("40"), test::amount("500")});
  state.balances.push_back({test::currency("JPY"), test::amount("7"), {}, {}});
  state.holds.push_back({10, test::rub("40"), test::morning(900), "vm-2"});
  state.tags.push_back({{}, "auto_credit", {}, {}, test::morning()});
  state.tags.push_back({"vm-1", "contact", "owner",
                        domain::PrivateValue{std::string(16, '\x1F'), std::string(32, '\xC0')},
                        test::morning(5)});
  state.has_private_values = true;
  const std::string bytes = encode_state(state);
  EXPECT_EQ(to_hex(bytes), golden("account_state_v1", bytes));
  const auto decoded = decode_state<domain::AccountState>(from_hex(golden("account_state_v1", "")));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, state);
}

}  // namespace
}  // namespace daybook::eventstore

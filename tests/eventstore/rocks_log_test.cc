// What opening a RocksLog accepts, repairs and refuses. What every log promises:
// tests/contract/event_log_contract_test.cc. Failing disks: rocks_log_fault_test.cc.
#include "eventstore/rocks_log.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/log_keys.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/watermark.h"
#include "tests/eventstore/entries.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<RocksLog>> open_log(const std::string& dir, bool create = false) {
  RocksLog::Options options;
  options.create_if_missing = create;
  options.ledger_id = "ledger-1";
  return RocksLog::open(dir, options);
}

Result<std::unique_ptr<RocksLog>> open_reader(const std::string& dir) {
  RocksLog::Options options;
  options.read_only = true;
  return RocksLog::open(dir, options);
}

/// A closed log with one entry for each count.
std::vector<Entry> make_log(const std::string& dir, const std::vector<std::uint32_t>& counts) {
  auto log = open_log(dir, true);
  CHECK(log.ok());
  return append_all(**log, counts);
}

void copy_log(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

/// Expects that the log is refused as corrupt by writers and readers, with these words.
void expect_refused(const std::string& dir, const std::vector<std::string>& words) {
  for (const bool reader : {false, true}) {
    const auto opened = reader ? open_reader(dir) : open_log(dir);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt);
    for (const std::string& word : words) {
      EXPECT_NE(opened.status().message().find(word), std::string::npos)
          << "no '" << word << "' in: " << opened.status().message();
    }
  }
}

/// Changes rows behind the back of the log.
void edit_rows(const std::string& dir, const KvBatch& batch) {
  const auto db = RocksLogDb::open(dir + "/log", RocksLogDb::Mode::kReadWrite, nullptr);
  CHECK(db.ok());
  CHECK((*db)->write(batch).ok());
}

void put_entry(KvBatch& batch, const Entry& entry) {
  batch.put(RocksLogDb::kEntries, entry_key(0, entry.base_position, entry.entry_no),
            encode_entry(entry));
}

void erase_entry(KvBatch& batch, const Entry& entry) {
  batch.erase(RocksLogDb::kEntries, entry_key(0, entry.base_position, entry.entry_no));
}

std::map<std::string, std::string> files_of(const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const auto& file : fs::recursive_directory_iterator(dir)) {
    if (file.is_regular_file()) files[file.path().string()] = file_bytes(file.path().string());
  }
  return files;
}

std::string flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] =
      static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
  return bytes;
}

std::string wal_of(const std::string& dir) {
  std::string wal;
  for (const auto& file : fs::directory_iterator(dir + "/log")) {
    if (file.path().extension() == ".log" && file.file_size() > 0) wal = file.path().string();
  }
  return wal;
}

TEST(RocksLogTest, a_log_is_created_only_on_request) {
  const TempDir dir;
  for (const auto& opened :
       {open_log(dir.file("d")).status(), open_reader(dir.file("d")).status()}) {
    EXPECT_EQ(opened.code(), StatusCode::kNotFound) << opened.message();
  }
  EXPECT_FALSE(fs::exists(dir.file("d")));
  const auto log = open_log(dir.file("d"), true);
  ASSERT_TRUE(log.ok()) << log.status().message();
  EXPECT_EQ((*log)->ledger_id(), "ledger-1");
}

TEST(RocksLogTest, a_creation_killed_at_any_step_is_completed_by_the_next) {
  const TempDir source;
  ASSERT_TRUE(open_log(source.file("whole"), true).ok());
  ASSERT_TRUE(WatermarkFile::create(source.file("fresh"), LogHead()).ok());
  const std::string fresh = file_bytes(source.file("fresh"));
  // What is there of the new watermark, of `log/`, and of the files inside it.
  for (const std::size_t watermark_bytes : {std::size_t{0}, std::size_t{5'000}, fresh.size()}) {
    for (const int log_state : {0, 1, 2, 3}) {
      const TempDir dir;
      write_file(dir.file("log.watermark.new"), fresh.substr(0, watermark_bytes));
      if (log_state > 0) fs::create_directory(dir.file("log"));
      if (log_state > 1) copy_log(source.file("whole") + "/log", dir.file("log"));
      if (log_state == 2) {  // CURRENT comes before the first write-ahead log.
        fs::remove(dir.file("log/CURRENT"));
        for (const auto& [name, bytes] : files_of(dir.file("log"))) {
          if (name.ends_with(".log")) fs::remove(name);
        }
      }
      EXPECT_EQ(open_log(dir.path()).status().code(), StatusCode::kNotFound);
      EXPECT_EQ(open_reader(dir.path()).status().code(), StatusCode::kNotFound);
      {
        const auto log = open_log(dir.path(), true);
        ASSERT_TRUE(log.ok()) << log_state << ": " << log.status().message();
        append_all(**log, {2});
      }
      const auto again = open_log(dir.path());
      ASSERT_TRUE(again.ok()) << again.status().message();
      EXPECT_EQ((*again)->head().next_position, 2U);
      EXPECT_FALSE(fs::exists(dir.file("log.watermark.new")));
    }
  }
}

TEST(RocksLogTest, a_log_that_was_served_is_never_taken_for_an_interrupted_creation) {
  const TempDir dir;
  make_log(dir.path(), {3});
  fs::rename(dir.file("log.watermark"), dir.file("log.watermark.new"));
  const auto opened = open_log(dir.path(), true);
  EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt) << opened.status().message();
}

TEST(RocksLogTest, another_ledger_is_a_conflict) {
  const TempDir dir;
  make_log(dir.path(), {3});
  RocksLog::Options options;
  options.ledger_id = "ledger-2";
  const auto opened = RocksLog::open(dir.path(), options);
  EXPECT_EQ(opened.status().code(), StatusCode::kConflict) << opened.status().message();
}

TEST(RocksLogTest, a_second_writer_is_a_conflict_and_changes_nothing) {
  const TempDir dir;
  auto first = open_log(dir.path(), true);
  append_all(**first, {3});
  const auto second = open_log(dir.path());
  EXPECT_EQ(second.status().code(), StatusCode::kConflict) << second.status().message();
  append_all(**first, {3});
  EXPECT_EQ((*first)->head().next_position, 6U);
}

TEST(RocksLogTest, a_log_without_its_watermark_is_refused) {
  const TempDir dir;
  make_log(dir.path(), {3});
  fs::remove(dir.file("log.watermark"));
  expect_refused(dir.path(), {"log.watermark", "gone"});
  EXPECT_FALSE(open_log(dir.path(), true).ok()) << "and not created anew";
}

TEST(RocksLogTest, a_watermark_without_its_log_is_refused) {
  const TempDir dir;
  make_log(dir.path(), {3, 4});
  fs::remove_all(dir.file("log"));
  expect_refused(dir.path(), {"the log is gone", "7 events in 2 entries were acknowledged"});
  EXPECT_FALSE(open_log(dir.path(), true).ok()) << "and not created anew";
}

TEST(RocksLogTest, a_log_behind_its_watermark_is_refused_with_the_missing_range) {
  const TempDir dir;
  make_log(dir.file("a"), {3, 4});
  copy_log(dir.file("a"), dir.file("b"));
  append_all(**open_log(dir.file("b")), {5, 6});
  fs::copy_file(dir.file("b/log.watermark"), dir.file("a/log.watermark"),
                fs::copy_options::overwrite_existing);
  expect_refused(dir.file("a"),
                 {"positions 7 to 17 (entries 2 to 3) were acknowledged and are gone",
                  "the log ends at position 6 (entry 1)"});
}

TEST(RocksLogTest, a_log_ahead_of_its_watermark_is_accepted_and_the_watermark_follows) {
  const TempDir dir;
  make_log(dir.file("a"), {3});
  copy_log(dir.file("a"), dir.file("b"));
  append_all(**open_log(dir.file("a")), {5, 6});
  fs::copy_file(dir.file("b/log.watermark"), dir.file("a/log.watermark"),
                fs::copy_options::overwrite_existing);
  EXPECT_EQ((*open_reader(dir.file("a")))->head().next_position, 3U)
      << "a reader stops at what was acknowledged";
  {
    const auto log = open_log(dir.file("a"));
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_EQ((*log)->head().next_position, 14U);
    EXPECT_EQ((*log)->report().unacknowledged_entries, 2U);
    EXPECT_EQ(WatermarkFile::load(dir.file("a/log.watermark"))->head, (*log)->head());
  }
  EXPECT_EQ((*open_log(dir.file("a")))->report().unacknowledged_entries, 0U);
}

TEST(RocksLogTest, the_watermark_of_another_history_is_refused) {
  const TempDir dir;
  make_log(dir.file("a"), {3});
  make_log(dir.file("b"), {3});
  append_all(**open_log(dir.file("a")), {2});
  auto other = open_log(dir.file("b"));
  ASSERT_EQ((*other)->append(next_entry((*other)->head(), 2, 20, "other")),
            AppendOutcome::kCommitted);
  fs::copy_file(dir.file("b/log.watermark"), dir.file("a/log.watermark"),
                fs::copy_options::overwrite_existing);
  expect_refused(dir.file("a"), {"differs from what was acknowledged", "entry 2"});
}

TEST(RocksLogTest, a_damaged_watermark_slot_is_reported_and_healed_and_two_are_refused) {
  const TempDir dir;
  make_log(dir.path(), {3, 3, 3});
  std::string bytes = file_bytes(dir.file("log.watermark"));
  bytes[50] = static_cast<char>(bytes[50] ^ 4);
  write_file(dir.file("log.watermark"), bytes);
  EXPECT_TRUE((*open_log(dir.path()))->report().watermark_slot_damaged);
  EXPECT_FALSE((*open_log(dir.path()))->report().watermark_slot_damaged);
  bytes[5'000] = static_cast<char>(bytes[5'000] ^ 4);
  write_file(dir.file("log.watermark"), bytes);
  expect_refused(dir.path(), {"both slots"});
}

TEST(RocksLogTest, a_gap_below_the_watermark_is_refused_with_its_positions) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.path(), {3, 4, 5, 6});
  KvBatch batch;
  erase_entry(batch, entries[1]);
  erase_entry(batch, entries[2]);
  edit_rows(dir.path(), batch);
  expect_refused(dir.path(), {"positions 3 to 11 (entries 1 to 2) were acknowledged and are gone",
                              "goes on with entry 3 at position 12"});
}

TEST(RocksLogTest, an_entry_that_was_exchanged_is_refused) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.path(), {3, 4, 5});
  for (const std::size_t victim : {std::size_t{0}, std::size_t{2}}) {
    copy_log(dir.path(), dir.path() + "-copy");
    Entry forged = entries[victim];
    forged.body[5] = static_cast<char>(forged.body[5] ^ 1);
    KvBatch batch;
    put_entry(batch, forged);
    edit_rows(dir.path() + "-copy", batch);
    expect_refused(dir.path() + "-copy", {victim == 0 ? "cannot be proven" : "differs"});
  }
  fs::remove_all(dir.path() + "-copy");
}

TEST(RocksLogTest, an_entry_under_the_key_of_another_is_refused) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.path(), {3, 4});
  KvBatch batch;
  erase_entry(batch, entries[1]);
  batch.put(RocksLogDb::kEntries, entry_key(0, 3, 2), encode_entry(entries[1]));
  edit_rows(dir.path(), batch);
  expect_refused(dir.path(), {"positions 3 to 6"});
}

TEST(RocksLogTest, what_follows_a_gap_beyond_the_watermark_goes_to_quarantine) {
  const TempDir dir;
  std::vector<Entry> entries = make_log(dir.path(), {3, 4});
  LogHead head = head_after(entries[1], chain_of(entries[1]));
  for (int i = 0; i < 40; ++i) {
    entries.push_back(next_entry(head, 2));
    head = head_after(entries.back(), chain_of(entries.back()));
  }
  KvBatch batch;  // Entry 2 was written whole; entry 3 never was.
  for (std::size_t i = 2; i < entries.size(); ++i) {
    if (i != 3) put_entry(batch, entries[i]);
  }
  batch.put(RocksLogDb::kMeta, anchor_key(0, head.entry_count), encode_anchor(head));
  edit_rows(dir.path(), batch);

  EXPECT_EQ(read_all(**open_reader(dir.path())).size(), 2U);
  {
    const auto log = open_log(dir.path());
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_EQ((*log)->report().unacknowledged_entries, 1U);
    EXPECT_EQ((*log)->report().quarantined_entries, 38U);
    EXPECT_EQ((*log)->quarantined_entries().value(), 38U);
    ASSERT_FALSE((*log)->findings().empty());
    EXPECT_NE((*log)->findings()[0].find("38 entries"), std::string::npos);
    EXPECT_EQ((*log)->head().entry_count, 3U);
    ASSERT_EQ((*log)->append(next_entry((*log)->head(), 2, 20, "new")), AppendOutcome::kCommitted);
    EXPECT_EQ(read_all(**log).size(), 4U);
  }
  EXPECT_EQ((*open_log(dir.path()))->report().quarantined_entries, 0U);

  const auto db = RocksLogDb::open(dir.file("log"), RocksLogDb::Mode::kReadWrite, nullptr);
  std::uint64_t number = 0;
  for (auto rows = (*db)->scan(RocksLogDb::kQuarantine, ""); rows->valid(); rows->next()) {
    EXPECT_EQ(number_of_quarantine_key(rows->key()), number);
    EXPECT_EQ(*decode_entry(rows->value()), entries[4 + number]);
    ++number;
  }
  EXPECT_EQ(number, 38U);
  EXPECT_FALSE((*(*db)->get(RocksLogDb::kMeta, anchor_key(0, head.entry_count))).has_value());
}

TEST(RocksLogTest, a_second_quarantine_does_not_overwrite_the_first) {
  const TempDir dir;
  std::vector<Entry> entries = make_log(dir.path(), {3});
  for (int round = 0; round < 2; ++round) {
    LogHead head = (*open_log(dir.path()))->head();
    ++head.entry_count;
    head.next_position += 5;
    KvBatch batch;
    put_entry(batch, next_entry(head, 2, 20, std::to_string(round)));
    edit_rows(dir.path(), batch);
    EXPECT_EQ((*open_log(dir.path()))->report().quarantined_entries, 1U);
  }
  const auto db = RocksLogDb::open(dir.file("log"), RocksLogDb::Mode::kReadWrite, nullptr);
  int rows = 0;
  for (auto row = (*db)->scan(RocksLogDb::kQuarantine, ""); row->valid(); row->next()) ++rows;
  EXPECT_EQ(rows, 2);
}

/// 300,000 small events: one anchor.
std::vector<Entry> make_anchored_log(const std::string& dir) {
  auto log = open_log(dir, true);
  std::vector<Entry> entries;
  while ((*log)->head().next_position < 300'000) {
    Entry entry = next_entry((*log)->head(), 0);
    entry.kind = EntryKind::kEvents;
    entry.count = 8'000;
    entry.last_recorded_at.micros += 5;
    for (std::uint32_t i = 0; i < entry.count; ++i) append_event_bytes(entry.body, "e");
    CHECK((*log)->append(entry) == AppendOutcome::kCommitted);
    entries.push_back(std::move(entry));
  }
  return entries;
}

TEST(RocksLogTest, opening_verifies_from_the_last_anchor_or_from_the_beginning) {
  const TempDir dir;
  const std::vector<Entry> entries = make_anchored_log(dir.path());
  RocksLog::Options options;
  EXPECT_EQ((*RocksLog::open(dir.path(), options))->report().verified_from, 256'000U);
  EXPECT_EQ((*RocksLog::open(dir.path(), options))->report().verified_entries, 6U);
  options.verify = RocksLog::Verify::kAll;
  EXPECT_EQ((*RocksLog::open(dir.path(), options))->report().verified_from, 0U);
  EXPECT_EQ((*RocksLog::open(dir.path(), options))->report().verified_entries, entries.size());

  KvBatch batch;
  erase_entry(batch, entries[7]);
  edit_rows(dir.path(), batch);
  EXPECT_EQ(RocksLog::open(dir.path(), options).status().code(), StatusCode::kCorrupt);
  options.verify = RocksLog::Verify::kTail;
  const auto log = RocksLog::open(dir.path(), options);
  ASSERT_TRUE(log.ok()) << "not looked at: that is what kAll is for";
  auto cursor = (*log)->read(0);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE((*cursor)->next().ok());
  EXPECT_EQ((*cursor)->next().status().code(), StatusCode::kCorrupt) << "but never read over";
  EXPECT_EQ((*cursor)->next().status().code(), StatusCode::kCorrupt);
}

TEST(RocksLogTest, a_doubtful_anchor_makes_opening_verify_everything) {
  const TempDir dir;
  const std::vector<Entry> entries = make_anchored_log(dir.path());
  const LogHead anchored = head_after(entries[31], chain_of(entries[31]));
  LogHead wrong = anchored;
  wrong.chain[0] ^= 1;
  for (const std::string& value :
       {encode_anchor(wrong), std::string("x"), encode_anchor(LogHead())}) {
    KvBatch batch;
    batch.put(RocksLogDb::kMeta, anchor_key(0, anchored.entry_count), value);
    edit_rows(dir.path(), batch);
    const auto log = open_log(dir.path());
    ASSERT_TRUE(log.ok()) << log.status().message();
    EXPECT_EQ((*log)->report().verified_entries, entries.size());
  }
}

TEST(RocksLogTest, a_deleted_write_ahead_log_is_refused) {
  const TempDir dir;
  make_log(dir.path(), {3, 4});
  ASSERT_FALSE(wal_of(dir.path()).empty());
  fs::remove(wal_of(dir.path()));
  expect_refused(dir.path(), {});
}

/// Opens a damaged copy. True if it was refused; fails the test if anything is missing or
/// different.
bool refused_or_harmless(const std::string& dir, const std::vector<Entry>& entries) {
  const auto log = open_log(dir);
  if (!log.ok()) return true;
  EXPECT_EQ((*log)->head().entry_count, entries.size());
  EXPECT_EQ(read_all(**log), entries);
  return false;
}

TEST(RocksLogTest, a_write_ahead_log_cut_short_anywhere_is_refused) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.file("a"), {3, 0, 4, 1});
  const std::string bytes = file_bytes(wal_of(dir.file("a")));
  int refused = 0;
  int cases = 0;
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 60) {
    copy_log(dir.file("a"), dir.file("b"));
    write_file(wal_of(dir.file("b")), bytes.substr(0, size));
    refused += refused_or_harmless(dir.file("b"), entries) ? 1 : 0;
    ++cases;
  }
  EXPECT_EQ(refused, cases);
}

TEST(RocksLogTest, no_flipped_bit_of_the_write_ahead_log_loses_anything_silently) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.file("a"), {3, 0, 4, 1});
  const std::string bytes = file_bytes(wal_of(dir.file("a")));
  int refused = 0;
  int cases = 0;
  for (std::size_t bit = 3; bit < 8 * bytes.size(); bit += 1 + bytes.size() * 8 / 100) {
    copy_log(dir.file("a"), dir.file("b"));
    write_file(wal_of(dir.file("b")), flipped(bytes, bit));
    refused += refused_or_harmless(dir.file("b"), entries) ? 1 : 0;
    ++cases;
  }
  EXPECT_GT(refused, cases * 9 / 10) << "of " << cases;
}

TEST(RocksLogTest, zeroed_sectors_of_the_write_ahead_log_lose_nothing_silently) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.file("a"), {300, 300, 300, 300});
  const std::string bytes = file_bytes(wal_of(dir.file("a")));
  ASSERT_GT(bytes.size(), 20U * 512);
  for (std::size_t sector = 0; sector + 512 < bytes.size(); sector += 1'024) {
    copy_log(dir.file("a"), dir.file("b"));
    write_file(wal_of(dir.file("b")), std::string(bytes).replace(sector, 512, 512, '\0'));
    EXPECT_TRUE(refused_or_harmless(dir.file("b"), entries)) << sector;
  }
}

// The older slot knows nothing of the last entry, so nothing else would tell that it is lost.
TEST(RocksLogTest, damage_to_the_last_entry_and_to_the_slot_that_acknowledged_it_is_refused) {
  const TempDir dir;
  std::size_t before = 0;
  {
    const auto log = open_log(dir.file("a"), true);
    append_all(**log, {3, 4});
    before = file_bytes(wal_of(dir.file("a"))).size();
    append_all(**log, {800});
  }
  const std::string wal = file_bytes(wal_of(dir.file("a")));
  const std::string slots = file_bytes(dir.file("a/log.watermark"));
  int refused = 0;
  for (const std::size_t slot : {std::size_t{0}, slots.size() / 2}) {
    for (std::size_t at = before; at < wal.size(); at += 1499) {
      copy_log(dir.file("a"), dir.file("b"));
      write_file(dir.file("b/log.watermark"), flipped(slots, slot * 8));
      write_file(wal_of(dir.file("b")), flipped(wal, at * 8));
      const auto log = open_log(dir.file("b"));
      const auto reader = open_reader(dir.file("b"));
      EXPECT_EQ(log.ok(), reader.ok());
      if (log.ok()) {
        EXPECT_EQ((*log)->head().next_position, 807U) << slot << ", " << at;
      } else {
        EXPECT_EQ(log.status().code(), StatusCode::kCorrupt);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 10);
}

TEST(RocksLogTest, a_reader_shows_what_the_damaged_slot_may_have_acknowledged) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.file("a"), {3, 4, 5});
  const std::string slots = file_bytes(dir.file("a/log.watermark"));
  for (const std::size_t slot : {std::size_t{0}, slots.size() / 2}) {
    write_file(dir.file("a/log.watermark"), flipped(slots, slot * 8));
    const auto reader = open_reader(dir.file("a"));
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ(read_all(**reader), entries);
    EXPECT_FALSE((*reader)->findings().empty());
  }
}

// What the damaged slot may have acknowledged and the log does not show is no secret.
TEST(RocksLogTest, rows_that_do_not_continue_the_log_are_told_by_a_reader_with_a_damaged_slot) {
  const TempDir dir;
  const std::vector<Entry> entries = make_log(dir.path(), {3, 4});
  const Entry gone = next_entry(head_after(entries[1], chain_of(entries[1])), 2);
  KvBatch batch;
  put_entry(batch, next_entry(head_after(gone, chain_of(gone)), 2));
  edit_rows(dir.path(), batch);
  const std::string slots = file_bytes(dir.file("log.watermark"));
  for (const std::size_t slot : {std::size_t{0}, slots.size() / 2}) {
    write_file(dir.file("log.watermark"), flipped(slots, slot * 8));
    const auto reader = open_reader(dir.path());
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ(read_all(**reader), entries);
    const auto findings = (*reader)->findings();
    const bool is_told = std::any_of(findings.begin(), findings.end(), [](const auto& found) {
      return found.find("does not continue it") != std::string::npos;
    });
    EXPECT_TRUE(is_told);
  }
}

TEST(RocksLogTest, a_torn_tail_that_was_not_acknowledged_is_dropped) {
  const TempDir dir;
  std::vector<Entry> entries;
  std::size_t acknowledged_bytes = 0;
  {
    const auto log = open_log(dir.file("a"), true);
    entries = append_all(**log, {3, 4});
    acknowledged_bytes = file_bytes(wal_of(dir.file("a"))).size();
    fs::copy_file(dir.file("a/log.watermark"), dir.file("watermark"));
    append_all(**log, {800});
  }
  fs::copy_file(dir.file("watermark"), dir.file("a/log.watermark"),
                fs::copy_options::overwrite_existing);
  const std::string bytes = file_bytes(wal_of(dir.file("a")));
  ASSERT_GT(bytes.size(), acknowledged_bytes + std::size_t{20} * 512);
  int torn = 0;
  for (std::size_t at = acknowledged_bytes; at + 512 < bytes.size(); at += 512) {
    copy_log(dir.file("a"), dir.file("b"));
    write_file(wal_of(dir.file("b")), std::string(bytes).replace(at, 512, 512, '\0'));
    {
      const auto reader = open_reader(dir.file("b"));
      ASSERT_TRUE(reader.ok()) << at << ": " << reader.status().message();
      EXPECT_EQ(read_all(**reader), entries) << at;
    }
    const auto log = open_log(dir.file("b"));
    ASSERT_TRUE(log.ok()) << at << ": " << log.status().message();
    EXPECT_EQ(read_all(**log), entries) << at;
    torn += (*log)->had_torn_tail() ? 1 : 0;
    const auto findings = (*log)->findings();
    const bool is_told = !findings.empty() && findings[0].find("torn") != std::string::npos;
    EXPECT_EQ(is_told, (*log)->had_torn_tail()) << at;
    append_all(**log, {1});
  }
  EXPECT_GT(torn, 10);
}

TEST(RocksLogTest, a_reader_beside_the_writer_changes_no_file) {
  const TempDir dir;
  auto writer = open_log(dir.path(), true);
  const std::vector<Entry> entries = append_all(**writer, {3, 4, 5});
  const auto before = files_of(dir.path());
  {
    const auto reader = open_reader(dir.path());
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ((*reader)->head(), (*writer)->head());
    EXPECT_EQ(read_all(**reader), entries);
  }
  EXPECT_TRUE(files_of(dir.path()) == before);
  append_all(**writer, {1});
}

TEST(RocksLogTest, readers_open_at_any_moment_of_a_busy_writer) {
  const TempDir dir;
  auto writer = open_log(dir.path(), true);
  append_all(**writer, {1});
  std::atomic<bool> done{false};
  std::thread appender([&writer, &done] {
    // Large enough for memtables to be flushed and write-ahead logs to be deleted on the way.
    for (int i = 0; i < 120; ++i) {
      CHECK((*writer)->append(next_entry((*writer)->head(), 50, 8'000)) ==
            AppendOutcome::kCommitted);
    }
    done = true;
  });
  int opened = 0;
  std::uint64_t last = 0;
  while (!done) {
    const auto reader = open_reader(dir.path());
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) break;
    EXPECT_GE((*reader)->head().entry_count, last);
    last = (*reader)->head().entry_count;
    ++opened;
  }
  appender.join();
  EXPECT_GT(opened, 0);
  EXPECT_EQ(read_all(**open_reader(dir.path())).size(), 121U);
}

}  // namespace
}  // namespace daybook::eventstore

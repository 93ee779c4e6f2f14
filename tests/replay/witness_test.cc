#include "replay/witness.h"

#include <csignal>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "eventstore/fake_log.h"
#include "eventstore/files.h"
#include "replay/verify.h"
#include "tests/eventstore/entries.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

using eventstore::FakeLog;
using eventstore::LogHead;

/// Some more entries, every third without events; `variant` makes another past.
void fill(FakeLog& log, int entries, const std::string& variant = "") {
  for (int i = 0; i < entries; ++i) {
    const LogHead head = log.head();
    const std::uint32_t count = head.entry_count % 3 == 2 ? 0 : 2;
    CHECK(log.append(eventstore::next_entry(head, count, 20, variant)) ==
          eventstore::AppendOutcome::kCommitted);
  }
}

TEST(WitnessTest, what_has_seen_nothing_agrees_with_every_log) {
  const eventstore::TempDir dir;
  const auto witness = Witness::make(dir.file("witness"), Seen());
  ASSERT_TRUE(witness.ok()) << witness.status().message();
  FakeLog log;
  EXPECT_TRUE((*witness)->check(log).ok());
  fill(log, 3);
  EXPECT_TRUE((*witness)->check(log).ok());
}

TEST(WitnessTest, a_log_that_went_on_holds_what_was_seen_at_every_point) {
  const eventstore::TempDir dir;
  FakeLog log;
  for (int i = 0; i < 12; ++i) {
    fill(log, 1);
    const std::string path = dir.file("witness" + std::to_string(i));
    ASSERT_TRUE((*Witness::make(path, Seen()))->remember(see(log)).ok());
  }
  for (int i = 0; i < 12; ++i) {
    const auto again = Witness::open(dir.file("witness" + std::to_string(i)));
    ASSERT_TRUE(again.ok());
    const Status held = (*again)->check(log);
    EXPECT_TRUE(held.ok()) << i << ": " << held.message();
  }
}

TEST(WitnessTest, a_log_that_was_rolled_back_is_named) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 6);
  const auto witness = Witness::make(dir.file("witness"), Seen());
  ASSERT_TRUE((*witness)->remember(see(log)).ok());
  FakeLog older;
  fill(older, 5);
  const Status held = (*witness)->check(older);
  EXPECT_EQ(held.code(), StatusCode::kCorrupt);
  EXPECT_NE(held.message().find("rolled back"), std::string::npos) << held.message();
}

TEST(WitnessTest, a_log_that_was_rolled_back_and_written_on_is_named) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 6);
  const auto witness = Witness::make(dir.file("witness"), Seen());
  ASSERT_TRUE((*witness)->remember(see(log)).ok());
  FakeLog other;
  fill(other, 4);
  fill(other, 6, "other");
  const Status held = (*witness)->check(other);
  EXPECT_EQ(held.code(), StatusCode::kCorrupt);
  EXPECT_NE(held.message().find("another past"), std::string::npos) << held.message();
}

TEST(WitnessTest, one_that_is_gone_is_not_made_in_silence) {
  const eventstore::TempDir dir;
  EXPECT_EQ(Witness::open(dir.file("witness")).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(eventstore::path_exists(dir.file("witness")));
}

TEST(WitnessTest, one_that_is_made_has_seen_the_head_it_is_given) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 6);
  ASSERT_TRUE(Witness::make(dir.file("witness"), see(log)).ok());
  FakeLog older;
  fill(older, 5);
  const auto again = Witness::open(dir.file("witness"));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->check(log).ok());
  EXPECT_EQ((*again)->check(older).code(), StatusCode::kCorrupt);
}

TEST(WitnessTest, up_to_when_the_log_was_closed_is_remembered) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 2);
  const Instant later{log.closed().micros + 1'000'000};
  ASSERT_TRUE(log.close(later).ok());
  ASSERT_TRUE((*Witness::make(dir.file("witness"), Seen()))->remember(see(log)).ok());
  EXPECT_EQ((*Witness::open(dir.file("witness")))->closed(), later);
  const auto seen = seen_by_witness(dir.file("witness"));
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(*seen, see(log));
}

TEST(WitnessTest, one_process_has_it_at_a_time) {
  const eventstore::TempDir dir;
  const std::string path = dir.file("witness");
  {
    const auto first = Witness::make(path, Seen());
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(Witness::open(path).status().code(), StatusCode::kConflict);
    EXPECT_TRUE(seen_by_witness(path).ok());
  }
  EXPECT_TRUE(Witness::open(path).ok());
}

TEST(WitnessTest, what_is_no_regular_file_is_refused_at_once) {
  const eventstore::TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  for (const std::string& path : {dir.file("pipe"), dir.file("")}) {
    EXPECT_EQ(Witness::open(path).status().code(), StatusCode::kIo) << path;
    EXPECT_EQ(seen_by_witness(path).status().code(), StatusCode::kIo) << path;
  }
}

TEST(WitnessTest, one_that_is_removed_or_replaced_takes_nothing_more) {
  const eventstore::TempDir dir;
  FakeLog log;
  const auto witness = Witness::make(dir.file("witness"), Seen());
  ASSERT_TRUE((*witness)->remember(see(log)).ok());
  eventstore::write_file(dir.file("other"), "");
  std::filesystem::rename(dir.file("other"), dir.file("witness"));
  EXPECT_EQ((*witness)->remember(see(log)).code(), StatusCode::kIo);
  fill(log, 1);
  EXPECT_EQ((*witness)->remember(see(log)).code(), StatusCode::kIo);

  const auto moved = Witness::make(dir.file("moved"), Seen());
  std::filesystem::rename(dir.file("moved"), dir.file("elsewhere"));
  EXPECT_EQ((*moved)->remember(see(log)).code(), StatusCode::kIo);
  std::filesystem::rename(dir.file("elsewhere"), dir.file("moved"));
  EXPECT_EQ((*moved)->remember(see(log)).code(), StatusCode::kIo) << "meanwhile it told nobody";
}

TEST(WitnessTest, one_that_is_there_is_not_made_again) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 3);
  const auto first = Witness::make(dir.file("witness"), see(log));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Witness::make(dir.file("witness"), Seen()).status().code(), StatusCode::kConflict);
  EXPECT_EQ(seen_by_witness(dir.file("witness"))->head, log.head());
}

TEST(WitnessTest, of_many_that_make_it_at_once_one_has_it) {
  const eventstore::TempDir dir;
  for (int round = 0; round < 20; ++round) {
    const std::string path = dir.file("witness" + std::to_string(round));
    std::vector<std::future<Result<std::unique_ptr<Witness>>>> tries;
    for (int i = 0; i < 4; ++i) {
      tries.push_back(
          std::async(std::launch::async, [&path] { return Witness::make(path, Seen()); }));
    }
    std::vector<Result<std::unique_ptr<Witness>>> outcomes;
    for (auto& one : tries) outcomes.push_back(one.get());
    int made = 0;
    for (const auto& outcome : outcomes) {
      if (outcome.ok()) {
        ++made;
        EXPECT_TRUE((*outcome)->remember(Seen()).ok());
      } else {
        EXPECT_EQ(outcome.status().code(), StatusCode::kConflict) << outcome.status().message();
      }
    }
    EXPECT_EQ(made, 1);
  }
}

TEST(WitnessTest, what_was_closed_stays_so) {
  const eventstore::TempDir dir;
  FakeLog log;
  fill(log, 2);
  const Instant later{log.closed().micros + 1'000'000};
  const auto witness = Witness::make(dir.file("witness"), Seen{log.head(), later});
  ASSERT_TRUE(witness.ok());
  fill(log, 1);
  ASSERT_LT(log.closed(), later);
  ASSERT_TRUE((*witness)->remember(see(log)).ok());
  EXPECT_EQ((*witness)->closed(), later);
  EXPECT_EQ(seen_by_witness(dir.file("witness"))->closed, later);
}

TEST(WitnessTest, a_damaged_slot_is_told_and_mended) {
  const eventstore::TempDir dir;
  const std::string path = dir.file("witness");
  FakeLog log;
  fill(log, 2);
  ASSERT_TRUE(Witness::make(path, see(log)).ok());
  std::string bytes = eventstore::file_bytes(path);
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  eventstore::write_file(path, bytes);
  std::vector<std::string> notes;
  EXPECT_TRUE(seen_by_witness(path, &notes).ok());
  EXPECT_EQ(notes.size(), 1U);
  {
    const auto witness = Witness::open(path);
    ASSERT_TRUE(witness.ok());
    EXPECT_EQ((*witness)->findings(), notes);
    ASSERT_TRUE((*witness)->remember(see(log)).ok());
  }
  EXPECT_TRUE((*Witness::open(path))->findings().empty());
}

TEST(WitnessTest, a_damaged_file_is_not_believed) {
  const eventstore::TempDir dir;
  eventstore::write_file(dir.file("witness"), std::string(8'192, 'x'));
  EXPECT_EQ(Witness::open(dir.file("witness")).status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(seen_by_witness(dir.file("none")).status().code(), StatusCode::kNotFound);
}

TEST(WitnessTest, one_that_could_not_be_made_whole_is_made_by_the_next_opening) {
  const eventstore::TempDir dir;
  // A disk without room, or a crash on the way: the name is there and the slots are not.
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {4'096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status refused = Witness::make(dir.file("witness"), Seen()).status();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(refused.ok());
  // What is left is no witness, neither for a start nor for verify.
  EXPECT_EQ(Witness::open(dir.file("witness")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(seen_by_witness(dir.file("witness")).status().code(), StatusCode::kNotFound);
  const auto again = Witness::make(dir.file("witness"), Seen());
  EXPECT_TRUE(again.ok()) << again.status().message();
  EXPECT_FALSE(eventstore::path_exists(dir.file("witness.new")));
}

TEST(WitnessTest, verify_finds_a_directory_that_was_put_back_as_a_whole) {
  const eventstore::TempDir dir;
  const std::string ledger = dir.file("ledger");
  TickingClock clock;
  make_ledger(ledger, clock, 50);
  std::filesystem::copy(ledger, dir.file("older"), std::filesystem::copy_options::recursive);
  const std::string path = dir.file("witness");
  {
    auto log = eventstore::RocksLog::open(ledger, {});
    ASSERT_TRUE(log.ok());
    const LogHead head = (*log)->head();
    ASSERT_EQ((*log)->append(eventstore::next_entry(head, 0)),
              eventstore::AppendOutcome::kCommitted);
    ASSERT_TRUE((*Witness::make(path, Seen()))->remember(see(**log)).ok());
  }
  VerifyOptions options;
  options.witness_file = path;
  const auto sound = verify(ledger, options);
  ASSERT_TRUE(sound.ok()) << sound.status().message();
  EXPECT_TRUE(sound->ok()) << to_text(*sound);
  const auto older = verify(dir.file("older"), options);
  ASSERT_TRUE(older.ok()) << older.status().message();
  ASSERT_FALSE(older->ok());
  EXPECT_EQ(older->difference->check, "witness");
}

}  // namespace
}  // namespace daybook::replay

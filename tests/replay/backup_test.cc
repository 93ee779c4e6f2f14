#include "replay/backup.h"

#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "replay/account_replay.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    make_ledger(dir(), clock_, 300);
    eventstore::write_file(LedgerFiles(dir()).admin_key, "dbk_secret\n");
  }

  std::string dir() const { return temp_.file("ledger"); }
  std::string out() const { return temp_.file("backup"); }
  std::string restored() const { return temp_.file("restored"); }

  TempDir temp_;
  TickingClock clock_;
};

TEST_F(BackupTest, a_backup_is_the_log_entry_by_entry_and_the_private_store) {
  const auto report = backup(dir(), out(), clock_);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(entries_of(out()), entries_of(dir()));
  EXPECT_GT(report->private_values, 0u);
  EXPECT_EQ(report->missing_values, 0u);
  const auto sound = verify(out());
  ASSERT_TRUE(sound.ok() && sound->ok());
  EXPECT_EQ(sound->private_values, verify(dir())->private_values);
  struct stat info = {};
  ASSERT_EQ(::stat(LedgerFiles(out()).admin_key.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_NE(
      eventstore::file_bytes(out() + "/backup.json").find(eventstore::to_hex(report->head.chain)),
      std::string::npos);
}

TEST_F(BackupTest, an_existing_directory_is_never_written_to) {
  std::filesystem::create_directory(out());
  EXPECT_EQ(backup(dir(), out(), clock_).status().code(), StatusCode::kConflict);
  EXPECT_TRUE(std::filesystem::is_empty(out()));
}

TEST_F(BackupTest, a_ledger_that_is_not_there_leaves_nothing_behind) {
  EXPECT_EQ(backup(temp_.file("absent"), out(), clock_).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(eventstore::path_exists(out()));
}

TEST_F(BackupTest, a_ledger_that_is_being_written_gives_backups_that_restore) {
  LedgerRig rig(dir(), clock_);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    RandomCommands commands(rig, clock_, 99);
    while (!done) commands.run(50);
  });
  std::uint64_t before = 0;
  for (int i = 0; i < 5; ++i) {
    const std::string at = out() + std::to_string(i);
    const auto report = backup(dir(), at, clock_);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_GT(report->head.next_position, before);
    before = report->head.next_position;
    EXPECT_EQ(report->missing_values, 0u);
    const auto made = restore(at, restored() + std::to_string(i), clock_);
    EXPECT_TRUE(made.ok()) << made.status().message();
  }
  done = true;
  writer.join();
}

TEST_F(BackupTest, a_restored_ledger_goes_on_under_the_next_generation) {
  const auto saved = backup(dir(), out(), clock_);
  ASSERT_TRUE(saved.ok());
  const auto report = restore(out() + "/", restored() + "/", clock_);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->head.generation, 1u);
  EXPECT_EQ(report->head.next_position, saved->head.next_position);
  EXPECT_EQ(eventstore::file_bytes(LedgerFiles(restored()).admin_key), "dbk_secret\n");
  EXPECT_TRUE(verify(restored())->ok());

  ReplayQuery query;
  query.account = AccountId("a1");
  query.tenant = TenantId("north");
  const auto old = replay_account(dir(), query);
  const auto fresh = replay_account(restored(), query);
  ASSERT_TRUE(old.ok() && fresh.ok());
  EXPECT_EQ(fresh->state, old->state);
  EXPECT_EQ(to_json(*fresh).find("\"position\":\"1.0:") == std::string::npos, false);

  make_ledger(restored(), clock_, 100, 5);
  const auto sound = verify(restored());
  ASSERT_TRUE(sound.ok() && sound->ok());
  EXPECT_GT(sound->head.next_position, saved->head.next_position);
  EXPECT_EQ(sound->head.generation, 1u);
  EXPECT_EQ(sound->tables.size(), projections::kTableCount);
}

TEST_F(BackupTest, a_restored_ledger_can_be_saved_and_restored_again) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  ASSERT_TRUE(restore(out(), restored(), clock_).ok());
  ASSERT_TRUE(backup(restored(), out() + "2", clock_).ok());
  const auto again = restore(out() + "2", restored() + "2", clock_);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->head.generation, 2u);
}

TEST_F(BackupTest, restore_takes_an_empty_directory_and_no_other) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  std::filesystem::create_directory(restored());
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kConflict);
  EXPECT_EQ(restore(out(), dir(), clock_).status().code(), StatusCode::kConflict);
}

TEST_F(BackupTest, a_backup_that_was_not_finished_is_refused) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  std::filesystem::remove(out() + "/backup.json");
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(restore(temp_.file("absent"), restored(), clock_).status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(eventstore::path_exists(restored()));
}

TEST_F(BackupTest, a_flipped_byte_in_any_file_is_refused_with_its_name) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  int files = 0;
  for (const auto& item : std::filesystem::recursive_directory_iterator(out())) {
    const std::string path = item.path().string();
    if (!item.is_regular_file() || item.file_size() == 0) continue;
    if (item.path().filename() == "backup.json") continue;
    ++files;
    const std::string sound = eventstore::file_bytes(path);
    std::string damaged = sound;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    eventstore::write_file(path, damaged);
    const auto report = restore(out(), restored(), clock_);
    EXPECT_EQ(report.status().code(), StatusCode::kCorrupt) << path;
    EXPECT_NE(report.status().message().find(item.path().filename().string()), std::string::npos)
        << report.status().message();
    eventstore::write_file(path, sound);
  }
  EXPECT_GT(files, 8);
  EXPECT_FALSE(eventstore::path_exists(restored()));
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
}

TEST_F(BackupTest, a_file_that_is_missing_or_added_is_refused) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  eventstore::write_file(out() + "/log/000999.log", "x");
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kCorrupt);
  std::filesystem::remove(out() + "/log/000999.log");
  std::filesystem::remove(LedgerFiles(out()).admin_key);
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kCorrupt);
}

TEST_F(BackupTest, a_forged_ledger_is_refused_by_its_numbers) {
  std::vector<Entry> entries = entries_of(dir());
  // A backup of it is whole, file by file; what it says is not.
  entries.back().first_recorded_at.micros += 1;
  entries.back().last_recorded_at.micros += 1;
  forge_log(dir(), std::move(entries));
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  const auto report = restore(out(), restored(), clock_);
  EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(report.status().message().find("recorded_at"), std::string::npos)
      << report.status().message();
}

TEST_F(BackupTest, a_leftover_of_an_interrupted_restore_is_replaced) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  std::filesystem::create_directory(restored() + ".restoring");
  eventstore::write_file(restored() + ".restoring/log.watermark", "half");
  ASSERT_TRUE(restore(out(), restored(), clock_).ok());
  EXPECT_FALSE(eventstore::path_exists(restored() + ".restoring"));
  EXPECT_TRUE(verify(restored())->ok());
}

TEST_F(BackupTest, what_was_erased_is_not_in_the_backup) {
  {
    LedgerRig rig(dir(), clock_);
    Command command;
    command.tenant = TenantId("north");
    command.account = AccountId("a0");
    command.body = domain::AccountCommand(domain::ErasePrivateData{{}});
    command.actor = "key:k1";
    ASSERT_EQ(rig.run(command).kind, AnswerKind::kRecorded);
  }
  const auto report = backup(dir(), out(), clock_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->missing_values, 0u);
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
}

}  // namespace
}  // namespace daybook::replay

#include "replay/backup.h"

#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "replay/account_replay.h"
#include "replay/rebuild.h"
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
    while (!done) commands.run(50);  // Values that are named and erased among them.
  });
  std::uint64_t before = 0;
  for (int i = 0; i < 5; ++i) {
    const std::string at = out() + std::to_string(i);
    const auto report = backup(dir(), at, clock_);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_GT(report->head.next_position, before);
    before = report->head.next_position;
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
  // The second of the restore: 2026-01-31T10:00:00Z and some.
  const std::uint32_t generation = report->head.generation;
  EXPECT_GE(generation, 1'769'853'600u);
  EXPECT_LT(generation, 1'769'853'600u + 3'600u);
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
  EXPECT_NE(to_json(*fresh).find("\"position\":\"" + std::to_string(generation) + ".0:"),
            std::string::npos);

  make_ledger(restored(), clock_, 100, 5);
  const auto sound = verify(restored());
  ASSERT_TRUE(sound.ok() && sound->ok());
  EXPECT_GT(sound->head.next_position, saved->head.next_position);
  EXPECT_EQ(sound->head.generation, generation);
  EXPECT_EQ(sound->tables.size(), projections::kTableCount);
}

TEST_F(BackupTest, a_restored_ledger_can_be_saved_and_restored_again) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  ASSERT_TRUE(restore(out(), restored(), clock_).ok());
  ASSERT_TRUE(backup(restored(), out() + "2", clock_).ok());
  const auto first = verify(restored())->head.generation;
  const auto again = restore(out() + "2", restored() + "2", clock_);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_GT(again->head.generation, first);
}

TEST_F(BackupTest, two_restores_of_one_backup_are_two_generations) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  const eventstore::SystemClock clock;
  const auto first = restore(out(), restored(), clock);
  const auto second = restore(out(), restored() + "2", clock);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_LT(first->head.generation, second->head.generation);
}

TEST_F(BackupTest, what_follows_a_restore_is_replayed_and_reversed) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  ASSERT_TRUE(restore(out(), restored(), clock_).ok());
  Command top_up;
  top_up.tenant = TenantId("north");
  top_up.account = AccountId("a0");
  top_up.actor = "key:k1";
  top_up.idempotency_key = "first-of-the-restored";
  top_up.fingerprint = 77;
  top_up.body = domain::AccountCommand(domain::TopUp{money("5.00"), {}, {}, {}});
  std::uint64_t version = 0;
  {
    LedgerRig rig(restored(), clock_);
    const Answer answer = rig.run(top_up);
    ASSERT_EQ(answer.kind, AnswerKind::kRecorded);
    version = answer.event->event.version;
  }
  // Nothing in memory: the index must find them in the log.
  LedgerRig rig(restored(), clock_);
  const Answer again = rig.run(top_up);
  ASSERT_EQ(again.kind, AnswerKind::kReplayed);
  EXPECT_EQ(again.event->event.version, version);
  Command reversal = top_up;
  reversal.idempotency_key = "reversal";
  reversal.body = domain::AccountCommand(domain::ReverseTopUp{{version}, {}});
  EXPECT_EQ(rig.run(reversal).kind, AnswerKind::kRecorded);
  EXPECT_EQ(rig.run(reversal).kind, AnswerKind::kReplayed);
}

TEST_F(BackupTest, a_ledger_without_its_secrets_is_neither_saved_nor_restored) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  std::filesystem::remove_all(LedgerFiles(dir()).private_store);
  const auto report = backup(dir(), out() + "2", clock_);
  EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(report.status().message().find("api-keys"), std::string::npos);
  EXPECT_FALSE(eventstore::path_exists(out() + "2"));
  for (const std::string_view name : kSecretNames) {
    SCOPED_TRACE(name);
    const std::string at = temp_.file("without-" + std::string(name));
    copy_tree(out(), at);
    {
      const auto store = open_private(at, RocksKv::Mode::kReadWrite);
      eventstore::KvBatch batch;
      batch.erase(eventstore::PrivateStore::kSecrets, std::string(name));
      ASSERT_TRUE((*store)->write(batch).ok());
    }
    const auto sound = verify(at);
    ASSERT_TRUE(sound.ok() && !sound->ok());
    EXPECT_NE(sound->difference->found.find(name), std::string::npos);
    EXPECT_EQ(backup(at, at + "-again", clock_).status().code(), StatusCode::kCorrupt);
  }
}

TEST_F(BackupTest, restore_takes_an_empty_directory_and_no_other) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  std::filesystem::create_directory(restored());
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kConflict);
  EXPECT_EQ(restore(out(), dir(), clock_).status().code(), StatusCode::kConflict);
}

TEST_F(BackupTest, what_is_not_finished_yet_is_nobodys_ledger) {
  std::vector<StatusCode> codes;
  ASSERT_TRUE(backup(dir(), out(), clock_, [&](BackupStage) {
                codes.push_back(check_no_backup(out()).code());
                EXPECT_EQ(rebuild(out(), clock_).status().code(), StatusCode::kConflict);
                EXPECT_EQ(restore(out(), restored(), clock_).status().code(),
                          StatusCode::kNotFound);
              }).ok());
  EXPECT_EQ(codes, std::vector<StatusCode>(2, StatusCode::kConflict));
  const std::string mark = out() + "/backup.unfinished";
  EXPECT_FALSE(eventstore::path_exists(mark));
  EXPECT_EQ(check_no_backup(out()).code(), StatusCode::kConflict) << "a finished one, too";
  // Killed between the two: whole, and not known to be.
  std::ofstream(mark).close();
  EXPECT_EQ(restore(out(), restored(), clock_).status().code(), StatusCode::kNotFound);
  std::filesystem::remove(mark);
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
}

TEST_F(BackupTest, nothing_is_made_in_a_backup_and_no_other_file_makes_one) {
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  ASSERT_TRUE(backup(dir(), temp_.file("other"), clock_).ok());
  std::filesystem::create_directory_symlink(out(), temp_.file("link"));
  for (const std::string& place :
       {out() + "/more", out() + "/log/../more/", out() + "/a/b/c", temp_.file("link/more")}) {
    EXPECT_EQ(check_outside_backups(place).code(), StatusCode::kConflict) << place;
    EXPECT_EQ(backup(dir(), place, clock_).status().code(), StatusCode::kConflict) << place;
    EXPECT_EQ(restore(temp_.file("other"), place, clock_).status().code(), StatusCode::kConflict)
        << place;
  }
  EXPECT_TRUE(restore(out(), restored(), clock_).ok()) << "it is as it was";
  // Of somebody's backup job.
  std::filesystem::create_directory(temp_.file("jobs"));
  std::ofstream(temp_.file("jobs/backup.json")) << "{}";
  EXPECT_TRUE(backup(dir(), temp_.file("jobs/today"), clock_).ok());
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

/// Whether the bytes stand in any file below the directory.
bool holds(const std::string& dir, const std::string& bytes) {
  for (const auto& item : std::filesystem::recursive_directory_iterator(dir)) {
    if (!item.is_regular_file() || item.file_size() == 0) continue;
    if (eventstore::file_bytes(item.path().string()).find(bytes) != std::string::npos) return true;
  }
  return false;
}

TEST_F(BackupTest, what_was_erased_is_not_in_the_backup) {
  const std::string name = "Q7 Unmistakable Name";
  Command command;
  command.tenant = TenantId("north");
  command.account = AccountId("a0");
  command.actor = "key:k1";
  {
    LedgerRig rig(dir(), clock_);
    const auto value = rig.values().put(command.tenant, command.account, name);
    ASSERT_TRUE(value.ok());
    command.body = domain::AccountCommand(domain::SetTag{{}, "owner", "someone", *value});
    ASSERT_EQ(rig.run(command).kind, AnswerKind::kRecorded);
  }
  ASSERT_TRUE(backup(dir(), out() + "-before", clock_).ok());
  EXPECT_TRUE(holds(out() + "-before", name));
  {
    LedgerRig rig(dir(), clock_);
    command.body = domain::AccountCommand(domain::ErasePrivateData{{}});
    ASSERT_EQ(rig.run(command).kind, AnswerKind::kRecorded);
  }
  const auto report = backup(dir(), out(), clock_);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(holds(out(), name));
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
  EXPECT_FALSE(holds(restored(), name));
}

}  // namespace
}  // namespace daybook::replay

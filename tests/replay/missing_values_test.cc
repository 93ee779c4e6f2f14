#include "replay/missing_values.h"

#include <gtest/gtest.h>

#include "replay/backup.h"
#include "replay/verify.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

using domain::PrivateValue;

class MissingValuesTest : public testing::Test {
 protected:
  std::string dir() const { return temp_.file("ledger"); }
  std::string out() const { return temp_.file("backup"); }
  std::string restored() const { return temp_.file("restored"); }

  static Command of(const std::string& account, domain::AccountCommand body) {
    Command command;
    command.tenant = TenantId("north");
    command.account = AccountId(account);
    command.actor = "key:k1";
    command.body = std::move(body);
    return command;
  }
  static void run(LedgerRig& rig, const std::string& account, domain::AccountCommand body) {
    ASSERT_EQ(rig.run(of(account, std::move(body))).kind, AnswerKind::kRecorded);
  }
  static void open_account(LedgerRig& rig, const std::string& account) {
    run(rig, account, domain::OpenAccount{usd(), {}, {}});
  }
  static PrivateValue put(LedgerRig& rig, const std::string& account, const std::string& tag) {
    const auto value = rig.values().put(TenantId("north"), AccountId(account), "Some Name");
    EXPECT_TRUE(value.ok());
    run(rig, account, domain::SetTag{{}, tag, "x", *value});
    return *value;
  }
  static void erase(LedgerRig& rig, const std::string& account) {
    run(rig, account, domain::ErasePrivateData{});
    // The store has it, too: not until then does a client hear of it.
    EXPECT_TRUE(rig.wait_until_erased());
  }
  /// As a damaged store would.
  void lose(const std::string& account, const PrivateValue& value) {
    const auto kv = open_private(dir(), RocksKv::Mode::kReadWrite);
    ASSERT_TRUE(kv.ok());
    eventstore::KvBatch batch;
    batch.erase(
        eventstore::PrivateStore::kValues,
        eventstore::PrivateStore::key_of(TenantId("north"), AccountId(account), value.reference));
    ASSERT_TRUE((*kv)->write(batch).ok());
  }

  TempDir temp_;
  TickingClock clock_;
};

TEST_F(MissingValuesTest, a_lost_value_is_found_though_an_older_one_was_erased) {
  PrivateValue value;
  {
    LedgerRig rig(dir(), clock_);
    open_account(rig, "a");
    put(rig, "a", "first");
    erase(rig, "a");
    value = put(rig, "a", "second");
  }
  ASSERT_TRUE(verify(dir())->ok());
  lose("a", value);
  const auto report = verify(dir());
  ASSERT_TRUE(report.ok());
  ASSERT_FALSE(report->ok());
  EXPECT_EQ(report->difference->check, "private");
  EXPECT_EQ(report->difference->where, "tag second of account north/a, version 4");
}

TEST_F(MissingValuesTest, a_lost_value_stops_the_backup_with_its_name_and_an_erasure_settles_it) {
  PrivateValue value;
  {
    LedgerRig rig(dir(), clock_);
    open_account(rig, "a");
    value = put(rig, "a", "owner");
  }
  lose("a", value);
  int tries = 0;
  const auto failed = backup(dir(), out(), clock_, [&](BackupStage stage) {
    tries += stage == BackupStage::kPrivateCopied ? 1 : 0;
  });
  EXPECT_EQ(failed.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(failed.status().message().find("1 value that the log names is gone"), std::string::npos)
      << failed.status().message();
  EXPECT_NE(failed.status().message().find("tag owner of account north/a, version 2"),
            std::string::npos);
  EXPECT_EQ(tries, 5);
  EXPECT_FALSE(eventstore::path_exists(out()));
  {
    LedgerRig rig(dir(), clock_);
    erase(rig, "a");
  }
  ASSERT_TRUE(backup(dir(), out(), clock_).ok());
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
}

TEST_F(MissingValuesTest, an_erasure_beside_a_backup_is_in_it) {
  LedgerRig rig(dir(), clock_);
  for (const char* account : {"a", "b"}) {
    open_account(rig, account);
    put(rig, account, "owner");
  }
  const std::uint64_t before = rig.log().head().next_position;
  const auto made = backup(dir(), out(), clock_, [&](BackupStage stage) {
    if (stage != BackupStage::kLogCopied) return;
    put(rig, "b", "more");
    erase(rig, "a");
    put(rig, "a", "again");
  });
  ASSERT_TRUE(made.ok()) << made.status().message();
  // Up to the erasure and no further.
  EXPECT_EQ(made->head.next_position, before + 2);
  EXPECT_EQ(entries_of(out()).size(), entries_of(dir()).size() - 1);
  const auto back = restore(out(), restored(), clock_);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(verify(restored())->private_values, 2u);
}

TEST_F(MissingValuesTest, a_value_that_came_after_the_private_copy_is_left_to_the_next_backup) {
  LedgerRig rig(dir(), clock_);
  open_account(rig, "a");
  put(rig, "a", "owner");
  const auto made = backup(dir(), out(), clock_, [&](BackupStage stage) {
    if (stage == BackupStage::kLogCopied) erase(rig, "a");
    if (stage == BackupStage::kPrivateCopied) put(rig, "a", "late");
  });
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->head.next_position, rig.log().head().next_position - 1);
  EXPECT_TRUE(restore(out(), restored(), clock_).ok());
}

TEST_F(MissingValuesTest, an_erasure_beyond_the_log_that_was_read_explains_what_is_missing) {
  LedgerRig rig(dir(), clock_);
  open_account(rig, "a");
  put(rig, "a", "owner");
  const auto log = open_log_for_reading(dir());
  ASSERT_TRUE(log.ok());
  erase(rig, "a");
  put(rig, "a", "again");
  erase(rig, "a");
  const auto kv = open_private(dir(), RocksKv::Mode::kReadOnly);
  ASSERT_TRUE(kv.ok());
  MissingValues missing(kv->get());
  auto cursor = (*log)->read(0);
  for (;;) {
    auto entry = (*cursor)->next();
    ASSERT_TRUE(entry.ok());
    if (!*entry) break;
    const auto decoded = eventstore::decode_events(std::move(**entry));
    for (const auto& event : decoded->events) ASSERT_FALSE(*missing.take(event));
  }
  ASSERT_EQ(missing.count(), 1u);
  ASSERT_TRUE(settle_beyond(**log, (*log)->head(), missing).ok());
  EXPECT_EQ(missing.count(), 1u) << "the log ends before the erasure";
  ASSERT_TRUE(settle_beyond(rig.log(), (*log)->head(), missing).ok());
  EXPECT_TRUE(missing.none());
}

TEST_F(MissingValuesTest, accounts_beyond_the_bound_are_an_error) {
  MissingValues missing(nullptr, 2);
  domain::RecordedEvent event;
  event.event = domain::TagSet{{}, "owner", "x", PrivateValue{"r", "c"}, {}};
  for (const char* account : {"a", "b", "a"}) {
    event.stream = domain::StreamId::account(TenantId("north"), AccountId(account));
    EXPECT_TRUE(missing.take(event).ok());
  }
  EXPECT_EQ(missing.count(), 3u);
  event.stream = domain::StreamId::account(TenantId("north"), AccountId("c"));
  EXPECT_EQ(missing.take(event).status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace daybook::replay

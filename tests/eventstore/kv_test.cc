// What is particular to one kind of KvStore. What all promise: tests/contract/kv_contract_test.cc.
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "eventstore/memory_kv.h"
#include "eventstore/rocks_kv.h"
#include "eventstore/rocks_kv_testing.h"
#include "tests/eventstore/failing_disk.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

const std::vector<TableSpec> kTables = {{"points", TableSpec::Use::kPointLookups}, {"rows"}};

KvBatch batch_of(int number) {
  KvBatch batch;
  for (Table table = 0; table < 2; ++table) {
    batch.put(table, "checkpoint", std::to_string(number));
    batch.put(table, "row" + std::to_string(number), "x");
  }
  return batch;
}

/// The checkpoint of a table; fails unless its rows are exactly those of the batches up to it.
int checked_prefix(const KvStore& store, Table table) {
  const auto reader = store.snapshot();
  const auto checkpoint = *reader->get(table, "checkpoint");
  const int last = checkpoint ? std::stoi(*checkpoint) : 0;
  int rows = 0;
  for (auto cursor = reader->scan(table, "row", "rox"); cursor->valid(); cursor->next()) ++rows;
  EXPECT_EQ(rows, last);
  return last;
}

Result<std::unique_ptr<RocksKv>> open_rocks(const std::string& path, RocksKv::Mode mode,
                                            bool durable = false) {
  RocksKv::Options options;
  options.mode = mode;
  options.durable = durable;
  return RocksKv::open(path, kTables, options);
}

TEST(MemoryKvTest, a_crash_leaves_what_was_flushed_and_a_prefix_per_table) {
  std::set<std::pair<int, int>> outcomes;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    MemoryKv store(2);
    for (int i = 1; i <= 8; ++i) {
      ASSERT_TRUE(store.write(batch_of(i)).ok());
      if (i == 3) {
        ASSERT_TRUE(store.flush().ok());
      }
    }
    store.crash(seed);
    const std::pair<int, int> left(checked_prefix(store, 0), checked_prefix(store, 1));
    EXPECT_GE(std::min(left.first, left.second), 3);
    outcomes.insert(left);
    store.crash(seed + 1);
    EXPECT_EQ(left, std::pair(checked_prefix(store, 0), checked_prefix(store, 1)));
  }
  EXPECT_EQ(outcomes.size(), 36U) << "every pair of prefixes happens";
}

TEST(MemoryKvTest, what_is_never_flushed_is_bounded) {
  MemoryKv store(2);
  for (int i = 1; i <= 5'000; ++i) ASSERT_TRUE(store.write(batch_of(i)).ok());
  store.crash(0);
  EXPECT_GT(checked_prefix(store, 0), 4'000);
}

TEST(MemoryKvTest, a_flush_that_was_begun_has_ended_when_the_next_one_begins) {
  bool everything_was_lost = false;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    MemoryKv store(2);
    ASSERT_TRUE(store.write(batch_of(1)).ok());
    ASSERT_TRUE(store.begin_flush().ok());
    if (seed % 2 == 0) {
      ASSERT_TRUE(store.write(batch_of(2)).ok());
      ASSERT_TRUE(store.begin_flush().ok());
    }
    store.crash(seed);
    if (seed % 2 == 0) {
      EXPECT_GE(checked_prefix(store, 0), 1);
    } else {
      everything_was_lost = everything_was_lost || checked_prefix(store, 0) == 0;
    }
  }
  EXPECT_TRUE(everything_was_lost);
}

/// Batches 1 to 5, flush, 6 to 8, death.
[[noreturn]] void write_and_die(const std::string& path, bool durable) {
  const auto store = open_rocks(path, RocksKv::Mode::kReadWrite, durable);
  for (int i = 1; i <= 5; ++i) CHECK((*store)->write(batch_of(i)).ok());
  CHECK((*store)->flush().ok());
  for (int i = 6; i <= 8; ++i) CHECK((*store)->write(batch_of(i)).ok());
  ::kill(::getpid(), SIGKILL);
  ::_exit(1);
}

TEST(RocksKvDeathTest, a_killed_process_leaves_what_was_flushed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const SharedTempDir dir;
  EXPECT_EXIT(write_and_die(dir.file("kv"), false), ::testing::KilledBySignal(SIGKILL), "");
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_EQ(checked_prefix(**store, 0), 5);
  EXPECT_EQ(checked_prefix(**store, 1), 5);
}

TEST(RocksKvDeathTest, a_killed_process_leaves_every_write_of_a_durable_store) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const SharedTempDir dir;
  EXPECT_EXIT(write_and_die(dir.file("kv"), true), ::testing::KilledBySignal(SIGKILL), "");
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite, true);
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_EQ(checked_prefix(**store, 0), 8);
  EXPECT_EQ(checked_prefix(**store, 1), 8);
}

/// Batch 1, ingested 2, 3, death.
[[noreturn]] void ingest_and_die(const std::string& path) {
  const auto store = open_rocks(path, RocksKv::Mode::kReadWrite);
  CHECK((*store)->write(batch_of(1)).ok());
  CHECK((*store)->ingest(batch_of(2)).ok());
  CHECK((*store)->write(batch_of(3)).ok());
  ::kill(::getpid(), SIGKILL);
  ::_exit(1);
}

TEST(RocksKvDeathTest, a_killed_process_leaves_what_was_ingested_and_all_before_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const SharedTempDir dir;
  EXPECT_EXIT(ingest_and_die(dir.file("kv")), ::testing::KilledBySignal(SIGKILL), "");
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_EQ(checked_prefix(**store, 0), 2);
  EXPECT_EQ(checked_prefix(**store, 1), 2);
}

TEST(RocksKvTest, sorted_files_that_a_dead_process_left_are_removed_by_the_next_writer) {
  const TempDir dir;
  ASSERT_TRUE((*open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite))->write(batch_of(1)).ok());
  const std::filesystem::path left = dir.file("kv") + "/ingest/0.sst";
  std::filesystem::create_directories(left.parent_path());
  write_file(left, "half a file");
  ASSERT_TRUE(open_rocks(dir.file("kv"), RocksKv::Mode::kReadOnly).ok());
  EXPECT_TRUE(std::filesystem::exists(left)) << "a reader changes nothing";
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_FALSE(std::filesystem::exists(left));
  ASSERT_TRUE((*store)->ingest(batch_of(2)).ok());
  EXPECT_EQ(checked_prefix(**store, 0), 2);
  EXPECT_TRUE(std::filesystem::is_empty(left.parent_path())) << "nothing is left of it";
}

TEST(RocksKvTest, sorted_files_that_cannot_be_removed_are_an_error) {
  const TempDir dir;
  ASSERT_TRUE((*open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite))->write(batch_of(1)).ok());
  if (::geteuid() == 0) GTEST_SKIP() << "rights do not stop root";
  const std::string held = dir.file("kv") + "/ingest/held";
  std::filesystem::create_directories(held);
  write_file(held + "/0.sst", "half a file");
  std::filesystem::permissions(held, std::filesystem::perms::owner_read);
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  std::filesystem::permissions(held, std::filesystem::perms::owner_all);
  EXPECT_EQ(store.status().code(), StatusCode::kIo) << store.status().message();
}

TEST(RocksKvTest, a_get_while_files_are_taken_in_sees_a_table_as_it_was_or_as_it_is) {
  const TempDir dir;
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  constexpr int kBatches = 40;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 1; i <= kBatches; ++i) CHECK((*store)->ingest(batch_of(i)).ok());
    done = true;
  });
  int last = 0;
  while (!done) {
    const auto value = *(*store)->get(1, "checkpoint");
    const int seen = value ? std::stoi(*value) : 0;
    ASSERT_GE(seen, last);
    last = seen;
  }
  writer.join();
  EXPECT_EQ(checked_prefix(**store, 0), kBatches);
}

TEST(RocksKvTest, a_batch_that_is_not_in_order_is_not_ingested_and_fails_the_store) {
  const TempDir dir;
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  KvBatch batch;
  batch.put(0, "b", "1");
  batch.put(0, "a", "1");
  EXPECT_FALSE((*store)->ingest(batch).ok());
  EXPECT_FALSE((*store)->get(0, "b")->has_value());
  EXPECT_FALSE((*store)->write(batch_of(1)).ok());
  EXPECT_FALSE((*store)->ingest(batch_of(1)).ok());
}

/// Whether it holds before long: what is waited for is done by threads of RocksDB.
bool holds_soon(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// Whether a reader beside the writer sees the batch before long.
bool is_flushed(const std::string& path, int number) {
  return holds_soon([&] {
    const auto reader = open_rocks(path, RocksKv::Mode::kReadOnly);
    return reader.ok() && checked_prefix(**reader, 0) == number &&
           checked_prefix(**reader, 1) == number;
  });
}

TEST(RocksKvTest, a_flush_that_was_begun_ends_by_itself) {
  const TempDir dir;
  auto writer = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE((*writer)->write(batch_of(1)).ok());
  ASSERT_TRUE((*writer)->begin_flush().ok());
  ASSERT_TRUE((*writer)->write(batch_of(2)).ok());
  EXPECT_TRUE(is_flushed(dir.file("kv"), 1));
  ASSERT_TRUE((*writer)->begin_flush().ok());
  ASSERT_TRUE((*writer)->flush().ok());
  EXPECT_TRUE(is_flushed(dir.file("kv"), 2));
}

TEST(RocksKvTest, a_flush_that_fails_behind_the_writer_is_told_to_it) {
  const TempDir dir;
  Disk disk;
  auto store = open_rocks_kv_for_test(dir.file("kv"), kTables, {}, disk.env.get());
  ASSERT_TRUE(store.ok()) << store.status().message();
  ASSERT_TRUE((*store)->write(batch_of(1)).ok());
  disk.faults.tables_fail = true;
  ASSERT_TRUE((*store)->begin_flush().ok());
  ASSERT_TRUE(holds_soon([&] { return !(*store)->failure().ok(); }));
  disk.faults.tables_fail = false;
  for (const Status& said : {(*store)->write(batch_of(2)), (*store)->flush(),
                             (*store)->ingest(batch_of(2)), (*store)->begin_flush()}) {
    EXPECT_EQ(said.code(), StatusCode::kIo);
    EXPECT_NE(said.message().find("/kv: background job: "), std::string::npos) << said.message();
  }
}

/// A store whose flushes do not end while it is held.
class HeldFlushTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_rocks_kv_for_test(dir_.file("kv"), kTables, {}, disk_.env.get());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(*opened);
    ASSERT_TRUE(store_->write(batch_of(1)).ok());
    disk_.faults.hold(true);
    ASSERT_TRUE(store_->begin_flush().ok());
  }
  void TearDown() override { disk_.faults.hold(false); }

  /// More than one memtable of a table takes.
  Status fill() {
    KvBatch batch;
    for (int i = 0; i < 34; ++i) {
      batch.put(1, "large" + std::to_string(i), std::string(std::size_t{1} << 20, 'x'));
    }
    return store_->write(batch);
  }

  const TempDir dir_;
  Disk disk_;
  std::unique_ptr<RocksKv> store_;
};

TEST_F(HeldFlushTest, writes_go_on_and_the_next_one_waits_for_it) {
  ASSERT_TRUE(store_->write(batch_of(2)).ok());
  auto next = std::async(std::launch::async, [this] { return store_->begin_flush(); });
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  ASSERT_TRUE(store_->write(batch_of(3)).ok());
  disk_.faults.hold(false);
  EXPECT_TRUE(next.get().ok());
  ASSERT_TRUE(store_->flush().ok());
  EXPECT_TRUE(is_flushed(dir_.file("kv"), 3));
}

TEST_F(HeldFlushTest, one_that_cannot_begin_because_writes_are_stopped_is_waited_for) {
  ASSERT_TRUE(fill().ok());
  auto write = std::async(std::launch::async, [this] { return store_->write(batch_of(2)); });
  EXPECT_EQ(write.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout)
      << "writes are not stopped";
  auto next = std::async(std::launch::async, [this] { return store_->begin_flush(); });
  next.wait_for(std::chrono::milliseconds(50));
  disk_.faults.hold(false);
  EXPECT_TRUE(write.get().ok());
  const Status begun = next.get();
  EXPECT_TRUE(begun.ok()) << begun.message();
  EXPECT_TRUE(store_->failure().ok()) << store_->failure().message();
}

TEST(RocksKvTest, a_compaction_without_space_is_tried_again_and_nothing_else_stops) {
  const TempDir dir;
  Disk disk;
  auto store = open_rocks_kv_for_test(dir.file("kv"), kTables, {}, disk.env.get());
  ASSERT_TRUE(store.ok()) << store.status().message();
  // Of one table alone: the first compaction then is the one file too many.
  const auto write = [&store](int number) {
    KvBatch batch;
    batch.put(0, "checkpoint", std::to_string(number));
    batch.put(0, "row" + std::to_string(number), "x");
    return (*store)->write(batch);
  };
  constexpr int kFiles = 8;  // Before they are sorted together.
  disk.faults.tables_left = kFiles;
  int number = 0;
  while (number < kFiles) {
    ASSERT_TRUE(write(++number).ok());
    ASSERT_TRUE((*store)->flush().ok());
  }
  ASSERT_TRUE(holds_soon([&] { return disk.faults.tables_left < 0; })) << "there was no compaction";
  disk.faults.tables_left = kFiles;
  EXPECT_TRUE(holds_soon([&] { return disk.faults.tables_left < kFiles; })) << "not tried again";
  EXPECT_TRUE((*store)->failure().ok()) << (*store)->failure().message();
  EXPECT_TRUE(write(++number).ok());
  EXPECT_TRUE((*store)->flush().ok());
  EXPECT_EQ(checked_prefix(**store, 0), number);
}

TEST(RocksKvTest, a_reader_beside_the_writer_sees_what_was_flushed) {
  const TempDir dir;
  auto writer = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE((*writer)->write(batch_of(1)).ok());
  ASSERT_TRUE((*writer)->flush().ok());
  ASSERT_TRUE((*writer)->write(batch_of(2)).ok());
  const auto reader = open_rocks(dir.file("kv"), RocksKv::Mode::kReadOnly);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ(checked_prefix(**reader, 0), 1);
  EXPECT_EQ((*reader)->write(batch_of(3)).code(), StatusCode::kInvalid);
  EXPECT_EQ((*reader)->clear(0).code(), StatusCode::kInvalid);
  ASSERT_TRUE((*writer)->write(batch_of(3)).ok());
  EXPECT_EQ(checked_prefix(**writer, 0), 3);
}

TEST(RocksKvTest, a_second_writer_is_a_conflict) {
  const TempDir dir;
  const auto first = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE(first.ok());
  const auto second = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  EXPECT_EQ(second.status().code(), StatusCode::kConflict) << second.status().message();
}

TEST(RocksKvTest, reading_what_is_not_there_creates_nothing) {
  const TempDir dir;
  const auto opened = open_rocks(dir.file("kv"), RocksKv::Mode::kReadOnly);
  EXPECT_EQ(opened.status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(dir.file("kv")));
}

TEST(RocksKvTest, a_table_that_is_new_reads_as_empty_and_is_created_by_a_writer) {
  const TempDir dir;
  {
    auto store = RocksKv::open(dir.file("kv"), {{"rows"}}, {});
    KvBatch batch;
    batch.put(0, "a", "1");
    ASSERT_TRUE((*store)->write(batch).ok());
  }
  {
    const auto reader = open_rocks(dir.file("kv"), RocksKv::Mode::kReadOnly);
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_FALSE((*reader)->get(0, "a")->has_value());
    EXPECT_FALSE((*reader)->snapshot()->scan(0, "", "")->valid());
    EXPECT_EQ(**(*reader)->get(1, "a"), "1");
  }
  auto writer = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  EXPECT_TRUE((*writer)->write(batch_of(1)).ok());
  EXPECT_EQ(**(*writer)->get(1, "a"), "1");
}

TEST(RocksKvTest, a_table_that_is_no_longer_named_keeps_its_rows) {
  const TempDir dir;
  {
    auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
    ASSERT_TRUE((*store)->write(batch_of(1)).ok());
  }
  for (const auto mode : {RocksKv::Mode::kReadWrite, RocksKv::Mode::kReadOnly}) {
    RocksKv::Options options;
    options.mode = mode;
    const auto store = RocksKv::open(dir.file("kv"), {{"rows"}}, options);
    ASSERT_TRUE(store.ok()) << store.status().message();
    EXPECT_EQ(**(*store)->get(0, "checkpoint"), "1");
  }
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
  EXPECT_EQ(checked_prefix(**store, 0), 1);
}

TEST(RocksKvTest, damaged_rows_are_reported_and_not_served) {
  const TempDir dir;
  {
    auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadWrite);
    KvBatch batch;
    for (int i = 0; i < 2'000; ++i) batch.put(1, "row" + std::to_string(i), std::string(50, 'x'));
    ASSERT_TRUE((*store)->write(batch).ok());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir.file("kv"))) {
    if (file.path().extension() != ".sst") continue;
    std::string bytes = file_bytes(file.path());
    bytes[1'000] = static_cast<char>(bytes[1'000] ^ 1);
    write_file(file.path(), bytes);
  }
  const auto store = open_rocks(dir.file("kv"), RocksKv::Mode::kReadOnly);
  ASSERT_TRUE(store.ok()) << store.status().message();
  const auto reader = (*store)->snapshot();
  const auto cursor = reader->scan(1, "", "");
  while (cursor->valid()) cursor->next();
  EXPECT_EQ(cursor->status().code(), StatusCode::kCorrupt);
  EXPECT_EQ((*store)->get(1, "row0").status().code(), StatusCode::kCorrupt);
}

}  // namespace
}  // namespace daybook::eventstore

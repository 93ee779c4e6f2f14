// What every kind of KvStore promises (eventstore/kv.h), run on each of them.
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/kv.h"
#include "eventstore/memory_kv.h"
#include "eventstore/rocks_kv.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

constexpr Table kPoints = 0;
constexpr Table kRows = 1;

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// One kind under test, and how it is closed in order and opened again.
class Kind {
 public:
  virtual ~Kind() = default;
  virtual KvStore& store() = 0;
  virtual void reopen() = 0;
};

class MemoryKind final : public Kind {
 public:
  KvStore& store() override { return store_; }
  void reopen() override {
    ASSERT_TRUE(store_.flush().ok());
    store_.crash(1);
  }

 private:
  MemoryKv store_{2};
};

template <bool kDurable>
class RocksKind final : public Kind {
 public:
  RocksKind() { open(); }
  KvStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    open();
  }

 private:
  void open() {
    RocksKv::Options options;
    options.durable = kDurable;
    auto opened = RocksKv::open(dir_.file("kv"),
                                {{"points", TableSpec::Use::kPointLookups}, {"rows"}}, options);
    CHECK(opened.ok());
    store_ = std::move(*opened);
  }

  TempDir dir_;
  std::unique_ptr<KvStore> store_;
};

struct Case {
  const char* name;
  std::function<std::unique_ptr<Kind>()> make;
};

class KvContractTest : public ::testing::TestWithParam<Case> {
 protected:
  KvStore& store() { return kind_->store(); }
  void reopen() { kind_->reopen(); }

  void put(Table table, const std::string& key, const std::string& value) {
    KvBatch batch;
    batch.put(table, key, value);
    ASSERT_TRUE(store().write(batch).ok());
  }
  std::string get(Table table, const std::string& key) {
    const auto value = store().get(table, key);
    CHECK(value.ok());
    return value->value_or("(none)");
  }
  static Pairs drain(std::unique_ptr<KvCursor> cursor) {
    Pairs rows;
    for (; cursor->valid(); cursor->next()) rows.emplace_back(cursor->key(), cursor->value());
    EXPECT_TRUE(cursor->status().ok());
    return rows;
  }

 private:
  std::unique_ptr<Kind> kind_ = GetParam().make();
};

TEST_P(KvContractTest, what_was_written_is_read_and_what_was_erased_is_not) {
  EXPECT_EQ(get(kPoints, "a"), "(none)");
  put(kPoints, "a", "1");
  put(kPoints, "a", "2");
  EXPECT_EQ(get(kPoints, "a"), "2");
  KvBatch batch;
  batch.erase(kPoints, "a");
  batch.erase(kPoints, "never there");
  ASSERT_TRUE(store().write(batch).ok());
  EXPECT_EQ(get(kPoints, "a"), "(none)");
}

TEST_P(KvContractTest, tables_do_not_share_keys) {
  put(kPoints, "k", "points");
  EXPECT_EQ(get(kRows, "k"), "(none)");
  put(kRows, "k", "rows");
  EXPECT_EQ(get(kPoints, "k"), "points");
}

TEST_P(KvContractTest, the_last_operation_of_a_batch_on_a_key_wins) {
  KvBatch batch;
  batch.put(kRows, "a", "1");
  batch.erase(kRows, "a");
  batch.erase(kRows, "b");
  batch.put(kRows, "b", "2");
  batch.put(kPoints, "a", "other table");
  ASSERT_TRUE(store().write(batch).ok());
  EXPECT_EQ(get(kRows, "a"), "(none)");
  EXPECT_EQ(get(kRows, "b"), "2");
  EXPECT_EQ(get(kPoints, "a"), "other table");
}

TEST_P(KvContractTest, keys_and_values_may_be_any_bytes) {
  const std::string key("\0\xff\0k", 4);
  const std::string value("\xff\0v", 3);
  put(kRows, key, value);
  put(kRows, std::string("\0", 1), "");
  EXPECT_EQ(get(kRows, key), value);
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")),
            (Pairs{{std::string("\0", 1), ""}, {key, value}}));
}

TEST_P(KvContractTest, scans_keep_to_their_range_in_both_directions) {
  for (const char* key : {"b", "a", "d", "c", "e"}) put(kRows, key, "x");
  const auto reader = store().snapshot();
  EXPECT_EQ(drain(reader->scan(kRows, "b", "d")), (Pairs{{"b", "x"}, {"c", "x"}}));
  EXPECT_EQ(drain(reader->scan_backwards(kRows, "b", "d")), (Pairs{{"c", "x"}, {"b", "x"}}));
  EXPECT_EQ(drain(reader->scan(kRows, "d", "")), (Pairs{{"d", "x"}, {"e", "x"}}));
  EXPECT_EQ(drain(reader->scan_backwards(kRows, "d", "")), (Pairs{{"e", "x"}, {"d", "x"}}));
  EXPECT_EQ(drain(reader->scan_backwards(kRows, "", "b")), (Pairs{{"a", "x"}}));
  EXPECT_EQ(drain(reader->scan(kRows, "aa", "az")), Pairs());
  EXPECT_EQ(drain(reader->scan_backwards(kRows, "aa", "az")), Pairs());
  EXPECT_EQ(drain(reader->scan(kRows, "d", "b")), Pairs());
  EXPECT_EQ(drain(reader->scan_backwards(kRows, "d", "d")), Pairs());
  EXPECT_EQ(drain(reader->scan(kRows, "f", "")), Pairs());
}

TEST_P(KvContractTest, a_snapshot_sees_its_moment_only) {
  put(kRows, "a", "old");
  const auto reader = store().snapshot();
  put(kRows, "a", "new");
  put(kRows, "b", "new");
  EXPECT_EQ(**reader->get(kRows, "a"), "old");
  EXPECT_FALSE(reader->get(kRows, "b")->has_value());
  EXPECT_EQ(drain(reader->scan(kRows, "", "")), (Pairs{{"a", "old"}}));
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")), (Pairs{{"a", "new"}, {"b", "new"}}));
}

TEST_P(KvContractTest, a_snapshot_sees_all_tables_of_a_batch_or_none) {
  // A key of its own for each batch: sorted files that overlap nothing are taken in otherwise.
  constexpr int kBatches = 300;
  const auto key_of = [](int number) { return std::to_string(10'000 + number); };
  std::atomic<int> begun{0};
  std::thread writer([&] {
    for (int i = 0; i < kBatches; ++i) {
      KvBatch batch;
      batch.put(kPoints, key_of(i), "x");
      batch.put(kRows, key_of(i), "x");
      begun = i;
      CHECK((i % 2 == 0 ? store().ingest(batch) : store().write(batch)).ok());
    }
  });
  const auto last_of = [&](const KvReader& reader, Table table) {
    const auto cursor = reader.scan_backwards(table, "", "");
    return cursor->valid() ? std::string(cursor->key()) : std::string();
  };
  for (std::string seen; seen != key_of(kBatches - 1);) {
    const auto reader = store().snapshot();
    seen = last_of(*reader, kPoints);
    EXPECT_EQ(last_of(*reader, kRows), seen);
    // And it stays so while the batch under way goes on.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(last_of(*reader, kPoints), seen);
    EXPECT_EQ(last_of(*reader, kRows), seen);
    EXPECT_EQ(reader->get(kRows, key_of(begun))->has_value(), seen >= key_of(begun));
  }
  writer.join();
}

TEST_P(KvContractTest, clearing_a_table_leaves_the_others_and_older_snapshots) {
  put(kRows, "a", "1");
  put(kPoints, "a", "1");
  const auto reader = store().snapshot();
  ASSERT_TRUE(store().clear(kRows).ok());
  EXPECT_EQ(get(kRows, "a"), "(none)");
  EXPECT_EQ(get(kPoints, "a"), "1");
  EXPECT_EQ(drain(reader->scan(kRows, "", "")), (Pairs{{"a", "1"}}));
  put(kRows, "b", "2");
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")), (Pairs{{"b", "2"}}));
}

TEST_P(KvContractTest, everything_is_there_after_closing_and_opening_again) {
  put(kRows, "a", "1");
  put(kPoints, "p", "1");
  ASSERT_TRUE(store().clear(kPoints).ok());
  put(kPoints, "q", "2");
  reopen();
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")), (Pairs{{"a", "1"}}));
  EXPECT_EQ(drain(store().snapshot()->scan(kPoints, "", "")), (Pairs{{"q", "2"}}));
}

TEST_P(KvContractTest, what_is_ingested_is_above_what_was_written_and_below_what_follows) {
  put(kRows, "a", "old");
  put(kRows, "b", "old");
  put(kPoints, "p", "old");
  auto before = store().snapshot();
  KvBatch batch;
  batch.put(kPoints, "p", "new");
  batch.put(kPoints, "q", "new");
  batch.erase(kRows, "a");
  batch.erase(kRows, "never there");
  batch.put(kRows, "z", "");
  ASSERT_TRUE(store().ingest(batch).ok());
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")), (Pairs{{"b", "old"}, {"z", ""}}));
  EXPECT_EQ(drain(store().snapshot()->scan(kPoints, "", "")), (Pairs{{"p", "new"}, {"q", "new"}}));
  EXPECT_EQ(drain(before->scan(kRows, "", "")), (Pairs{{"a", "old"}, {"b", "old"}}));
  EXPECT_EQ(drain(before->scan(kPoints, "", "")), (Pairs{{"p", "old"}}));
  before.reset();
  put(kRows, "z", "newer");
  put(kRows, "a", "newer");
  EXPECT_EQ(get(kRows, "z"), "newer");
  EXPECT_EQ(get(kRows, "a"), "newer");
  ASSERT_TRUE(store().ingest(KvBatch()).ok());
  reopen();
  EXPECT_EQ(drain(store().snapshot()->scan(kRows, "", "")),
            (Pairs{{"a", "newer"}, {"b", "old"}, {"z", "newer"}}));
}

TEST_P(KvContractTest, random_operations_leave_what_a_map_would_hold) {
  std::mt19937_64 random(11);
  std::map<std::string, std::string> model;
  for (int round = 0; round < 300; ++round) {
    KvBatch batch;
    for (std::size_t i = 0; i < random() % 20; ++i) {
      const std::string key = std::to_string(random() % 200);
      if (random() % 3 == 0) {
        batch.erase(kRows, key);
        model.erase(key);
      } else {
        batch.put(kRows, key, std::to_string(round));
        model[key] = std::to_string(round);
      }
    }
    if (random() % 4 == 0) {
      batch.sort();
      ASSERT_TRUE(store().ingest(batch).ok());
    } else {
      ASSERT_TRUE(store().write(batch).ok());
    }
    if (round % 50 == 17) {
      ASSERT_TRUE(store().flush().ok());
    }
    if (round % 100 == 42) reopen();
    if (round % 20 != 0) continue;
    const auto reader = store().snapshot();
    ASSERT_EQ(drain(reader->scan(kRows, "", "")), Pairs(model.begin(), model.end()));
    ASSERT_EQ(drain(reader->scan_backwards(kRows, "", "")), Pairs(model.rbegin(), model.rend()));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, KvContractTest,
    ::testing::Values(Case{"memory", [] { return std::make_unique<MemoryKind>(); }},
                      Case{"rocks", [] { return std::make_unique<RocksKind<false>>(); }},
                      Case{"rocks_durable", [] { return std::make_unique<RocksKind<true>>(); }}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace daybook::eventstore

#include "eventstore/kv_batch.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::eventstore {
namespace {

using Model = std::map<std::pair<Table, std::string>, std::optional<std::string>>;

/// Short keys of few bytes, among them NUL and 0xff: many are equal, many begin alike.
std::string some_key(const std::string& prefix) {
  return prefix + *rc::gen::container<std::string>(rc::gen::element('\0', 'a', '\x7f', '\xff'));
}

/// Adds operations to both; `model` is what is left of all of them.
void add_some(const std::string& prefix, KvBatch& batch, Model& model) {
  const int count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    const auto table = *rc::gen::inRange<Table>(0, 3);
    const std::string key = some_key(prefix);
    if (*rc::gen::inRange(0, 4) == 0) {
      batch.erase(table, key);
      model[{table, key}] = std::nullopt;
    } else {
      const auto value = *rc::gen::arbitrary<std::string>();
      batch.put(table, key, value);
      model[{table, key}] = value;
    }
  }
}

Model in_order(const KvBatch& batch) {
  Model rows;
  for (const KvBatch::Operation& operation : batch.operations()) {
    const std::pair row(operation.table, std::string(operation.key));
    if (!rows.empty()) RC_ASSERT(rows.rbegin()->first < row);
    rows.emplace(row, operation.value);
  }
  return rows;
}

RC_GTEST_PROP(KvBatchTest, sorted_it_is_what_a_map_would_hold_in_its_order, ()) {
  const std::string prefix(*rc::gen::inRange<std::size_t>(0, 20), 'p');
  KvBatch batch;
  Model model;
  add_some(prefix, batch, model);
  batch.sort();
  RC_ASSERT(in_order(batch) == model);
}

RC_GTEST_PROP(KvBatchTest, appended_batches_keep_their_bytes_and_their_order, ()) {
  KvBatch all;
  Model model;
  add_some("", all, model);
  {
    KvBatch other;
    add_some("", other, model);
    all.append(std::move(other));
  }
  KvBatch moved = std::move(all);
  add_some("", moved, model);
  moved.sort();
  RC_ASSERT(in_order(moved) == model);
}

TEST(KvBatchTest, a_cleared_batch_is_empty_and_may_be_filled_again) {
  KvBatch batch;
  batch.put(0, "a", "1");
  batch.clear();
  EXPECT_TRUE(batch.empty());
  batch.put(1, "b", "");
  ASSERT_EQ(batch.operations().size(), 1U);
  EXPECT_EQ(batch.operations()[0].key, "b");
  EXPECT_EQ(batch.operations()[0].value, "");
}

TEST(KvBatchTest, what_was_copied_is_not_what_the_caller_changes_later) {
  std::string key = "key";
  std::string value = "value";
  KvBatch batch;
  batch.put(0, key, value);
  key[0] = value[0] = 'X';
  EXPECT_EQ(batch.operations()[0].key, "key");
  EXPECT_EQ(batch.operations()[0].value, "value");
}

}  // namespace
}  // namespace daybook::eventstore

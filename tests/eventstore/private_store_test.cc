#include "eventstore/private_store.h"

#include <string>

#include <gtest/gtest.h>

#include "eventstore/memory_kv.h"
#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

using test::account_id;
using test::tenant_id;
using Missing = PrivateStore::Missing;

class CountingRandom final : public Random {
 public:
  std::string bytes(std::size_t size) const override {
    return std::string(size, static_cast<char>(++calls_));
  }

 private:
  mutable int calls_ = 0;
};

/// A store that counts how often erased rows are driven out of its files, or cannot do it.
class PurgeKv final : public KvStore {
 public:
  Status write(const KvBatch& batch) override { return kv_.write(batch); }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return kv_.get(table, key);
  }
  std::unique_ptr<KvReader> snapshot() const override { return kv_.snapshot(); }
  Status flush() override { return kv_.flush(); }
  Status clear(Table table) override { return kv_.clear(table); }
  Status purge(Table table) override {
    EXPECT_EQ(table, PrivateStore::kValues);
    if (fails) return io_error("on order");
    ++purges;
    return kv_.purge(table);
  }

  bool fails = false;
  int purges = 0;

 private:
  MemoryKv kv_{2};
};

class PrivateStoreTest : public ::testing::Test {
 protected:
  PurgeKv kv_;
  CountingRandom random_;
  PrivateStore store_{kv_, random_};
};

TEST_F(PrivateStoreTest, a_value_is_read_back_until_it_is_erased) {
  const auto name = store_.put(tenant_id(), account_id(), "a name");
  const auto other = store_.put(tenant_id(), AccountId("acme2"), "another name");
  ASSERT_TRUE(name.ok() && other.ok());
  EXPECT_EQ(*store_.get(tenant_id(), account_id(), *name), "a name");
  EXPECT_EQ(*store_.erase(tenant_id(), account_id()), 1U);
  EXPECT_EQ(kv_.purges, 1);
  EXPECT_EQ(*store_.get(tenant_id(), account_id(), *name), std::nullopt);
  EXPECT_EQ(*store_.get(tenant_id(), AccountId("acme2"), *other), "another name");
  // With nothing to erase no file is rewritten.
  EXPECT_EQ(*store_.erase(tenant_id(), account_id()), 0U);
  EXPECT_EQ(kv_.purges, 1);
}

TEST_F(PrivateStoreTest, an_erasure_that_did_not_reach_the_files_is_completed_by_the_next) {
  ASSERT_TRUE(store_.put(tenant_id(), account_id(), "a name").ok());
  kv_.fails = true;
  EXPECT_EQ(store_.erase(tenant_id(), account_id()).status().code(), StatusCode::kIo);
  EXPECT_EQ(store_.erase(tenant_id(), account_id()).status().code(), StatusCode::kIo);
  kv_.fails = false;
  // The rows are gone and the bytes were not: the client was told to send it again.
  EXPECT_EQ(*store_.erase(tenant_id(), account_id()), 0U);
  EXPECT_EQ(kv_.purges, 1);
  EXPECT_EQ(*store_.erase(tenant_id(), account_id()), 0U);
  EXPECT_EQ(kv_.purges, 1);
}

TEST_F(PrivateStoreTest, a_secret_is_made_once_and_stays) {
  const auto first = store_.secret("api-keys", Missing::kMake);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->size(), 32U);
  EXPECT_EQ(*store_.secret("api-keys", Missing::kMake), *first);
  EXPECT_EQ(*store_.secret("api-keys", Missing::kRefuse), *first);
  EXPECT_NE(*store_.secret("cursors", Missing::kMake), *first);
}

TEST_F(PrivateStoreTest, a_secret_that_a_ledger_at_work_lost_is_not_replaced) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto lost = store_.secret("api-keys", Missing::kRefuse);
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.status().code(), StatusCode::kCorrupt);
    EXPECT_NE(lost.status().message().find("api-keys"), std::string::npos);
  }
}

}  // namespace
}  // namespace daybook::eventstore

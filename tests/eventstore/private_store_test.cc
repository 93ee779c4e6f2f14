#include "eventstore/private_store.h"

#include <gtest/gtest.h>

#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"

namespace daybook::eventstore {
namespace {

using Missing = PrivateStore::Missing;

class PrivateStoreTest : public ::testing::Test {
 protected:
  MemoryKv kv_{2};
  SystemRandom random_;
  PrivateStore store_{kv_, random_};
};

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

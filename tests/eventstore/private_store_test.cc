#include "eventstore/private_store.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"

namespace daybook::eventstore {
namespace {

class PrivateStoreTest : public testing::Test {
 protected:
  domain::PrivateValue put(const std::string& value) {
    auto name = store_.put(kTenant, kAccount, value);
    EXPECT_TRUE(name.ok());
    return *name;
  }
  void name(const domain::PrivateValue& value, std::uint64_t position) {
    EXPECT_TRUE(store_.name({{kTenant, kAccount, value.reference, position}}).ok());
  }
  std::optional<std::string> get(const domain::PrivateValue& name) {
    auto value = store_.get(kTenant, kAccount, name);
    EXPECT_TRUE(value.ok());
    return *value;
  }

  inline static const TenantId kTenant{"north"};
  inline static const AccountId kAccount{"a"};
  MemoryKv rows_{PrivateStore::table_names().size()};
  SystemRandom random_;
  PrivateStore store_{rows_, random_};
};

TEST_F(PrivateStoreTest, a_secret_is_made_once_also_by_several_threads) {
  constexpr int kThreads = 8;
  std::vector<std::string> secrets(kThreads);
  std::vector<std::thread> threads;
  for (std::string& secret : secrets) {
    threads.emplace_back(
        [this, &secret] { secret = *store_.secret("api-keys", PrivateStore::IfMissing::kMake); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(secrets.begin(), secrets.end()).size(), 1U);
  EXPECT_EQ(secrets.front().size(), 32U);
  EXPECT_EQ(*store_.secret("api-keys", PrivateStore::IfMissing::kCorrupt), secrets.front());
}

TEST_F(PrivateStoreTest, a_secret_that_was_lost_is_not_replaced) {
  const auto lost = store_.secret("api-keys", PrivateStore::IfMissing::kCorrupt);
  EXPECT_EQ(lost.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(lost.status().message().find("api-keys"), std::string::npos);
  EXPECT_FALSE(rows_.get(PrivateStore::kSecrets, "api-keys")->has_value());
}

TEST_F(PrivateStoreTest, an_erasure_takes_values_named_before_its_position) {
  const auto before = put("before");
  const auto after = put("after");
  const auto pending = put("pending");
  name(before, 4);
  name(after, 6);
  EXPECT_EQ(*store_.erase(kTenant, kAccount, 5), 1U);
  EXPECT_EQ(*store_.erase(kTenant, kAccount, 5), 0U);
  EXPECT_EQ(get(before), std::nullopt);
  EXPECT_EQ(get(after), "after");
  EXPECT_EQ(get(pending), "pending");
  // Named again by a log that is read again: it is gone and stays so.
  name(before, 4);
  EXPECT_EQ(*store_.erase(kTenant, kAccount, 5), 0U);
}

TEST_F(PrivateStoreTest, values_that_are_put_together_are_named_in_their_order) {
  const std::vector<PrivateStore::Value> values = {
      {kTenant, kAccount, "one"}, {kTenant, AccountId("b"), "two"}, {kTenant, kAccount, "one"}};
  const auto names = store_.put(values);
  ASSERT_TRUE(names.ok());
  ASSERT_EQ(names->size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto text = store_.get(kTenant, values[i].account, (*names)[i]);
    ASSERT_TRUE(text.ok() && text->has_value()) << i;
    EXPECT_EQ(**text, values[i].text);
  }
  EXPECT_NE(names->front().commitment, names->back().commitment) << "each has a salt of its own";
  EXPECT_EQ(store_.pending(10)->size(), values.size());
}

TEST_F(PrivateStoreTest, a_store_without_positions_is_begun_anew) {
  const auto value = put("value");
  name(value, 4);
  ASSERT_TRUE(store_.set_applied(5).ok());
  EXPECT_TRUE(store_.pending(10)->empty());
  ASSERT_TRUE(store_.begin_anew().ok());
  EXPECT_EQ(store_.pending(10)->size(), 1U);
  EXPECT_EQ(*store_.applied(), std::nullopt);
  EXPECT_EQ(get(value), "value");
  EXPECT_EQ(*store_.erase(kTenant, kAccount, 5), 0U);
}

TEST_F(PrivateStoreTest, what_is_dropped_keeps_its_mark_until_it_is_forgotten) {
  const auto value = put("value");
  const auto keys = *store_.pending(10);
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys.front(), PrivateStore::key_of(kTenant, kAccount, value.reference));
  ASSERT_TRUE(store_.drop(keys).ok());
  EXPECT_EQ(get(value), std::nullopt);
  EXPECT_EQ(*store_.pending(10), keys);
  ASSERT_TRUE(store_.forget(keys).ok());
  EXPECT_TRUE(store_.pending(10)->empty());
}

}  // namespace
}  // namespace daybook::eventstore

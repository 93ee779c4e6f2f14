#include "eventstore/stable_map.h"

#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace daybook::eventstore {
namespace {

TEST(StableMapTest, is_a_map_whose_entries_stay_where_they_are) {
  StableMap<int> map;
  std::map<std::string, std::pair<int, StableMap<int>::Entry*>> model;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; ++step) {
    // Some have zero bytes, some are longer than what an entry has room for.
    std::string key = std::to_string(random() % 2'000);
    if (key.size() % 2 == 0) key += std::string("\0a longer one", 13);
    if (key.size() % 3 == 0) key += std::string(40, 'x');
    const auto known = model.find(key);
    auto* found = map.find(key);
    ASSERT_EQ(found != nullptr, known != model.end());
    ASSERT_EQ(map.contains(key), known != model.end());
    if (found == nullptr) {
      model[key] = {step, &map.add(key, step)};
    } else if (random() % 2 == 0) {
      map.erase(*found);
      model.erase(known);
    }
    ASSERT_EQ(map.size(), model.size());
  }
  for (const auto& [key, expected] : model) {
    auto* found = map.find(key);
    ASSERT_EQ(found, expected.second);
    EXPECT_EQ(found->key(), key);
    EXPECT_EQ(found->value, expected.first);
  }
  map.clear();
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(map.find(model.begin()->first), nullptr);
}

}  // namespace
}  // namespace daybook::eventstore

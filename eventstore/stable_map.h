#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "domain/base/check.h"

namespace daybook::eventstore {

/// Values by text key that stay where they are while others come and go. A look-up reads one group
/// of a flat table and the entry it finds; std::unordered_map walks a chain of entries, whose
/// hashes lie behind their values, and that is most of what a look-up costs once the values of ten
/// thousand accounts are larger than a cache. Thread rule: that of a container.
template <class Value>
class StableMap {
 public:
  class Entry {
    // Beside the value: a key that lies elsewhere is one more line of memory to wait for.
    boost::container::small_vector<char, 40> key_;

   public:
    Value value;

    Entry(std::string_view key, Value&& its_value)
        : key_(key.begin(), key.end()), value(std::move(its_value)) {}
    std::string_view key() const { return {key_.data(), key_.size()}; }
  };

  /// Null if there is none.
  Entry* find(std::string_view key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->get();
  }
  bool contains(std::string_view key) const { return entries_.contains(key); }

  /// REQUIRES: there is none of this key.
  Entry& add(std::string_view key, Value value) {
    const auto [at, is_new] = entries_.insert(std::make_unique<Entry>(key, std::move(value)));
    CHECK(is_new);
    return **at;
  }

  /// REQUIRES: it is an entry of this map.
  void erase(const Entry& entry) {
    const auto found = entries_.find(entry.key());
    CHECK(found != entries_.end() && found->get() == &entry);
    entries_.erase(found);
  }
  void clear() { entries_.clear(); }
  std::size_t size() const { return entries_.size(); }

 private:
  using Owned = std::unique_ptr<Entry>;

  static std::string_view key_of(std::string_view key) { return key; }
  static std::string_view key_of(const Owned& entry) { return entry->key(); }

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const auto& key) const {
      return std::hash<std::string_view>()(key_of(key));
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& left, const auto& right) const {
      return key_of(left) == key_of(right);
    }
  };

  boost::unordered_flat_set<Owned, Hash, Equal> entries_;
};

}  // namespace daybook::eventstore

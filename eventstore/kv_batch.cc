#include "eventstore/kv_batch.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <tuple>

namespace daybook::eventstore {
namespace {

using Operation = KvBatch::Operation;

constexpr std::size_t kFirstBlockBytes = 1'024;

/// The bytes of a key behind a prefix as a number that is ordered as they are, for most
/// comparisons: the keys of a batch begin alike.
std::uint64_t word_behind(std::string_view key, std::size_t prefix) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < sizeof(word); ++i) {
    const std::size_t at = prefix + i;
    word = word << 8 | (at < key.size() ? static_cast<unsigned char>(key[at]) : 0U);
  }
  return word;
}

std::size_t common_prefix(const std::vector<Operation>& operations) {
  std::string_view common = operations.front().key;
  for (const Operation& operation : operations) {
    const std::string_view key = operation.key.substr(0, common.size());
    const auto differs = std::mismatch(common.begin(), common.end(), key.begin(), key.end());
    common = common.substr(0, static_cast<std::size_t>(differs.first - common.begin()));
  }
  return common.size();
}

}  // namespace

std::string_view KvBatch::kept(std::string_view bytes) {
  if (memory_.empty()) {
    memory_.push_back(std::make_unique<std::pmr::monotonic_buffer_resource>(kFirstBlockBytes));
  }
  if (bytes.empty()) return "";
  auto* copy = static_cast<char*>(memory_.back()->allocate(bytes.size(), 1));
  std::memcpy(copy, bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return {copy, bytes.size()};
}

void KvBatch::put(Table table, std::string_view key, std::string_view value) {
  operations_.push_back({table, kept(key), kept(value)});
}

void KvBatch::erase(Table table, std::string_view key) {
  operations_.push_back({table, kept(key), std::nullopt});
}

void KvBatch::clear() {
  operations_.clear();
  memory_.clear();
  bytes_ = 0;
}

void KvBatch::sort() {
  if (operations_.empty()) return;
  struct Place {
    Table table;
    std::uint32_t index;
    std::uint64_t word;
  };
  const std::size_t prefix = common_prefix(operations_);
  std::vector<Place> order;
  order.reserve(operations_.size());
  for (const Operation& operation : operations_) {
    order.push_back({operation.table, static_cast<std::uint32_t>(order.size()),
                     word_behind(operation.key, prefix)});
  }
  std::sort(order.begin(), order.end(), [this](const Place& left, const Place& right) {
    if (left.table != right.table) return left.table < right.table;
    if (left.word != right.word) return left.word < right.word;
    const int keys = operations_[left.index].key.compare(operations_[right.index].key);
    return keys != 0 ? keys < 0 : left.index < right.index;
  });
  std::vector<Operation> sorted;
  sorted.reserve(operations_.size());
  for (const Place& place : order) {
    const Operation& operation = operations_[place.index];
    if (!sorted.empty() && sorted.back().table == operation.table &&
        sorted.back().key == operation.key) {
      sorted.back() = operation;
    } else {
      sorted.push_back(operation);
    }
  }
  operations_ = std::move(sorted);
}

void KvBatch::append(KvBatch&& other) {
  operations_.insert(operations_.end(), other.operations_.begin(), other.operations_.end());
  // Its own memory stays the last one: that is where it goes on.
  memory_.insert(memory_.begin(), std::make_move_iterator(other.memory_.begin()),
                 std::make_move_iterator(other.memory_.end()));
  bytes_ += other.bytes_;
  other.clear();
}

}  // namespace daybook::eventstore

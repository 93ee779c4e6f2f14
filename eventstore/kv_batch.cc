#include "eventstore/kv_batch.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <boost/sort/spreadsort/integer_sort.hpp>

#include "domain/base/check.h"

namespace daybook::eventstore {
namespace {

using Operation = KvBatch::Operation;

constexpr std::size_t kFirstBlockBytes = 1'024;

/// The table and the bytes of the key behind a prefix as a number that is ordered as they are: the
/// keys of a batch begin alike, and most differ there.
std::uint64_t first_word(const Operation& operation, std::size_t prefix) {
  CHECK(operation.table <= 0xFF);
  std::uint64_t word = operation.table;
  for (std::size_t i = 0; i + 1 < sizeof(word); ++i) {
    const std::size_t at = prefix + i;
    const bool is_there = at < operation.key.size();
    word = word << 8 | (is_there ? static_cast<unsigned char>(operation.key[at]) : 0U);
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
    std::uint64_t word;
    std::size_t index;
  };
  const std::size_t prefix = common_prefix(operations_);
  std::vector<Place> order;
  order.reserve(operations_.size());
  for (const Operation& operation : operations_) {
    order.push_back({first_word(operation, prefix), order.size()});
  }
  // By words, which is most of the work and needs no comparisons, and then each run of equal ones.
  boost::sort::spreadsort::integer_sort(
      order.begin(), order.end(),
      [](const Place& place, unsigned shift) { return place.word >> shift; },
      [](const Place& left, const Place& right) { return left.word < right.word; });
  const auto is_before = [this](const Place& left, const Place& right) {
    const int keys = operations_[left.index].key.compare(operations_[right.index].key);
    return keys != 0 ? keys < 0 : left.index < right.index;
  };
  for (auto run = order.begin(); run != order.end();) {
    const auto end = std::find_if(
        run, order.end(), [word = run->word](const Place& place) { return place.word != word; });
    std::sort(run, end, is_before);
    run = end;
  }
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

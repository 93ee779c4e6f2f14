#include "eventstore/memory_kv.h"

#include <random>
#include <utility>

#include "domain/base/check.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kUnflushedBatchesMax = 4'096;

using Rows = MemoryKv::Rows;

/// Both directions: [first_, last_) are the rows to come, so neither steps before begin().
class MapCursor final : public KvCursor {
 public:
  MapCursor(std::shared_ptr<const Rows> rows, std::string_view from, std::string_view to,
            bool backwards)
      : rows_(std::move(rows)), backwards_(backwards) {
    first_ = rows_->lower_bound(from);
    last_ = to.empty() ? rows_->end() : rows_->lower_bound(to);
    if (!to.empty() && to <= from) last_ = first_;
    at_ = first_;
    if (backwards_ && valid()) at_ = std::prev(last_);
  }

  bool valid() const override { return first_ != last_; }
  void next() override {
    CHECK(valid());
    if (backwards_) {
      last_ = at_;
      if (valid()) --at_;
    } else {
      first_ = ++at_;
    }
  }
  std::string_view key() const override {
    CHECK(valid());
    return at_->first;
  }
  std::string_view value() const override {
    CHECK(valid());
    return at_->second;
  }
  Status status() const override { return {}; }

 private:
  std::shared_ptr<const Rows> rows_;
  bool backwards_;
  Rows::const_iterator first_;
  Rows::const_iterator last_;
  Rows::const_iterator at_;
};

class MapReader final : public KvReader {
 public:
  explicit MapReader(std::vector<std::shared_ptr<const Rows>> tables)
      : tables_(std::move(tables)) {}

  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    CHECK(table < tables_.size());
    const auto found = tables_[table]->find(key);
    if (found == tables_[table]->end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  std::unique_ptr<KvCursor> scan(Table table, std::string_view from,
                                 std::string_view to) const override {
    CHECK(table < tables_.size());
    return std::make_unique<MapCursor>(tables_[table], from, to, false);
  }
  std::unique_ptr<KvCursor> scan_backwards(Table table, std::string_view from,
                                           std::string_view to) const override {
    CHECK(table < tables_.size());
    return std::make_unique<MapCursor>(tables_[table], from, to, true);
  }

 private:
  std::vector<std::shared_ptr<const Rows>> tables_;
};

}  // namespace

void MemoryKv::apply_to(const Operations& operations, Rows& rows) {
  for (const Operation& operation : operations) {
    if (operation.value) {
      rows.insert_or_assign(operation.key, *operation.value);
    } else {
      rows.erase(operation.key);
    }
  }
}

Status MemoryKv::write(const KvBatch& batch) {
  const std::lock_guard lock(mutex_);
  std::map<Table, Operations> by_table;
  for (const KvBatch::Operation& operation : batch.operations()) {
    CHECK(operation.table < tables_.size());
    by_table[operation.table].push_back(
        {std::string(operation.key), std::optional<std::string>(operation.value)});
  }
  for (auto& [table, operations] : by_table) {
    TableState& state = tables_[table];
    if (state.shared) state.rows = std::make_shared<Rows>(*state.rows);
    state.shared = false;
    apply_to(operations, *state.rows);
    state.unflushed.push_back(std::move(operations));
    if (state.unflushed.size() > kUnflushedBatchesMax) {
      flush_first(state, state.unflushed.size());
    }
  }
  return {};
}

Result<std::optional<std::string>> MemoryKv::get(Table table, std::string_view key) const {
  CHECK(table < tables_.size());
  const std::lock_guard lock(mutex_);
  const Rows& rows = *tables_[table].rows;
  const auto found = rows.find(key);
  if (found == rows.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

std::unique_ptr<KvReader> MemoryKv::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Rows>> tables;
  for (const TableState& state : tables_) {
    tables.push_back(state.rows);
    state.shared = true;
  }
  return std::make_unique<MapReader>(std::move(tables));
}

Status MemoryKv::flush() {
  const std::lock_guard lock(mutex_);
  for (TableState& state : tables_) flush_first(state, state.unflushed.size());
  return {};
}

Status MemoryKv::begin_flush() {
  const std::lock_guard lock(mutex_);
  for (TableState& state : tables_) {
    flush_first(state, state.begun);
    state.begun = state.unflushed.size();
  }
  return {};
}

void MemoryKv::flush_first(TableState& state, std::size_t count) {
  const auto end = state.unflushed.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto operations = state.unflushed.begin(); operations != end; ++operations) {
    apply_to(*operations, state.flushed);
  }
  state.unflushed.erase(state.unflushed.begin(), end);
  state.begun = 0;
}

Status MemoryKv::purge(Table table) {
  CHECK(table < tables_.size());
  return flush();  // Only the rows are left then.
}

Status MemoryKv::clear(Table table) {
  CHECK(table < tables_.size());
  const std::lock_guard lock(mutex_);
  tables_[table] = TableState();
  return {};
}

void MemoryKv::crash(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  for (TableState& state : tables_) {
    flush_first(state, random() % (state.unflushed.size() + 1));
    state.unflushed.clear();
    state.rows = std::make_shared<Rows>(state.flushed);
    state.shared = false;
  }
}

}  // namespace daybook::eventstore

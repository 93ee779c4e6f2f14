#pragma once

#include <string_view>

#include "eventstore/log_index.h"
#include "projections/projection.h"

/// The three tables of the log index, as projections: the projector drives them like any other.
namespace daybook::projections {

class IndexKeys final : public Projection {
 public:
  explicit IndexKeys(eventstore::Table table, eventstore::KeyFilter* filter = nullptr)
      : rows_(table, filter) {}
  std::string_view name() const override { return "keys"; }
  std::uint32_t code_version() const override { return 1; }
  eventstore::Table table() const override { return rows_.table(); }
  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override {
    rows_.apply(entry, batch);
    return {};
  }

 private:
  eventstore::KeyRows rows_;
};

class IndexStreams final : public Projection {
 public:
  explicit IndexStreams(eventstore::Table table) : rows_(table) {}
  std::string_view name() const override { return "streams"; }
  std::uint32_t code_version() const override { return 1; }
  eventstore::Table table() const override { return rows_.table(); }
  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override {
    rows_.apply(entry, batch);
    return {};
  }

 private:
  eventstore::StreamRows rows_;
};

class IndexStates final : public Projection {
 public:
  IndexStates(const eventstore::KvStore& store, eventstore::Table table) : rows_(store, table) {}
  std::string_view name() const override { return "states"; }
  std::uint32_t code_version() const override { return 3; }
  eventstore::Table table() const override { return rows_.table(); }
  Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) override {
    return rows_.apply(entry, batch);
  }
  Status finish(eventstore::KvBatch& batch) override {
    rows_.finish(batch);
    return {};
  }
  std::size_t changed_bytes() const override { return rows_.changed_bytes(); }
  void reset() override { rows_.reset(); }

 private:
  eventstore::StateRows rows_;
};

}  // namespace daybook::projections

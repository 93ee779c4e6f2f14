#pragma once

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "api/command_service.h"
#include "eventstore/fake_log.h"
#include "eventstore/log_index.h"
#include "eventstore/memory_kv.h"
#include "eventstore/private_store.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"

namespace daybook::api {

using eventstore::KvBatch;
using eventstore::MemoryKv;
using eventstore::PrivateStore;
using eventstore::Table;

/// Remembers which threads wrote, as each of them would have waited for a disk; fails or stands
/// still when told to.
class WatchedKv final : public eventstore::KvStore {
 public:
  Status write(const KvBatch& batch) override {
    bool puts_value = false;
    for (const auto& operation : batch.operations()) {
      puts_value =
          puts_value || (operation.table == PrivateStore::kValues && operation.value.has_value());
    }
    {
      std::unique_lock lock(mutex_);
      writers_.push_back(std::this_thread::get_id());
      if (puts_value) {
        ++value_writes_;
        wakes_.notify_all();
        wakes_.wait(lock, [this] { return !hangs_; });
        if (fails_) return io_error("told to");
      }
    }
    return rows_.write(batch);
  }
  Result<std::optional<std::string>> get(Table table, std::string_view key) const override {
    return rows_.get(table, key);
  }
  std::unique_ptr<eventstore::KvReader> snapshot() const override { return rows_.snapshot(); }
  Status flush() override { return rows_.flush(); }
  Status clear(Table table) override { return rows_.clear(table); }
  Status purge(Table table) override { return rows_.purge(table); }

  std::vector<std::thread::id> writers() const {
    const std::lock_guard lock(mutex_);
    return writers_;
  }
  /// Writes with values in them.
  std::size_t value_writes() const {
    const std::lock_guard lock(mutex_);
    return value_writes_;
  }
  void set_fails(bool fails) {
    const std::lock_guard lock(mutex_);
    fails_ = fails;
  }
  /// Writes of values stand still until told otherwise.
  void set_hangs(bool hangs) {
    const std::lock_guard lock(mutex_);
    hangs_ = hangs;
    wakes_.notify_all();
  }
  void wait_for_value_write() {
    std::unique_lock lock(mutex_);
    wakes_.wait(lock, [this] { return value_writes_ > 0; });
  }
  std::size_t count(Table table) const {
    const auto reader = rows_.snapshot();
    const auto cursor = reader->scan(table, "\x01", "");
    std::size_t rows = 0;
    for (; cursor->valid(); cursor->next()) ++rows;
    return rows;
  }

 private:
  MemoryKv rows_{PrivateStore::table_names().size()};
  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  std::vector<std::thread::id> writers_;
  std::size_t value_writes_ = 0;
  bool fails_ = false;
  bool hangs_ = false;
};

/// A ledger in memory behind a CommandService, wired as a node wires it.
class CommandRig : public testing::Test {
 protected:
  void SetUp() override { start(1); }
  void TearDown() override { stop(); }

  void start(std::size_t queue_max) {
    follower_ = std::make_unique<projections::PrivateFollower>(log_, private_store_, clock_);
    ASSERT_TRUE(follower_->open().ok());
    index_ = std::make_unique<eventstore::LogIndex>(
        derived_, log_,
        eventstore::LogIndex::Tables{projections::kKeysTable, projections::kStreamsTable,
                                     projections::kStatesTable});
    projector_ = std::make_unique<projections::Projector>(log_, derived_, clock_,
                                                          projections::all_projections(derived_));
    projector_->on_applied([this](std::uint64_t position) {
      index_->publish(position);
      if (ledger_ != nullptr) ledger_->indexed(position);
    });
    ASSERT_TRUE(projector_->run_once().ok());
    ledger_ =
        std::make_unique<eventstore::Ledger>(log_, *index_, clock_, eventstore::LedgerLimits{});
    ledger_->on_commit([this](const eventstore::Entry& entry) {
      follower_->committed(entry, true);
      projector_->notify();
    });
    projector_->start();
    follower_->start();
    workers_ = std::make_unique<WorkerPool>(1, queue_max);
    service_ = std::make_unique<CommandService>(
        CommandService::Services{*ledger_, *index_, *projector_, private_store_, *follower_,
                                 random_, *workers_, "fingerprints", "keys", 0});
    domain::KeyGrant key;
    key.id = "k1";
    key.roles.add(domain::Role::kAdmin);
    eventstore::Command create;
    create.tenant = TenantId("main");
    create.body = domain::TenantCommand(domain::CreateTenant{{}, key});
    create.actor = "system";
    std::promise<void> done;
    ledger_->submit(create, [&done](const eventstore::Answer&) { done.set_value(); });
    done.get_future().wait();
    EXPECT_EQ(run("POST", "/v1/accounts", R"({"id":"a","currency":"USD"})", "open").status, 201);
  }
  void stop() {
    if (ledger_ == nullptr) return;
    ledger_->stop();
    workers_->stop();
    EXPECT_TRUE(follower_->stop().ok());
    EXPECT_TRUE(projector_->stop().ok());
    ledger_ = nullptr;
  }

  std::future<HttpResponse> begin(const std::string& method, const std::string& path,
                                  const std::string& body, const std::string& key = "") {
    WriteRequest request;
    auto route = find_route(method, path);
    auto& match = std::get<RouteMatch>(route);
    request.route = match.route;
    request.params = match.params;
    request.method = method;
    request.path = path;
    if (!key.empty()) request.idempotency_key = key;
    request.principal.tenant = TenantId("main");
    request.request_id = "r";
    auto promise = std::make_shared<std::promise<HttpResponse>>();
    auto answer = promise->get_future();
    service_->run(std::move(request), std::string_view(body),
                  [promise](HttpResponse response) { promise->set_value(std::move(response)); });
    return answer;
  }
  HttpResponse run(const std::string& method, const std::string& path, const std::string& body,
                   const std::string& key = "") {
    return begin(method, path, body, key).get();
  }
  HttpResponse tag(const std::string& extra, const std::string& key = "") {
    return run("PUT", "/v1/accounts/a/tags/contact", R"({"value":"v","extra":")" + extra + "\"}",
               key);
  }

  eventstore::SystemClock clock_;
  eventstore::SystemRandom random_;
  eventstore::FakeLog log_;
  MemoryKv derived_{projections::kTableCount};
  WatchedKv private_;
  PrivateStore private_store_{private_, random_};
  std::unique_ptr<projections::PrivateFollower> follower_;
  std::unique_ptr<eventstore::LogIndex> index_;
  std::unique_ptr<projections::Projector> projector_;
  std::unique_ptr<eventstore::Ledger> ledger_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<CommandService> service_;
};

}  // namespace daybook::api

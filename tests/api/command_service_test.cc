#include "api/command_service.h"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/fake_log.h"
#include "eventstore/log_index.h"
#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/projector.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using eventstore::KvBatch;
using eventstore::MemoryKv;
using eventstore::PrivateStore;
using eventstore::Table;

/// Remembers which threads wrote, as each of them would have waited for a disk.
class WatchedKv final : public eventstore::KvStore {
 public:
  Status write(const KvBatch& batch) override {
    {
      const std::lock_guard lock(mutex_);
      writers_.push_back(std::this_thread::get_id());
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
  std::vector<std::thread::id> writers_;
};

/// A ledger in memory behind a CommandService, wired as a node wires it.
class CommandServiceTest : public testing::Test {
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
    service_ = std::make_unique<CommandService>(CommandService::Services{
        *ledger_, private_store_, *follower_, random_, *workers_, "fingerprints", "keys", 0});
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

TEST_F(CommandServiceTest, a_private_value_is_never_synced_on_the_thread_of_the_connection) {
  const auto before = private_.writers().size();
  EXPECT_EQ(tag("a name").status, 200);
  const auto writers = private_.writers();
  EXPECT_GT(writers.size(), before);
  for (std::size_t i = before; i < writers.size(); ++i) {
    EXPECT_NE(writers[i], std::this_thread::get_id());
  }
}

TEST_F(CommandServiceTest, without_a_worker_a_private_value_is_refused_and_nothing_is_kept) {
  std::promise<void> release;
  std::shared_future<void> released(release.get_future());
  std::promise<void> busy;
  ASSERT_TRUE(workers_->post([&busy, released] {
    busy.set_value();
    released.wait();
  }));
  busy.get_future().wait();
  ASSERT_TRUE(workers_->post([] {}));
  EXPECT_EQ(tag("a name").status, 503);
  // What needs no worker goes on, an erasure too.
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 0U);
  release.set_value();
}

TEST_F(CommandServiceTest, an_erasure_that_is_repeated_takes_no_newer_value) {
  EXPECT_EQ(tag("old").status, 200);
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "", "E1").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 0U);
  EXPECT_EQ(tag("new person").status, 200);
  EXPECT_EQ(run("DELETE", "/v1/accounts/a/private", "", "E1").status, 200);
  EXPECT_EQ(private_.count(PrivateStore::kValues), 1U);
}

TEST_F(CommandServiceTest, a_value_whose_command_was_replayed_or_refused_does_not_stay) {
  EXPECT_EQ(tag("first", "T1").status, 200);
  EXPECT_EQ(tag("first", "T1").status, 200);
  EXPECT_EQ(tag("other", "T1").status, 422);
  EXPECT_EQ(run("PUT", "/v1/accounts/nobody/tags/t", R"({"value":"v","extra":"x"})").status, 404);
  EXPECT_EQ(run("POST", "/v1/accounts/a/close", "{}", "C1").status, 201);
  EXPECT_EQ(tag("late").status, 409);
  stop();
  EXPECT_EQ(private_.count(PrivateStore::kValues), 1U);
}

}  // namespace
}  // namespace daybook::api

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "api/command_service.h"
#include "eventstore/fake_log.h"
#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"

/// Duplicates of a command that hangs in the store: the real write side over a log that stands
/// still until it is told to go on.
namespace daybook::api {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{50};
constexpr std::chrono::seconds kLong{20};

class HangingLog final : public eventstore::EventLog {
 public:
  eventstore::LogHead head() const override { return log_.head(); }
  eventstore::AppendOutcome append(const eventstore::Entry& entry) override {
    std::unique_lock lock(mutex_);
    went_on_.wait(lock, [this] { return !hangs_; });
    return log_.append(entry);
  }
  Instant closed() const override { return log_.closed(); }
  Status close(Instant time) override { return log_.close(time); }
  Result<std::unique_ptr<eventstore::EntryCursor>> read(std::uint64_t position) const override {
    return log_.read(position);
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    went_on_.notify_all();
  }

 private:
  eventstore::FakeLog log_;
  std::mutex mutex_;
  std::condition_variable went_on_;
  bool hangs_ = true;
};

class DuplicatesTest : public ::testing::Test {
 protected:
  DuplicatesTest()
      : rows_(projections::kTableCount),
        private_rows_(eventstore::PrivateStore::table_names().size()),
        private_store_(private_rows_, random_),
        follower_(log_, private_store_, clock_),
        index_(rows_, log_,
               {projections::kKeysTable, projections::kStreamsTable, projections::kStatesTable}),
        projector_(log_, rows_, clock_, projections::all_projections(rows_)),
        ledger_(log_, index_, clock_, {}),
        workers_(1, 16),
        service_({ledger_, index_, projector_, private_store_, follower_, random_, workers_,
                  "fingerprints", "pepper", 0, kPatience}) {}
  void TearDown() override {
    log_.go_on();
    ledger_.stop();
    workers_.stop();
  }

  /// POST /v1/tenants: the one command that needs nothing before it.
  std::future<HttpResponse> send(const std::string& key) {
    WriteRequest request;
    request.route = std::get<RouteMatch>(find_route("POST", "/v1/tenants")).route;
    request.method = "POST";
    request.path = "/v1/tenants";
    request.idempotency_key = key;
    request.principal.tenant = TenantId("main");
    request.request_id = "request-of-" + key;
    auto answer = std::make_shared<std::promise<HttpResponse>>();
    service_.run(std::move(request), R"({"id":"acme"})",
                 [answer](HttpResponse response) { answer->set_value(std::move(response)); });
    return answer->get_future();
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [known, value] : response.headers) {
      if (known == name) return value;
    }
    return "";
  }

  eventstore::SystemClock clock_;
  eventstore::SystemRandom random_;
  HangingLog log_;
  eventstore::MemoryKv rows_;
  eventstore::MemoryKv private_rows_;
  eventstore::PrivateStore private_store_;
  projections::PrivateFollower follower_;
  eventstore::LogIndex index_;
  projections::Projector projector_;
  eventstore::Ledger ledger_;
  WorkerPool workers_;
  CommandService service_;
};

TEST_F(DuplicatesTest, a_duplicate_of_a_command_that_hangs_is_told_so_after_a_bounded_wait) {
  auto first = send("k");
  auto duplicate = send("k");
  ASSERT_EQ(duplicate.wait_for(kLong), std::future_status::ready);
  const HttpResponse told = duplicate.get();
  EXPECT_EQ(told.status, 409);
  EXPECT_NE(told.body.find("/idempotency-in-flight\""), std::string::npos) << told.body;
  EXPECT_NE(told.body.find("request-of-k"), std::string::npos);
  EXPECT_EQ(header(told, "Retry-After"), "1");
  EXPECT_EQ(header(told, "Idempotent-Replayed"), "");
  EXPECT_EQ(first.wait_for(milliseconds(0)), std::future_status::timeout) << "was cut short";

  log_.go_on();
  ASSERT_EQ(first.wait_for(kLong), std::future_status::ready);
  const HttpResponse made = first.get();
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(header(made, "Idempotent-Replayed"), "");
  // The key was not harmed by what the duplicate was told.
  const HttpResponse again = send("k").get();
  EXPECT_EQ(again.status, 201) << again.body;
  EXPECT_EQ(header(again, "Idempotent-Replayed"), "true");
}

TEST_F(DuplicatesTest, another_key_and_the_first_of_its_key_wait_as_long_as_it_takes) {
  auto first = send("k");
  auto other = send("l");
  EXPECT_EQ(first.wait_for(kPatience * 4), std::future_status::timeout);
  EXPECT_EQ(other.wait_for(milliseconds(0)), std::future_status::timeout);
  log_.go_on();
  EXPECT_EQ(first.get().status, 201);
  EXPECT_EQ(other.get().status, 409);  // tenant-exists
}

TEST_F(DuplicatesTest, a_duplicate_of_a_command_that_ends_in_time_gets_its_answer) {
  auto first = send("k");
  auto duplicate = send("k");
  log_.go_on();
  EXPECT_EQ(first.get().status, 201);
  const HttpResponse joined = duplicate.get();
  EXPECT_EQ(joined.status, 201) << joined.body;
  EXPECT_EQ(header(joined, "Idempotent-Replayed"), "true");
}

}  // namespace
}  // namespace daybook::api

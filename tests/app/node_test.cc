#include "app/node.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "domain/account.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_kv.h"
#include "replay/ledger_files.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::app {
namespace {

/// No file of this process grows any more.
class FullFiles {
 public:
  FullFiles() {
    previous_ = ::signal(SIGXFSZ, SIG_IGN);
    CHECK(::getrlimit(RLIMIT_FSIZE, &limit_) == 0);
    const rlimit none = {0, limit_.rlim_max};
    CHECK(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  }
  ~FullFiles() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    ::signal(SIGXFSZ, previous_);
  }
  FullFiles(const FullFiles&) = delete;
  FullFiles& operator=(const FullFiles&) = delete;

 private:
  rlimit limit_{};
  void (*previous_)(int) = SIG_DFL;
};

/// What the threads of this process call themselves.
std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    if (std::getline(file, name)) names.push_back(name);
  }
  return names;
}

eventstore::AnswerKind run(Node& node, eventstore::Command command) {
  command.actor = "system";
  std::promise<eventstore::AnswerKind> answer;
  node.submit(std::move(command),
              [&answer](const eventstore::Answer& given) { answer.set_value(given.kind); });
  return answer.get_future().get();
}
eventstore::Command of_account(const std::string& account, domain::AccountCommand body) {
  eventstore::Command command;
  command.tenant = TenantId(kFirstTenant);
  command.account = AccountId(account);
  command.body = std::move(body);
  return command;
}

class NodeTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    Config config;
    config.data_dir = dir_.file("ledger");
    auto opened = Node::open(config);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    node_ = std::move(*opened);
  }
  void fail_the_log() {
    const auto failed = std::make_shared<std::promise<void>>();
    const auto once = std::make_shared<std::once_flag>();
    auto told = failed->get_future();
    node_->on_failure([failed, once] { std::call_once(*once, [&] { failed->set_value(); }); });
    const FullFiles full;
    domain::OpenAccount never;
    never.currency = *domain::Currency::parse("USD");
    EXPECT_EQ(run(*node_, of_account("never", never)), eventstore::AnswerKind::kUnknown);
    told.wait();
  }

  eventstore::TempDir dir_;
  std::unique_ptr<Node> node_;
};

TEST(NodeListenTest, a_name_is_resolved_and_stands_in_the_url) {
  const eventstore::TempDir dir;
  Config config;
  config.data_dir = dir.file("ledger");
  config.listen = "localhost:0";
  ASSERT_TRUE(Node::check_new(config).ok());
  auto node = Node::open(config);
  ASSERT_TRUE(node.ok()) << node.status().message();
  const auto url = (*node)->serve();
  ASSERT_TRUE(url.ok()) << url.status().message();
  EXPECT_TRUE(url->starts_with("http://localhost:")) << *url;
  EXPECT_FALSE(url->ends_with(":0"));
}

TEST(NodeListenTest, a_name_that_nobody_has_is_refused_before_anything_is_made) {
  const eventstore::TempDir dir;
  Config config;
  config.data_dir = dir.file("ledger");
  config.listen = "ledger.invalid:8080";
  const Status status = Node::check_new(config);
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_NE(status.message().find("listen address ledger.invalid:8080"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(config.data_dir));
}

TEST_F(NodeTest, after_a_failure_no_thread_goes_on_that_uses_what_is_destroyed_next) {
  const auto projectors = [] {
    const auto names = thread_names();
    return std::count(names.begin(), names.end(), "projector");
  };
  EXPECT_EQ(projectors(), 1);
  fail_the_log();
  node_->stop();
  EXPECT_EQ(projectors(), 0);
}

TEST_F(NodeTest, a_node_whose_erasures_have_stopped_fails_though_all_its_stores_work) {
  node_.reset();
  {
    // What names a value is damaged: an erasure cannot tell which one to take.
    auto rows = replay::open_private(dir_.file("ledger"), eventstore::RocksKv::Mode::kReadWrite);
    ASSERT_TRUE(rows.ok());
    eventstore::KvBatch batch;
    batch.put(eventstore::PrivateStore::kNamed,
              eventstore::PrivateStore::key_of(TenantId(kFirstTenant), AccountId("a"),
                                               std::string(16, 'r')),
              "\x80");  // a number that does not end
    ASSERT_TRUE((*rows)->write(batch).ok());
  }
  open();
  domain::OpenAccount account;
  account.currency = *domain::Currency::parse("USD");
  ASSERT_EQ(run(*node_, of_account("a", account)), eventstore::AnswerKind::kRecorded);
  const domain::PrivateValue value{std::string(16, 's'), std::string(32, 'c')};
  ASSERT_EQ(run(*node_, of_account("a", domain::SetTag{{}, "contact", "x", value})),
            eventstore::AnswerKind::kRecorded);
  const auto failed = std::make_shared<std::promise<void>>();
  const auto once = std::make_shared<std::once_flag>();
  auto told = failed->get_future();
  node_->on_failure([failed, once] { std::call_once(*once, [&] { failed->set_value(); }); });
  ASSERT_EQ(run(*node_, of_account("a", domain::ErasePrivateData{})),
            eventstore::AnswerKind::kRecorded);
  ASSERT_EQ(told.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(node_->failure().message().starts_with("erasures: ")) << node_->failure().message();
  EXPECT_EQ(node_->failure().code(), StatusCode::kIo);  // whatever its cause, here kCorrupt
}

// As an import does: nobody served it, and its last answers went to a place that is gone.
TEST(NodeStopTest, what_happened_to_the_stores_since_the_last_look_is_a_failure) {
  for (const std::string name : {"log/CURRENT", "log.watermark", "private/CURRENT"}) {
    const eventstore::TempDir dir;
    Config config;
    config.data_dir = dir.file("ledger");
    config.settle_interval_ms = 600'000;
    auto node = Node::open(config);
    ASSERT_TRUE(node.ok()) << node.status().message();
    domain::OpenAccount account;
    account.currency = *domain::Currency::parse("USD");
    ASSERT_EQ(run(**node, of_account("a", account)), eventstore::AnswerKind::kRecorded);
    std::filesystem::remove(config.data_dir + "/" + name);
    (*node)->stop();
    EXPECT_NE((*node)->failure().message().find(name), std::string::npos)
        << name << ": " << (*node)->failure().message();
  }
}

TEST_F(NodeTest, work_ends_as_it_did_where_nothing_failed) {
  EXPECT_EQ(node_->stop_after(not_found("no file")).message(), "no file");
  EXPECT_TRUE(node_->stop_after({}).ok());
}

TEST_F(NodeTest, work_that_a_failure_ended_is_told_with_its_cause) {
  fail_the_log();
  const Status told = node_->stop_after(unavailable("stopped"));
  EXPECT_EQ(told.code(), StatusCode::kIo);
  EXPECT_EQ(told.message(), "stopped: " + node_->failure().message());
  EXPECT_NE(told.message().find("File too large"), std::string::npos) << told.message();
  EXPECT_EQ(node_->stop_after({}).message(), node_->failure().message());
}

}  // namespace
}  // namespace daybook::app

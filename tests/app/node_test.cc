#include "app/node.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

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

eventstore::AnswerKind create_tenant(Node& node, const std::string& id) {
  domain::KeyGrant key;
  key.id = "key-of-" + id;
  key.roles.add(domain::Role::kAdmin);
  eventstore::Command command;
  command.tenant = TenantId(id);
  command.body = domain::TenantCommand(domain::CreateTenant{{}, key});
  command.actor = "system";
  std::promise<eventstore::AnswerKind> answer;
  node.submit(std::move(command),
              [&answer](const eventstore::Answer& given) { answer.set_value(given.kind); });
  return answer.get_future().get();
}

class NodeTest : public testing::Test {
 protected:
  void SetUp() override {
    Config config;
    config.data_dir = dir_.file("ledger");
    auto opened = Node::open(config);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    node_ = std::move(*opened);
  }
  void fail_the_log() {
    std::promise<void> failed;
    auto told = failed.get_future();
    bool first = true;
    node_->on_failure([&failed, &first] {
      if (std::exchange(first, false)) failed.set_value();
    });
    const FullFiles full;
    EXPECT_EQ(create_tenant(*node_, "never"), eventstore::AnswerKind::kUnknown);
    told.wait();
    node_->on_failure([] {});
  }

  eventstore::TempDir dir_;
  std::unique_ptr<Node> node_;
};

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

TEST_F(NodeTest, work_that_a_failure_ended_is_told_with_its_cause) {
  EXPECT_EQ(node_->with_failure(io_error("stopped")).message(), "stopped");
  fail_the_log();
  EXPECT_TRUE(node_->with_failure({}).ok());
  const std::string told = node_->with_failure(io_error("stopped")).message();
  EXPECT_EQ(told, "stopped: the store failed: " + node_->failure().message());
  EXPECT_NE(told.find("File too large"), std::string::npos) << told;
}

}  // namespace
}  // namespace daybook::app

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "api/queries.h"
#include "eventstore/fake_log.h"
#include "eventstore/ledger.h"
#include "eventstore/memory_kv.h"
#include "eventstore/system_ports.h"
#include "projections/checkpoint.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"

/// Which moment a read speaks for while the tables of the read models are written one by one.
namespace daybook::api {
namespace {

class ReadingTest : public ::testing::Test {
 protected:
  ReadingTest()
      : rows_(projections::kTableCount),
        private_rows_(eventstore::PrivateStore::table_names().size()),
        private_store_(private_rows_, random_),
        index_(rows_, log_,
               {projections::kKeysTable, projections::kStreamsTable, projections::kStatesTable}),
        projector_(log_, rows_, clock_, projections::all_projections(rows_)),
        ledger_(log_, index_, clock_, {}),
        sources_{rows_, log_, private_store_, cursors_, clock_} {
    domain::KeyGrant key;
    key.id = "k";
    key.roles.add(domain::Role::kAdmin);
    run(domain::TenantCommand(domain::CreateTenant{std::nullopt, key}));
    run(domain::AccountCommand(domain::OpenAccount{usd(), {}, {}}));
    EXPECT_EQ(top_up("1"), 2U);
  }
  void TearDown() override { ledger_.stop(); }

  static domain::Currency usd() { return *domain::Currency::parse("USD"); }

  eventstore::Answer run(std::variant<domain::AccountCommand, domain::TenantCommand> body) {
    eventstore::Command command;
    command.tenant = TenantId("main");
    if (body.index() == 0) command.account = AccountId("acme");
    command.body = std::move(body);
    command.actor = "test";
    std::promise<eventstore::Answer> done;
    ledger_.submit(std::move(command),
                   [&done](eventstore::Answer answer) { done.set_value(std::move(answer)); });
    eventstore::Answer answer = done.get_future().get();
    EXPECT_EQ(answer.kind, eventstore::AnswerKind::kRecorded);
    return answer;
  }
  std::uint64_t top_up(const std::string& amount) {
    domain::TopUp command;
    command.amount = {*domain::parse_amount(amount), usd()};
    return run(domain::AccountCommand(command)).event->position;
  }
  void project() {
    EXPECT_TRUE(projector_.run_once().ok());
    index_.publish(projector_.applied());
    ledger_.indexed(projector_.applied());
  }
  /// As if this table were not written yet from the position on.
  void hold_back(eventstore::Table table, const std::string& checkpoint) {
    eventstore::KvBatch batch;
    batch.put(table, std::string(projections::kCheckpointKey), checkpoint);
    EXPECT_TRUE(rows_.write(batch).ok());
  }

  HttpResponse get(Operation operation, const std::string& query = "") const {
    ReadRequest request;
    request.operation = operation;
    if (operation == Operation::kGetBalance) request.params.emplace("account", "acme");
    request.principal.tenant = TenantId("main");
    request.query = std::get<QueryParams>(QueryParams::parse(query, query_names(operation)));
    return run_query(request, sources_);
  }
  static std::string position_of(const HttpResponse& response) {
    for (const auto& [name, value] : response.headers) {
      if (name == "Daybook-Position") return value;
    }
    return "";
  }
  static bool has(const HttpResponse& response, const std::string& text) {
    return response.body.find(text) != std::string::npos;
  }

  eventstore::SystemClock clock_;
  eventstore::SystemRandom random_;
  eventstore::FakeLog log_;
  eventstore::MemoryKv rows_;
  eventstore::MemoryKv private_rows_;
  eventstore::PrivateStore private_store_;
  eventstore::LogIndex index_;
  projections::Projector projector_;
  eventstore::Ledger ledger_;
  CursorCodec cursors_{"secret"};
  ReadSources sources_;
};

TEST_F(ReadingTest, what_only_some_tables_have_is_not_shown) {
  project();
  const auto before = rows_.get(projections::kDueTable, projections::kCheckpointKey);
  ASSERT_TRUE(before.ok() && before->has_value());
  EXPECT_EQ(top_up("2"), 3U);
  project();
  const HttpResponse all = get(Operation::kGetBalance);
  EXPECT_EQ(position_of(all), "0:3");
  EXPECT_TRUE(has(all, R"("balance":"3.00")")) << all.body;

  hold_back(projections::kDueTable, **before);
  const HttpResponse balance = get(Operation::kGetBalance);
  EXPECT_EQ(position_of(balance), "0:2");
  EXPECT_TRUE(has(balance, R"("balance":"1.00")")) << balance.body;
  const HttpResponse list = get(Operation::kListAccounts);
  EXPECT_EQ(position_of(list), "0:2");
  EXPECT_TRUE(has(list, R"("version":2)")) << list.body;
}

}  // namespace
}  // namespace daybook::api

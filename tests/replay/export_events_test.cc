#include "replay/export_events.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "eventstore/public_json.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

class ExportEventsTest : public testing::Test {
 protected:
  void SetUp() override {
    make_ledger(dir(), clock_, 300);
    for (const auto& entry : entries_of(dir())) {
      eventstore::for_each_event(entry, [&](std::uint64_t, std::string_view bytes) {
        const auto event = eventstore::decode_event(bytes);
        CHECK(event.ok());
        events_.push_back(*event);
        return true;
      });
    }
  }

  std::string dir() const { return temp_.file("ledger"); }
  static ExportQuery named(const std::string& account, const std::string& tenant) {
    ExportQuery query;
    if (!account.empty()) query.account = AccountId(account);
    if (!tenant.empty()) query.tenant = TenantId(tenant);
    return query;
  }
  static ExportQuery range(std::uint64_t from, std::uint64_t to) {
    ExportQuery query;
    query.from = from;
    query.to = to;
    return query;
  }

  /// The lines that must come out: those of the stored events for which `wanted` holds.
  template <class Wanted>
  std::vector<std::string> lines_of(const Wanted& wanted) const {
    std::vector<std::string> lines;
    for (std::size_t position = 0; position < events_.size(); ++position) {
      if (!wanted(events_[position], position)) continue;
      lines.push_back(eventstore::public_json(events_[position]) + "\n");
    }
    return lines;
  }
  std::vector<std::string> exported(const ExportQuery& query) const {
    std::vector<std::string> lines;
    const auto done = export_events(dir(), query, [&](std::string_view line) {
      lines.emplace_back(line);
      return Status();
    });
    EXPECT_TRUE(done.ok()) << done.status().message();
    EXPECT_EQ(done.ok() ? done->events : 0, lines.size());
    return lines;
  }
  StatusCode failure(const ExportQuery& query) const {
    std::size_t given = 0;
    const auto done = export_events(dir(), query, [&](std::string_view) {
      ++given;
      return Status();
    });
    EXPECT_EQ(given, 0U) << "something was given out before the refusal";
    return done.status().code();
  }

  TempDir temp_;
  TickingClock clock_;
  std::vector<domain::RecordedEvent> events_;
};

TEST_F(ExportEventsTest, everything_comes_out_in_the_order_of_the_log) {
  EXPECT_EQ(exported(ExportQuery()), lines_of([](const auto&, std::size_t) { return true; }));
}

TEST_F(ExportEventsTest, a_range_is_half_open_and_need_not_meet_entries) {
  const std::size_t size = events_.size();
  for (std::size_t from = 0; from <= size; from += 37) {
    for (std::size_t to = from; to <= size; to += 53) {
      EXPECT_EQ(exported(range(from, to)),
                lines_of([&](const auto&, std::size_t at) { return from <= at && at < to; }))
          << from << " to " << to;
    }
  }
}

TEST_F(ExportEventsTest, an_account_of_a_tenant_is_its_whole_history) {
  const auto stream = domain::StreamId::account(TenantId("north"), AccountId("a1"));
  const auto wanted =
      lines_of([&](const auto& event, std::size_t) { return event.stream == stream; });
  ASSERT_FALSE(wanted.empty());
  EXPECT_EQ(exported(named("a1", "north")), wanted);
}

TEST_F(ExportEventsTest, a_tenant_is_all_its_streams) {
  const TenantId south("south");
  EXPECT_EQ(exported(named("", "south")),
            lines_of([&](const auto& event, std::size_t) { return event.stream.tenant == south; }));
}

TEST_F(ExportEventsTest, what_cannot_be_meant_is_refused_before_a_line_is_given) {
  EXPECT_EQ(failure(named("a1", "")), StatusCode::kConflict);
  EXPECT_EQ(failure(named("absent", "")), StatusCode::kNotFound);
  EXPECT_EQ(failure(named("", "absent")), StatusCode::kNotFound);
  EXPECT_EQ(failure(range(0, events_.size() + 1)), StatusCode::kNotFound);
  EXPECT_EQ(failure(range(2, 1)), StatusCode::kInvalid);
  EXPECT_EQ(failure(range(events_.size() + 1, events_.size() + 2)), StatusCode::kNotFound);
  EXPECT_EQ(failure(range(events_.size() + 1, 1)), StatusCode::kNotFound);
}

TEST_F(ExportEventsTest, a_sink_that_fails_ends_it) {
  int lines = 0;
  const auto done = export_events(
      dir(), {}, [&](std::string_view) { return ++lines == 3 ? io_error("no room") : Status(); });
  EXPECT_EQ(done.status().code(), StatusCode::kIo);
  EXPECT_EQ(lines, 3);
}

}  // namespace
}  // namespace daybook::replay

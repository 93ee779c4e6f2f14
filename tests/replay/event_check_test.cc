#include "replay/event_check.h"

#include <gtest/gtest.h>

#include "tests/support/controls.h"

namespace daybook::replay {
namespace {

using domain::AccountStatus;

domain::RecordedEvent next(const domain::AccountState& state, domain::Event body) {
  domain::RecordedEvent event;
  event.stream = domain::StreamId::account(test::tenant_id(), test::account_id());
  event.version = state.version + 1;
  event.recorded_at = event.effective_at = test::morning();
  event.actor = "key:k1";
  event.event = std::move(body);
  return event;
}

TEST(EventCheckTest, a_reopening_brings_back_the_status_that_was_closed_and_no_other) {
  for (const bool frozen : {false, true}) {
    domain::AccountState state;
    evolve(state, next(state, domain::AccountOpened{test::currency("USD"), {}, {}}));
    if (frozen) evolve(state, next(state, domain::AccountFrozen{}));
    evolve(state, next(state, domain::AccountClosed{}));
    for (const auto status : {AccountStatus::kNone, AccountStatus::kOpen, AccountStatus::kFrozen,
                              AccountStatus::kClosed}) {
      const bool is_right = status == (frozen ? AccountStatus::kFrozen : AccountStatus::kOpen);
      EXPECT_EQ(check_evolves(state, next(state, domain::AccountReopened{{}, status})).has_value(),
                !is_right)
          << name_of(status);
    }
  }
}

}  // namespace
}  // namespace daybook::replay

#include "eventstore/memory_use.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/controls.h"

namespace daybook::eventstore {
namespace {

const std::string kLong(1'000, 'x');

std::size_t memory_of_body(domain::AccountCommand body) {
  Command command;
  command.body = std::move(body);
  return memory_of(command);
}

TEST(MemoryUseTest, a_command_counts_with_every_text_that_it_holds) {
  const std::size_t least = memory_of_body(domain::SettleAccount{});
  EXPECT_GE(least, sizeof(Command));
  domain::PostCharge charge = test::charge(test::usd("1"));
  charge.description = charge.service = kLong;
  charge.attributes = {{kLong, kLong}, {"a", kLong}};
  EXPECT_GE(memory_of_body(charge), least + 5'001);
  domain::OpenAccount open{};
  open.tags = {{kLong, kLong}};
  EXPECT_GE(memory_of_body(open), least + 2'000);
  const domain::PrivateValue value{kLong, kLong};
  EXPECT_GE(memory_of_body(domain::SetTag{kLong, kLong, kLong, value, value}), least + 7'000);
  EXPECT_GE(memory_of_body(domain::TopUp{test::usd("1"), kLong, kLong, kLong}), least + 3'000);
  EXPECT_GE(memory_of_body(domain::RefundCharge{{1}, {}, kLong}), least + 1'000);
  Command keyed;
  keyed.idempotency_key = keyed.actor = kLong;
  EXPECT_GE(memory_of(keyed), least + 2'000);
  domain::KeyGrant key;
  key.accounts = {AccountId(kLong), AccountId(kLong)};
  keyed.body = domain::TenantCommand(domain::CreateApiKey{key});
  EXPECT_GE(memory_of(keyed), least + 4'000);
}

TEST(MemoryUseTest, a_state_counts_with_its_tags_and_holds) {
  domain::AccountState state;
  const std::size_t least = memory_of(state);
  state.tags.resize(10);
  for (auto& tag : state.tags) tag.value = kLong;
  state.holds.resize(100);
  EXPECT_GE(memory_of(state), least + 10'000 + 100 * sizeof(domain::OpenHold));
  Lookups lookups;
  lookups.account = state;
  EXPECT_GE(memory_of(lookups), memory_of(state));
}

}  // namespace
}  // namespace daybook::eventstore

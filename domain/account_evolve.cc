#include <algorithm>
#include <tuple>

#include "domain/account.h"
#include "domain/base/check.h"

namespace daybook::domain {
namespace {

/// Applies one event to the state; one overload per event, copying what decide computed.
class Evolution {
 public:
  Evolution(AccountState& state, Instant recorded_at) : state_(state), recorded_at_(recorded_at) {}

  void operator()(const AccountOpened& event) {
    state_.status = AccountStatus::kOpen;
    state_.mode = event.mode;
    state_.currency = event.currency;
    state_.opened_at = recorded_at_;
    balance(event.currency);
    for (const auto& tag : event.tags)
      set_tag({std::nullopt, tag.name, tag.value, {}, recorded_at_});
  }
  void operator()(const AccountFrozen&) { state_.status = AccountStatus::kFrozen; }
  void operator()(const AccountUnfrozen&) { state_.status = AccountStatus::kOpen; }
  void operator()(const AccountClosed&) {
    state_.frozen_when_closed = state_.status == AccountStatus::kFrozen;
    state_.status = AccountStatus::kClosed;
  }
  void operator()(const AccountReopened& event) {
    state_.frozen_when_closed = false;
    state_.status = event.status_after;
  }

  void operator()(const BalanceToppedUp& event) { set_balance(event.balance_after); }
  void operator()(const TopUpReversed& event) { set_balance(event.balance_after); }
  void operator()(const ChargePosted& event) { set_balance(event.balance_after); }
  void operator()(const ChargeRefused&) {}
  void operator()(const ChargeRefunded& event) { set_balance(event.balance_after); }
  void operator()(const BalancePaidOut& event) { set_balance(event.balance_after); }
  void operator()(const CreditNoteIssued& event) { set_balance(event.balance_after); }
  void operator()(const AdjustmentPosted& event) { set_balance(event.balance_after); }

  void operator()(const HoldPlaced& event) {
    CHECK(event.hold.version == state_.version);
    state_.holds.push_back({event.hold.version, event.amount, event.expires_at, event.service});
    set_held(event.held_after);
  }
  void operator()(const HoldCaptured& event) {
    end_hold(event.hold);
    set_balance(event.balance_after);
    set_held(event.held_after);
  }
  void operator()(const HoldReleased& event) {
    end_hold(event.hold);
    set_held(event.held_after);
  }
  void operator()(const HoldExpired& event) {
    end_hold(event.hold);
    set_held(event.held_after);
  }

  void operator()(const CreditLimitSet& event) {
    balance(event.amount.currency).limit_override = event.amount.amount;
  }
  void operator()(const CreditLimitCleared& event) {
    balance(event.previous.currency).limit_override.reset();
  }

  void operator()(const TagSet& event) {
    set_tag({event.service, event.tag, event.value, event.extra, recorded_at_});
    state_.has_private_values |= event.extra.has_value();
  }
  void operator()(const TagRemoved& event) {
    if (event.tag == kAutoCreditTag) {
      set_tag({event.service, event.tag, std::nullopt, {}, recorded_at_});
      return;
    }
    std::erase_if(state_.tags, [&](const AccountTag& tag) {
      return tag.service == event.service && tag.name == event.tag;
    });
  }

  void operator()(const UsageNoted&) {}
  void operator()(const PrivateDataErased&) {
    for (auto& tag : state_.tags) tag.extra.reset();
    state_.has_private_values = false;
  }
  void operator()(const NoChange&) {}
  void operator()(const CommandRefused&) {}

  template <class Other>
  void operator()(const Other&) {
    CHECK(false && "an event of another stream");
  }

 private:
  CurrencyBalance& balance(Currency currency) {
    for (auto& candidate : state_.balances) {
      if (candidate.currency == currency) return candidate;
    }
    return state_.balances.emplace_back(CurrencyBalance{currency, {}, {}, {}});
  }

  void set_balance(const Money& after) { balance(after.currency).balance = after.amount; }
  void set_held(const Money& after) { balance(after.currency).held = after.amount; }

  void end_hold(EventRef hold) {
    const auto removed = std::erase_if(
        state_.holds, [&](const OpenHold& open) { return open.version == hold.version; });
    CHECK(removed == 1);
  }

  void set_tag(AccountTag tag) {
    const auto at = std::lower_bound(state_.tags.begin(), state_.tags.end(), tag,
                                     [](const AccountTag& left, const AccountTag& right) {
                                       return std::tie(left.service, left.name) <
                                              std::tie(right.service, right.name);
                                     });
    if (at != state_.tags.end() && at->service == tag.service && at->name == tag.name) {
      *at = std::move(tag);
    } else {
      state_.tags.insert(at, std::move(tag));
    }
  }

  AccountState& state_;
  Instant recorded_at_;
};

}  // namespace

void evolve(AccountState& state, const Event& event, Instant recorded_at) {
  ++state.version;
  // Opening is the first event of an account and no other.
  CHECK((state.version == 1) == std::holds_alternative<AccountOpened>(event));
  std::visit(Evolution(state, recorded_at), event);
}

void evolve(AccountState& state, const RecordedEvent& recorded) {
  CHECK(recorded.stream.kind == StreamKind::kAccount);
  CHECK(recorded.version == state.version + 1);
  evolve(state, recorded.event, recorded.recorded_at);
}

}  // namespace daybook::domain

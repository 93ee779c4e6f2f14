// The effective axis of a stream. What is recorded before a time also counts before it (nothing
// counts in the future), so a fold may start from the state of that time.
#include <algorithm>
#include <map>
#include <utility>

#include "domain/base/check.h"
#include "domain/posting_rules.h"
#include "projections/streams.h"

namespace daybook::projections {
namespace {

using domain::Amount;
using domain::Money;
using eventstore::PlacedEventPtr;

Status add_to(Amount& sum, Amount change) {
  const auto added = domain::checked_add(sum, change);
  if (!added) return invalid("a sum on the effective axis does not fit 128 bits");
  sum = *added;
  return {};
}

/// Collects one page of a statement from events in the order of their versions.
class StatementFold {
 public:
  StatementFold(const StatementQuery& query, Amount base) : query_(query), opening_(base) {}

  Status add(const PlacedEventPtr& event) {
    const auto change = domain::balance_change_of(event->event.event);
    if (!change || change->currency != query_.currency) return {};
    const StatementPlace place{event->event.effective_at, event->event.version};
    if (place.effective_at < query_.from) return add_to(opening_, change->amount);
    if (place.effective_at >= query_.to) return {};
    if (Status status = add_to(period_, change->amount); !status.ok()) return status;
    if (query_.after && place <= *query_.after) return add_to(passed_, change->amount);
    lines_.emplace(place, StatementLine{event, change->amount, {}});
    if (lines_.size() > query_.limit) {
      lines_.erase(std::prev(lines_.end()));
      more_ = true;
    }
    return {};
  }

  Result<Statement> finish() && {
    Statement statement;
    statement.opening = opening_;
    statement.closing = opening_;
    if (Status status = add_to(statement.closing, period_); !status.ok()) return status;
    Amount balance = opening_;
    if (Status status = add_to(balance, passed_); !status.ok()) return status;
    for (auto& [place, line] : lines_) {
      if (Status status = add_to(balance, line.change); !status.ok()) return status;
      line.balance = balance;
      statement.lines.push_back(std::move(line));
    }
    if (more_) statement.next = lines_.rbegin()->first;
    return statement;
  }

 private:
  const StatementQuery& query_;
  Amount opening_;
  Amount period_;                                  ///< All changes of the period.
  Amount passed_;                                  ///< Those of earlier pages.
  std::map<StatementPlace, StatementLine> lines_;  ///< The first ones of this page.
  bool more_ = false;
};

Money& entry_of(std::vector<Money>& sums, domain::Currency currency) {
  for (Money& sum : sums) {
    if (sum.currency == currency) return sum;
  }
  return sums.emplace_back(Money{{}, currency});
}

}  // namespace

Result<Statement> StreamReader::statement(const StatementQuery& query) const {
  CHECK(query.limit > 0);
  std::uint64_t start = 0;
  if (query.from.micros > INT64_MIN) {
    const auto before = version_as_of({query.from.micros - 1});
    if (!before.ok()) return before.status();
    start = std::min(*before, query.upto_version);
  }
  const auto state = state_at(start);
  if (!state.ok()) return state.status();
  StatementFold fold(query, domain::balance_of(*state, query.currency).balance);
  const Status status = for_each(start + 1, query.upto_version,
                                 [&](const PlacedEventPtr& event) { return fold.add(event); });
  if (!status.ok()) return status;
  return std::move(fold).finish();
}

Result<EffectiveBalance> StreamReader::balance_effective(Instant effective_by,
                                                         std::uint64_t upto_version) const {
  CHECK(upto_version > 0);
  const auto before = version_as_of(effective_by);
  if (!before.ok()) return before.status();
  const std::uint64_t start = std::min(*before, upto_version);
  const auto state = state_at(start);
  if (!state.ok()) return state.status();
  EffectiveBalance counted;
  counted.counts_anything = start > 0;
  auto& sums = counted.sums;
  for (const auto& balance : state->balances) sums.push_back({balance.balance, balance.currency});
  const Status status =
      for_each(start + 1, upto_version, [&](const PlacedEventPtr& event) -> Status {
        if (const auto* opened = std::get_if<domain::AccountOpened>(&event->event.event)) {
          entry_of(sums, opened->currency);
        }
        const auto change = domain::balance_change_of(event->event.event);
        if (!change || event->event.effective_at > effective_by) return {};
        counted.counts_anything = true;
        return add_to(entry_of(sums, change->currency).amount, change->amount);
      });
  if (!status.ok()) return status;
  return counted;
}

}  // namespace daybook::projections

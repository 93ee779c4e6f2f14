#include "replay/account_replay.h"

#include <map>
#include <memory>
#include <utility>

#include "domain/base/check.h"
#include "eventstore/event_codec.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "replay/event_check.h"
#include "replay/ledger_files.h"

namespace daybook::replay {
namespace {

using domain::RecordedEvent;
using domain::StreamKind;
using eventstore::Entry;
using eventstore::JsonObject;

Status finding_status(std::uint64_t position, const Finding& finding) {
  return corrupt("position " + std::to_string(position) + ": " + finding.check + ": expected " +
                 finding.expected + ", found " + finding.found);
}

/// Folds the events of one account id, under whatever tenants have it, and of all tenants.
class Fold {
 public:
  explicit Fold(const ReplayQuery& query) : query_(query) {}

  /// False: the point was reached.
  Result<bool> take(const Entry& entry) {
    Status failure;
    bool goes_on = true;
    eventstore::for_each_event(entry, [&](std::uint64_t position, std::string_view bytes) {
      auto more = take_event(position, bytes);
      if (!more.ok()) failure = more.status();
      goes_on = more.ok() && *more;
      return goes_on;
    });
    if (!failure.ok()) return failure;
    return goes_on;
  }

  Result<AccountReplay> result(const eventstore::LogHead& head, Instant closed) const {
    const std::string id = query_.account.value();
    if (!is_seen_) return not_found("account " + id + ": not found");
    if (accounts_.empty()) {
      return not_found("account " + id + ": not yet: it did not exist at that point");
    }
    if (accounts_.size() > 1) {
      return conflict("account " + id + ": several tenants have one; name the tenant");
    }
    const auto& [tenant, account] = *accounts_.begin();
    const auto terms = tenants_.find(tenant);
    auto balances = projections::balance_views(
        account.state, terms == tenants_.end() ? domain::Catalogue() : terms->second.catalogue);
    const bool is_past = query_.as_of || query_.as_of_position;
    return AccountReplay{tenant,          query_.account,
                         account.state,   std::move(balances),
                         head.generation, is_past ? account.position : head.next_position - 1,
                         query_.as_of,    closed};
  }

  /// The account is in the log, be it after the point.
  bool is_seen() const { return is_seen_; }

 private:
  struct Account {
    domain::AccountState state;
    std::uint64_t position = 0;
  };

  bool is_wanted(const domain::StreamId& stream) const {
    return stream.kind == StreamKind::kAccount && stream.id == query_.account.value() &&
           (!query_.tenant || stream.tenant == *query_.tenant);
  }
  bool is_beyond(std::uint64_t position, Instant recorded_at) const {
    return (query_.as_of && recorded_at > *query_.as_of) ||
           (query_.as_of_position && position > *query_.as_of_position);
  }

  Result<bool> take_event(std::uint64_t position, std::string_view bytes) {
    const auto head = eventstore::decode_event_head(bytes);
    if (!head.ok()) return head.status();
    const bool is_ours = is_wanted(head->stream);
    if (is_ours) is_seen_ = true;
    // Beyond the point there is one thing left to learn: whether it ever was.
    if (is_beyond(position, head->recorded_at)) return !is_seen_;
    if (!is_ours && head->stream.kind != StreamKind::kTenant) return true;
    auto event = eventstore::decode_event(bytes);
    if (!event.ok()) return event.status();
    Status status = is_ours ? take_account(*event, position) : take_tenant(*event, position);
    if (!status.ok()) return status;
    return true;
  }

  Status take_account(const RecordedEvent& event, std::uint64_t position) {
    Account& account = accounts_[event.stream.tenant];
    auto finding = check_form(event);
    if (!finding) finding = check_evolves(account.state, event);
    if (finding) return finding_status(position, *finding);
    domain::evolve(account.state, event);
    account.position = position;
    return {};
  }

  Status take_tenant(const RecordedEvent& event, std::uint64_t position) {
    domain::TenantState& tenant = tenants_[event.stream.tenant];
    auto finding = check_form(event);
    if (!finding) finding = check_evolves(tenant, event);
    if (finding) return finding_status(position, *finding);
    domain::evolve(tenant, event);
    return {};
  }

  const ReplayQuery& query_;
  bool is_seen_ = false;
  std::map<TenantId, Account> accounts_;
  std::map<TenantId, domain::TenantState> tenants_;
};

}  // namespace

std::string balance_json(const projections::BalanceView& view) {
  const auto text = [&](domain::Amount amount) {
    return to_text(domain::Money{amount, view.currency});
  };
  return JsonObject()
      .string("currency", view.currency.code())
      .string("balance", text(view.balance))
      .string("shown_balance", text(view.shown_balance))
      .string("credit_limit", text(view.credit_limit))
      .string("credit_limit_source", name_of(view.credit_limit_source))
      .string("credit_used", text(view.credit_used))
      .string("held", text(view.held))
      .string("unbilled", text(view.unbilled))
      .string("receivable", text(view.receivable))
      .string("available", text(view.available))
      .text();
}

Result<AccountReplay> replay_account(const eventstore::EventLog& log, const ReplayQuery& query) {
  CHECK(!(query.as_of && query.as_of_position));
  Instant closed = log.closed();  // Before the head: what is closed is then read.
  // At the very moment of the last event another may be recorded, until that moment was closed or
  // the next process has begun.
  if (closed <= log.head().last_recorded_at) --closed.micros;
  const eventstore::LogHead head = log.head();
  if (query.as_of_position && *query.as_of_position >= head.next_position) {
    return not_found(
        "position " +
        to_text(eventstore::PublicPosition{head.generation, 0, *query.as_of_position}) +
        ": the log ends before it");
  }
  auto cursor = log.read(0);
  if (!cursor.ok()) return cursor.status();
  Fold fold(query);
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) break;
    auto more = fold.take(**entry);
    if (!more.ok()) return more.status();
    if (!*more || (*entry)->entry_no + 1 >= head.entry_count) break;
  }
  return fold.result(head, closed);
}

Result<AccountReplay> replay_account(const std::string& dir, const ReplayQuery& query) {
  auto log = open_log_for_reading(dir);
  if (!log.ok()) return log.status();
  return replay_account(**log, query);
}

std::string to_json(const AccountReplay& replay) {
  JsonObject own;
  std::map<std::string, JsonObject> by_service;
  for (const auto& tag : replay.state.tags) {
    if (!tag.value) continue;
    (tag.service ? by_service[*tag.service] : own)
        .raw(tag.name, JsonObject().string("value", *tag.value).text());
  }
  JsonObject services;
  for (auto& [service, tags] : by_service) {
    services.raw(service, JsonObject().raw("tags", tags.text()).text());
  }
  std::vector<std::string> balances;
  for (const auto& view : replay.balances) balances.push_back(balance_json(view));
  JsonObject json;
  json.string("tenant", replay.tenant.value())
      .string("account", replay.account.value())
      .string("status", name_of(replay.state.status))
      .number("version", replay.state.version)
      .string("position",
              to_text(eventstore::PublicPosition{replay.generation, 0, replay.position}))
      .raw("balances", eventstore::json_array(balances))
      .raw("tags", own.text())
      .raw("services", services.text());
  if (replay.as_of) json.boolean("final", replay.is_final());
  return json.text();
}

std::string to_text(const AccountReplay& replay) {
  std::string text = "account " + replay.tenant.value() + "/" + replay.account.value() + ", " +
                     std::string(name_of(replay.state.status)) + ", version " +
                     std::to_string(replay.state.version) + " at position " +
                     to_text(eventstore::PublicPosition{replay.generation, 0, replay.position}) +
                     "\n";
  for (const auto& view : replay.balances) {
    const auto money = [&](domain::Amount amount) {
      return to_text(domain::Money{amount, view.currency});
    };
    text += std::string(view.currency.code()) + ": balance " + money(view.balance) + ", held " +
            money(view.held) + ", credit limit " + money(view.credit_limit) + ", available " +
            money(view.available) + "\n";
  }
  for (const auto& tag : replay.state.tags) {
    if (!tag.value) continue;
    text += "tag " + (tag.service ? *tag.service + "/" : std::string()) + tag.name + " = " +
            *tag.value + "\n";
  }
  return text;
}

}  // namespace daybook::replay

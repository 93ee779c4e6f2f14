#include "api/queries.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "api/account_list.h"
#include "api/account_view.h"
#include "api/answers.h"
#include "api/general_ledger.h"
#include "api/paging.h"
#include "api/problem.h"
#include "api/tenant_queries.h"
#include "domain/base/check.h"
#include "domain/posting_rules.h"
#include "eventstore/event_id.h"
#include "eventstore/json_text.h"
#include "eventstore/public_json.h"
#include "projections/balance_view.h"
#include "replay/account_replay.h"

namespace daybook::api {
namespace {

using domain::Amount;
using domain::Currency;
using domain::Money;
using eventstore::json_array;
using eventstore::JsonObject;

HttpResponse account_response(const AccountView& view, std::string body) {
  HttpResponse response = json_response(std::move(body));
  speak_for(response, view.position_text);
  response.headers.emplace_back("ETag", "\"" + std::to_string(view.state.version) + "\"");
  return response;
}

// --- Balances
// --------------------------------------------------------------------------------------

std::string balances_json(const AccountView& view,
                          const std::optional<Currency>& only = std::nullopt) {
  std::vector<std::string> rows;
  for (const auto& item : projections::balance_views(view.state, view.catalogue)) {
    if (!only || item.currency == *only) rows.push_back(replay::balance_json(item));
  }
  if (only && rows.empty()) {
    rows.push_back(replay::balance_json(
        projections::balance_view(balance_of(view.state, *only), view.catalogue)));
  }
  return json_array(rows);
}

HttpResponse get_balance(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const auto currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  return account_response(account, JsonObject()
                                       .string("account", reading.account().value())
                                       .string("position", account.position_text)
                                       .raw("balances", balances_json(account, currency))
                                       .text());
}

HttpResponse get_credit_limit(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const auto currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  const Currency wanted = currency.value_or(account.state.currency);
  const auto limit = effective_limit(balance_of(account.state, wanted), account.catalogue);
  return account_response(account,
                          JsonObject()
                              .string("account", reading.account().value())
                              .raw("amount", eventstore::money_json({limit.amount, wanted}))
                              .string("source", name_of(limit.source))
                              .string("position", account.position_text)
                              .text());
}

// --- Accounts and tags
// -----------------------------------------------------------------------------

/// The private part of a tag; empty once it was erased. One that cannot be read is an error.
Result<std::optional<std::string>> extra_of(const domain::AccountTag& tag,
                                            const ReadRequest& request,
                                            const ReadSources& sources) {
  if (!tag.extra) return std::optional<std::string>();
  const AccountId account(request.params.find("account")->second);
  return sources.private_store.get(request.principal.tenant, account, *tag.extra);
}

HttpResponse get_account(const ReadRequest& request, const ReadSources& sources) {
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);

  JsonObject own;
  std::map<std::string, JsonObject> by_service;
  for (const auto& tag : account.state.tags) {
    if (!tag.value) continue;
    JsonObject shown;
    shown.string("value", *tag.value);
    auto extra = extra_of(tag, request, sources);
    if (!extra.ok()) return reading.failed(extra.status());
    if (*extra) shown.string("extra", **extra);
    (tag.service ? by_service[*tag.service] : own).raw(tag.name, shown.text());
  }
  JsonObject services;
  for (auto& [service, tags] : by_service) {
    services.raw(service, JsonObject().raw("tags", tags.text()).text());
  }
  return account_response(account, JsonObject()
                                       .string("id", reading.account().value())
                                       .string("status", name_of(account.state.status))
                                       .string("currency", account.state.currency.code())
                                       .string("mode", name_of(account.state.mode))
                                       .number("version", account.state.version)
                                       .string("opened_at", to_rfc3339(account.state.opened_at))
                                       .raw("balances", balances_json(account))
                                       .raw("tags", own.text())
                                       .raw("services", services.text())
                                       .raw("settings", "{}")
                                       .string("position", account.position_text)
                                       .text());
}

HttpResponse list_tags(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  const auto service = request.params.find("service");

  // In the order of the state: without a service first, which is no service's name.
  std::vector<std::string> rows;
  std::vector<std::string> last_place;
  std::optional<std::string> next;
  for (const auto& tag : account.state.tags) {
    if (!tag.value) continue;
    if (service != request.params.end() && tag.service != service->second) continue;
    std::vector<std::string> place{tag.service.value_or(""), tag.name};
    if (!request.place.empty() && place <= request.place) continue;
    if (rows.size() == limit) {
      next = next_cursor(request, sources.cursors, account.position, last_place);
      break;
    }
    JsonObject row;
    row.string("tag", tag.name)
        .string("value", *tag.value)
        .string("set_at", to_rfc3339(tag.set_at));
    if (tag.service) row.string("service", *tag.service);
    auto extra = extra_of(tag, request, sources);
    if (!extra.ok()) return reading.failed(extra.status());
    if (*extra) row.string("extra", **extra);
    rows.push_back(row.text());
    last_place = std::move(place);
  }
  return account_response(account, page_json(rows, next, account.position_text));
}

// --- Transactions and statements
// -------------------------------------------------------------------

std::optional<std::string> description_of(const domain::Event& event) {
  return std::visit(
      [](const auto& body) -> std::optional<std::string> {
        if constexpr (requires { body.description; }) {
          if (body.description) return body.description;
        }
        // In words: required of some events, optional in others. A code is no description.
        if constexpr (requires { std::optional<std::string>(body.reason); }) return body.reason;
        return std::nullopt;
      },
      event);
}

/// What a row of money is for. A capture without words of its own has those of its hold.
Result<std::optional<std::string>> words_of(const domain::Event& event,
                                            const projections::StreamReader& stream) {
  auto words = description_of(event);
  const auto* capture = std::get_if<domain::HoldCaptured>(&event);
  if (words || capture == nullptr) return words;
  const auto hold = stream.event_at(capture->hold.version);
  if (!hold.ok()) return hold.status();
  return *hold == nullptr ? std::nullopt : description_of((*hold)->event.event);
}

Result<std::string> money_row_json(const eventstore::PlacedEvent& placed, const Money& change,
                                   const Money& balance_after,
                                   const projections::StreamReader& stream) {
  const auto& event = placed.event;
  JsonObject row;
  row.string("event_id", eventstore::event_id(event.stream, event.version))
      .number("version", event.version)
      .string("type", name_of(event.event))
      .string("effective_at", to_rfc3339(event.effective_at))
      .string("recorded_at", to_rfc3339(event.recorded_at))
      .raw("amount", eventstore::money_json(change))
      .raw("balance_after", eventstore::money_json(balance_after));
  const auto description = words_of(event.event, stream);
  if (!description.ok()) return description.status();
  if (*description) row.string("description", **description);
  return row.text();
}

HttpResponse list_transactions(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  projections::TransactionsQuery query;
  query.limit = request.query.limit(errors);
  query.currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  query.before_version = account.state.version + 1;
  if (!request.place.empty()) query.before_version = std::stoull(request.place[0]);
  const projections::StreamReader stream = reading.account_stream();
  auto page = stream.transactions(query);
  if (!page.ok()) return reading.failed(page.status());
  std::vector<std::string> rows;
  for (const auto& placed : page->rows) {
    auto row = money_row_json(*placed, *domain::balance_change_of(placed->event.event),
                              *domain::balance_after_of(placed->event.event), stream);
    if (!row.ok()) return reading.failed(row.status());
    rows.push_back(std::move(*row));
  }
  std::optional<std::string> next;
  if (page->next_before) {
    next = next_cursor(request, sources.cursors, account.position,
                       {std::to_string(*page->next_before)});
  }
  HttpResponse response = json_response(page_json(rows, next, account.position_text));
  speak_for(response, account.position_text);
  return response;
}

HttpResponse get_statement(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  projections::StatementQuery query;
  query.limit = request.query.limit(errors);
  const auto currency = request.query.currency("currency", errors);
  const auto from = request.query.instant("from", errors);
  const auto to = request.query.instant("to", errors);
  if (from && to && *to < *from) errors.push_back({"", "must not lie before from", "to"});
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);

  query.currency = currency.value_or(account.state.currency);
  query.from = from.value_or(Instant{INT64_MIN});
  query.to = to.value_or(Instant{INT64_MAX});
  query.upto_version = account.state.version;
  if (!request.place.empty()) {
    query.after = projections::StatementPlace{Instant{std::stoll(request.place[0])},
                                              std::stoull(request.place[1])};
  }
  const projections::StreamReader stream = reading.account_stream();
  auto statement = stream.statement(query);
  if (!statement.ok()) return reading.failed(statement.status());

  const auto money = [&](Amount amount) { return Money{amount, query.currency}; };
  std::vector<std::string> lines;
  for (const auto& line : statement->lines) {
    auto row = money_row_json(*line.event, money(line.change), money(line.balance), stream);
    if (!row.ok()) return reading.failed(row.status());
    lines.push_back(std::move(*row));
  }
  JsonObject body;
  body.string("account", reading.account().value())
      .string("currency", query.currency.code())
      .raw("opening", eventstore::money_json(money(statement->opening)))
      .raw("lines", json_array(lines))
      .raw("closing", eventstore::money_json(money(statement->closing)))
      .string("position", account.position_text)
      .boolean("has_more", statement->next.has_value());
  if (from) body.string("from", to_rfc3339(*from));
  if (to) body.string("to", to_rfc3339(*to));
  if (statement->next) {
    body.string("next", next_cursor(request, sources.cursors, account.position,
                                    {std::to_string(statement->next->effective_at.micros),
                                     std::to_string(statement->next->version)}));
  } else {
    body.null("next");
  }
  HttpResponse response = json_response(body.text());
  speak_for(response, account.position_text);
  return response;
}

}  // namespace

std::span<const std::string_view> query_names(Operation operation) {
  static constexpr std::array<std::string_view, 7> kAccountsNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "status", "tag[]"};
  static constexpr std::array<std::string_view, 5> kOneNames{
      "min_position", "as_of", "as_of_position", "effective_at", "currency"};
  static constexpr std::array<std::string_view, 6> kListNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "currency"};
  static constexpr std::array<std::string_view, 8> kStatementNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "currency", "from", "to"};
  static constexpr std::array<std::string_view, 6> kEventsNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "after"};
  static constexpr std::array<std::string_view, 5> kLogNames{"limit", "min_position", "as_of",
                                                             "as_of_position", "after"};
  static constexpr std::array<std::string_view, 5> kTenantListNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position"};
  static constexpr std::array<std::string_view, 3> kTenantNames{"min_position", "as_of",
                                                                "as_of_position"};
  static constexpr std::array<std::string_view, 1> kCurrencyName{"currency"};
  static constexpr std::array<std::string_view, 4> kLedgerNames{"min_position", "currency", "from",
                                                                "to"};
  const auto without_currency = [](const auto& names) {
    return std::span(names).first(names.size() - 1);
  };
  switch (operation) {
    case Operation::kListAccounts:
      return kAccountsNames;
    case Operation::kGetAccount:
      return without_currency(kOneNames);
    case Operation::kGetBalance:
    case Operation::kGetCreditLimit:
      return kOneNames;
    case Operation::kListTags:
      return without_currency(kListNames);
    case Operation::kListTransactions:
      return kListNames;
    case Operation::kGetStatement:
      return kStatementNames;
    case Operation::kListAccountEvents:
      return kEventsNames;
    case Operation::kListEvents:
      return kLogNames;
    case Operation::kListCurrencies:
    case Operation::kListKeys:
      return kTenantListNames;
    case Operation::kGetCurrency:
    case Operation::kGetSettings:
      return kTenantNames;
    case Operation::kGetGeneralLedger:
      return kLedgerNames;
    case Operation::kSetCreditLimit:
    case Operation::kClearCreditLimit:
      return kCurrencyName;
    default:
      return {};
  }
}

HttpResponse run_query(const ReadRequest& request, const ReadSources& sources) {
  if (const auto cursor = request.query.find("cursor"); cursor && request.place.empty()) {
    auto pinned = follow_cursor(request, sources.cursors, *cursor);
    if (auto* refusal = std::get_if<HttpResponse>(&pinned)) return std::move(*refusal);
    return run_query(std::get<ReadRequest>(pinned), sources);
  }
  switch (request.operation) {
    case Operation::kListAccounts:
      return list_accounts(request, sources);
    case Operation::kGetAccount:
      return get_account(request, sources);
    case Operation::kGetBalance:
      return get_balance(request, sources);
    case Operation::kGetCreditLimit:
      return get_credit_limit(request, sources);
    case Operation::kListTags:
      return list_tags(request, sources);
    case Operation::kListTransactions:
      return list_transactions(request, sources);
    case Operation::kGetStatement:
      return get_statement(request, sources);
    case Operation::kGetCurrency:
      return get_currency(request, sources);
    case Operation::kGetGeneralLedger:
      return get_general_ledger(request, sources);
    case Operation::kListCurrencies:
    case Operation::kListKeys:
      return list_of_tenant(request, sources);
    case Operation::kGetSettings:
      return get_settings(request, sources);
    default:
      CHECK(false && "not a query");
  }
}

}  // namespace daybook::api

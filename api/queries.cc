#include "api/queries.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/account_view.h"
#include "api/answers.h"
#include "api/general_ledger.h"
#include "api/problem.h"
#include "domain/base/check.h"
#include "domain/posting_rules.h"
#include "eventstore/event_id.h"
#include "eventstore/json_text.h"
#include "eventstore/public_json.h"
#include "projections/accounts.h"
#include "projections/balance_view.h"
#include "projections/tables.h"
#include "replay/account_replay.h"

namespace daybook::api {
namespace {

using domain::Amount;
using domain::Currency;
using domain::Money;
using eventstore::json_array;
using eventstore::json_string;
using eventstore::JsonObject;

constexpr std::string_view kCursorParam = "cursor";

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

void speak_for(HttpResponse& response, const std::string& position) {
  response.headers.emplace_back("Daybook-Position", position);
}

HttpResponse account_response(const AccountView& view, std::string body) {
  HttpResponse response = json_response(std::move(body));
  speak_for(response, view.position_text);
  response.headers.emplace_back("ETag", "\"" + std::to_string(view.state.version) + "\"");
  return response;
}

HttpResponse invalid_query(const ReadRequest& request, std::vector<FieldError> errors) {
  ProblemExtras extras;
  extras.errors = std::move(errors);
  return problem(422, "validation", "the query is not valid", request.request_id, extras);
}

HttpResponse bad_cursor(const ReadRequest& request) {
  return problem(400, "malformed-cursor", "the cursor is not one of this list", request.request_id);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A list's page under construction.
std::string page_json(const std::vector<std::string>& rows, const std::optional<std::string>& next,
                      const std::string& position) {
  JsonObject page;
  page.raw("data", json_array(rows)).boolean("has_more", next.has_value());
  if (next) {
    page.string("next", *next);
  } else {
    page.null("next");
  }
  if (!position.empty()) page.string("position", position);
  return page.text();
}

/// Who a cursor is for and what it counts: it is refused anywhere else.
std::string cursor_scope(const ReadRequest& request) {
  std::string scope = request.principal.tenant.value() + "/" +
                      std::to_string(static_cast<int>(request.operation)) + "/" +
                      std::to_string(request.generation);
  for (const auto& [name, value] : request.params) scope += "/" + name + "=" + value;
  for (const auto& name : query_names(request.operation)) {
    if (name == kCursorParam || name == "limit" || name == "min_position") continue;
    if (const auto value = request.query.find(name)) {
      scope += "&" + std::string(name) + "=" + *value;
    }
  }
  for (const auto& [name, value] : request.query.tags()) scope += "&tag[" + name + "]=" + value;
  return scope;
}

/// The parts of the cursor that was given: none, as many as wanted, or a bad one.
struct GivenCursor {
  bool bad = false;
  std::vector<std::string> parts;
};
GivenCursor given_cursor(const ReadRequest& request, const ReadSources& sources,
                         std::size_t parts) {
  const auto text = request.query.find(kCursorParam);
  if (!text) return {};
  auto decoded = sources.cursors.decode(cursor_scope(request), *text);
  if (!decoded || decoded->size() != parts) return {true, {}};
  return {false, std::move(*decoded)};
}

// --- Balances
// --------------------------------------------------------------------------------------

Result<std::string> balances_json(const AccountView& view,
                                  const std::optional<Currency>& only = std::nullopt) {
  std::vector<std::string> rows;
  auto views = projections::balance_views(view.state, view.catalogue);
  if (!views.ok()) return views.status();
  for (const auto& item : *views) {
    if (!only || item.currency == *only) rows.push_back(replay::balance_json(item));
  }
  if (only && rows.empty()) {
    auto none = projections::balance_view(balance_of(view.state, *only), view.catalogue);
    if (!none.ok()) return none.status();
    rows.push_back(replay::balance_json(*none));
  }
  return json_array(rows);
}

HttpResponse get_balance(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const auto currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  auto balances = balances_json(account, currency);
  if (!balances.ok()) return reading.failed(balances.status());
  return account_response(account, JsonObject()
                                       .string("account", reading.account().value())
                                       .string("position", account.position_text)
                                       .raw("balances", *balances)
                                       .text());
}

HttpResponse get_credit_limit(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const auto currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request, std::move(errors));
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

/// The private part of a tag; empty once it was erased.
std::optional<std::string> extra_of(const domain::AccountTag& tag, const ReadRequest& request,
                                    const ReadSources& sources) {
  if (!tag.extra) return std::nullopt;
  const AccountId account(request.params.find("account")->second);
  auto value = sources.private_store.get(request.principal.tenant, account, *tag.extra);
  if (value.ok()) return *value;
  if (sources.operator_log != nullptr) {
    sources.operator_log->failed("private value", value.status(), request.request_id);
  }
  return std::nullopt;
}

HttpResponse get_account(const ReadRequest& request, const ReadSources& sources) {
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  auto balances = balances_json(account);
  if (!balances.ok()) return reading.failed(balances.status());

  JsonObject own;
  std::map<std::string, JsonObject> by_service;
  for (const auto& tag : account.state.tags) {
    if (!tag.value) continue;
    JsonObject shown;
    shown.string("value", *tag.value);
    if (const auto extra = extra_of(tag, request, sources)) shown.string("extra", *extra);
    (tag.service ? by_service[*tag.service] : own).raw(tag.name, shown.text());
  }
  JsonObject services;
  for (const auto& [service, tags] : by_service) {
    services.raw(service, JsonObject().raw("tags", tags.text()).text());
  }
  return account_response(account, JsonObject()
                                       .string("id", reading.account().value())
                                       .string("status", name_of(account.state.status))
                                       .string("currency", account.state.currency.code())
                                       .string("mode", name_of(account.state.mode))
                                       .number("version", account.state.version)
                                       .string("opened_at", to_rfc3339(account.state.opened_at))
                                       .raw("balances", *balances)
                                       .raw("tags", own.text())
                                       .raw("services", services.text())
                                       .raw("settings", "{}")
                                       .string("position", account.position_text)
                                       .text());
}

HttpResponse list_tags(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const GivenCursor cursor = given_cursor(request, sources, 1);
  if (cursor.bad) return bad_cursor(request);
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  const auto service = request.params.find("service");

  std::vector<std::string> rows;
  std::string last_place;
  std::optional<std::string> next;
  for (const auto& tag : account.state.tags) {
    if (!tag.value) continue;
    if (service != request.params.end() && tag.service != service->second) continue;
    const std::string place = tag.service.value_or("") + "/" + tag.name;
    if (!cursor.parts.empty() && place <= cursor.parts.front()) continue;
    if (rows.size() == limit) {
      next = sources.cursors.encode(cursor_scope(request), {last_place});
      break;
    }
    JsonObject row;
    row.string("tag", tag.name)
        .string("value", *tag.value)
        .string("set_at", to_rfc3339(tag.set_at));
    if (tag.service) row.string("service", *tag.service);
    if (const auto extra = extra_of(tag, request, sources)) row.string("extra", *extra);
    rows.push_back(row.text());
    last_place = place;
  }
  return account_response(account, page_json(rows, next, account.position_text));
}

/// A client key's page: of the accounts that it names.
Result<projections::AccountPage> own_accounts(const ReadRequest& request, const Reading& reading,
                                              const projections::AccountFilter& filter,
                                              const std::optional<AccountId>& after,
                                              std::size_t limit) {
  std::vector<AccountId> ids = request.principal.accounts;
  std::sort(ids.begin(), ids.end());
  projections::AccountPage page;
  for (const auto& id : ids) {
    if (after && id <= *after) continue;
    auto row = projections::account_of(reading.rows(), projections::kAccountsTable,
                                       request.principal.tenant, id);
    if (!row.ok()) return row.status();
    if (!*row || !projections::matches(**row, filter)) continue;
    if (page.rows.size() == limit) {
      page.next = page.rows.back().first;
      break;
    }
    page.rows.emplace_back(id, std::move(**row));
  }
  return page;
}

HttpResponse list_accounts(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  projections::AccountFilter filter;
  filter.tags = request.query.tags();
  if (const auto status = request.query.find("status")) {
    for (const auto known : {domain::AccountStatus::kOpen, domain::AccountStatus::kFrozen,
                             domain::AccountStatus::kClosed}) {
      if (name_of(known) == *status) filter.status = known;
    }
    if (!filter.status) errors.push_back({"", "must be open, frozen or closed", "status"});
  }
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const GivenCursor cursor = given_cursor(request, sources, 1);
  if (cursor.bad) return bad_cursor(request);
  std::optional<AccountId> after;
  if (!cursor.parts.empty()) after = AccountId(cursor.parts.front());

  const Reading reading(request, sources);
  auto position = reading.rows_position();
  if (!position.ok()) return reading.failed(position.status());
  auto page = request.principal.roles.has(domain::Role::kClient)
                  ? own_accounts(request, reading, filter, after, limit)
                  : projections::list_accounts(reading.rows(), projections::kAccountsTable,
                                               request.principal.tenant, filter, after, limit);
  if (!page.ok()) return reading.failed(page.status());
  std::vector<std::string> rows;
  for (const auto& [id, row] : page->rows) {
    JsonObject tags;
    for (const auto& tag : row.tags) {
      if (tag.service || !tag.value) continue;
      tags.raw(tag.name, JsonObject().string("value", *tag.value).text());
    }
    rows.push_back(JsonObject()
                       .string("id", id.value())
                       .string("status", name_of(row.status))
                       .string("currency", row.currency.code())
                       .string("mode", name_of(row.mode))
                       .number("version", row.version)
                       .string("opened_at", to_rfc3339(row.opened_at))
                       .raw("tags", tags.text())
                       .text());
  }
  std::optional<std::string> next;
  if (page->next) next = sources.cursors.encode(cursor_scope(request), {page->next->value()});
  HttpResponse response = json_response(page_json(rows, next, reading.position_text(*position)));
  speak_for(response, reading.position_text(*position));
  return response;
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

std::string money_row_json(const eventstore::PlacedEvent& placed, const Money& change,
                           const Money& balance_after) {
  const auto& event = placed.event;
  JsonObject row;
  row.string("event_id", eventstore::event_id(event.stream, event.version))
      .number("version", event.version)
      .string("type", name_of(event.event))
      .string("effective_at", to_rfc3339(event.effective_at))
      .string("recorded_at", to_rfc3339(event.recorded_at))
      .raw("amount", eventstore::money_json(change))
      .raw("balance_after", eventstore::money_json(balance_after));
  if (const auto description = description_of(event.event)) {
    row.string("description", *description);
  }
  return row.text();
}

HttpResponse list_transactions(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  projections::TransactionsQuery query;
  query.limit = request.query.limit(errors);
  query.currency = request.query.currency("currency", errors);
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const GivenCursor cursor = given_cursor(request, sources, 2);
  if (cursor.bad) return bad_cursor(request);
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  std::string position = account.position_text;
  query.before_version = account.state.version + 1;
  if (!cursor.parts.empty()) {
    query.before_version = parse_number(cursor.parts[0]);
    position = cursor.parts[1];  // Every page speaks for the moment of the first.
  }
  auto page = reading.account_stream().transactions(query);
  if (!page.ok()) return reading.failed(page.status());
  std::vector<std::string> rows;
  for (const auto& placed : page->rows) {
    rows.push_back(money_row_json(*placed, *domain::balance_change_of(placed->event.event),
                                  *domain::balance_after_of(placed->event.event)));
  }
  std::optional<std::string> next;
  if (page->next_before) {
    next = sources.cursors.encode(cursor_scope(request),
                                  {std::to_string(*page->next_before), position});
  }
  HttpResponse response = json_response(page_json(rows, next, position));
  speak_for(response, position);
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
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const GivenCursor cursor = given_cursor(request, sources, 4);
  if (cursor.bad) return bad_cursor(request);
  const Reading reading(request, sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);

  std::string position = account.position_text;
  query.currency = currency.value_or(account.state.currency);
  query.from = from.value_or(Instant{INT64_MIN});
  query.to = to.value_or(Instant{INT64_MAX});
  query.upto_version = account.state.version;
  if (!cursor.parts.empty()) {
    query.upto_version = parse_number(cursor.parts[0]).value_or(0);
    query.after = projections::StatementPlace{
        Instant{static_cast<std::int64_t>(parse_number(cursor.parts[1]).value_or(0))},
        parse_number(cursor.parts[2]).value_or(0)};
    position = cursor.parts[3];
  }
  auto statement = reading.account_stream().statement(query);
  if (!statement.ok()) return reading.failed(statement.status());

  const auto money = [&](Amount amount) { return Money{amount, query.currency}; };
  std::vector<std::string> lines;
  for (const auto& line : statement->lines) {
    lines.push_back(money_row_json(*line.event, money(line.change), money(line.balance)));
  }
  JsonObject body;
  body.string("account", reading.account().value())
      .string("currency", query.currency.code())
      .raw("opening", eventstore::money_json(money(statement->opening)))
      .raw("lines", json_array(lines))
      .raw("closing", eventstore::money_json(money(statement->closing)))
      .string("position", position)
      .boolean("has_more", statement->next.has_value());
  if (from) body.string("from", to_rfc3339(*from));
  if (to) body.string("to", to_rfc3339(*to));
  if (statement->next) {
    body.string(
        "next",
        sources.cursors.encode(
            cursor_scope(request),
            {std::to_string(query.upto_version),
             std::to_string(static_cast<std::uint64_t>(statement->next->effective_at.micros)),
             std::to_string(statement->next->version), position}));
  } else {
    body.null("next");
  }
  HttpResponse response = json_response(body.text());
  speak_for(response, position);
  return response;
}

// --- Tenant
// ----------------------------------------------------------------------------------------

std::string currency_json(const domain::CurrencyEntry& entry, std::uint64_t catalogue_version) {
  JsonObject row;
  row.string("code", entry.currency.code())
      .string("default_credit_limit",
              to_text(Money{entry.default_credit_limit.value_or(Amount{}), entry.currency}))
      .string("status", name_of(entry.status))
      .string("catalogue_version", std::to_string(catalogue_version));
  if (entry.minimum_top_up) {
    row.string("minimum_top_up", to_text(Money{*entry.minimum_top_up, entry.currency}));
  }
  return row.text();
}

HttpResponse get_currency(const ReadRequest& request, const ReadSources& sources) {
  const auto currency = Currency::parse(request.params.find("code")->second);
  if (!currency) {
    return invalid_query(request, {{"", "must be an ISO 4217 currency code", "code"}});
  }
  const Reading reading(request, sources);
  auto tenant = reading.tenant();
  if (!tenant.ok()) return reading.failed(tenant.status());
  const auto* entry = tenant->catalogue.find(*currency);
  // Every currency works without an entry: limit 0, no minimum.
  const domain::CurrencyEntry none{*currency, {}, {}, domain::CurrencyStatus::kActive};
  HttpResponse response =
      json_response(currency_json(entry == nullptr ? none : *entry, tenant->catalogue.version));
  response.headers.emplace_back("ETag", "\"" + std::to_string(tenant->version) + "\"");
  return response;
}

std::string key_json(const domain::ApiKey& key) {
  JsonObject row;
  std::vector<std::string> roles;
  for (const auto role : {domain::Role::kAdmin, domain::Role::kOperator, domain::Role::kAuditor,
                          domain::Role::kClient}) {
    if (key.grant.roles.has(role)) roles.push_back(json_string(name_of(role)));
  }
  row.string("id", key.grant.id)
      .raw("roles", json_array(roles))
      .string("created_at", to_rfc3339(key.created_at));
  if (key.grant.name) row.string("name", *key.grant.name);
  if (!key.grant.accounts.empty()) {
    std::vector<std::string> accounts;
    for (const auto& account : key.grant.accounts) accounts.push_back(json_string(account.value()));
    row.raw("accounts", json_array(accounts));
  }
  if (key.revoked_at) row.string("revoked_at", to_rfc3339(*key.revoked_at));
  return row.text();
}

/// Lists that are part of the tenant's state: keys in order of creation, currencies by code.
HttpResponse list_of_tenant(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  if (!errors.empty()) return invalid_query(request, std::move(errors));
  const GivenCursor cursor = given_cursor(request, sources, 1);
  if (cursor.bad) return bad_cursor(request);
  const Reading reading(request, sources);
  auto tenant = reading.tenant();
  if (!tenant.ok()) return reading.failed(tenant.status());

  const bool keys = request.operation == Operation::kListKeys;
  const std::size_t size = keys ? tenant->keys.size() : tenant->catalogue.currencies.size();
  std::size_t index = cursor.parts.empty() ? 0 : parse_number(cursor.parts[0]).value_or(0);
  std::vector<std::string> rows;
  for (; index < size && rows.size() < limit; ++index) {
    rows.push_back(
        keys ? key_json(tenant->keys[index])
             : currency_json(tenant->catalogue.currencies[index], tenant->catalogue.version));
  }
  std::optional<std::string> next;
  if (index < size) next = sources.cursors.encode(cursor_scope(request), {std::to_string(index)});
  return json_response(page_json(rows, next, ""));
}

}  // namespace

std::span<const std::string_view> query_names(Operation operation) {
  static constexpr std::array<std::string_view, 5> kAccountsNames{"limit", "cursor", "min_position",
                                                                  "status", "tag[]"};
  static constexpr std::array<std::string_view, 5> kOneNames{
      "min_position", "as_of", "as_of_position", "effective_at", "currency"};
  static constexpr std::array<std::string_view, 6> kListNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "currency"};
  static constexpr std::array<std::string_view, 8> kStatementNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "currency", "from", "to"};
  static constexpr std::array<std::string_view, 6> kEventsNames{
      "limit", "cursor", "min_position", "as_of", "as_of_position", "after"};
  static constexpr std::array<std::string_view, 3> kLogNames{"limit", "min_position", "after"};
  static constexpr std::array<std::string_view, 2> kTenantListNames{"limit", "cursor"};
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
    default:
      CHECK(false && "not a query");
  }
}

}  // namespace daybook::api

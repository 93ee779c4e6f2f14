#include "api/general_ledger.h"

#include <algorithm>
#include <string>
#include <vector>

#include "api/account_view.h"
#include "api/paging.h"
#include "eventstore/json_text.h"
#include "projections/general_ledger.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using eventstore::JsonObject;
using projections::LedgerSums;

/// `2026-01-31`, as a day of utc_day_of; adds an error for anything else.
std::optional<std::int64_t> day_in(const QueryParams& query, std::string_view name,
                                   std::vector<FieldError>& errors) {
  constexpr std::size_t kDayLength = 10;
  const auto text = query.find(name);
  if (!text) return std::nullopt;
  const auto midnight =
      text->size() == kDayLength ? parse_rfc3339(*text + "T00:00:00Z") : std::nullopt;
  if (midnight) return utc_day_of(*midnight);
  errors.push_back({"", "must be a day, as in 2026-01-31", std::string(name)});
  return std::nullopt;
}

std::string sums_json(JsonObject row, const LedgerSums& opening, const LedgerSums& moved,
                      int decimals) {
  LedgerSums closing = opening;
  closing.add(moved);
  return row.string("opening", net_text(opening, decimals))
      .string("debits", to_text(moved.debits, decimals))
      .string("credits", to_text(moved.credits, decimals))
      .string("closing", net_text(closing, decimals))
      .text();
}

}  // namespace

HttpResponse get_general_ledger(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const auto currency = request.query.currency("currency", errors);
  projections::DayRange days;
  days.first = day_in(request.query, "from", errors);
  const auto end = day_in(request.query, "to", errors);
  if (end) days.last = *end - 1;
  if (end && days.first && *end < *days.first) {
    errors.push_back({"", "must not lie before from", "to"});
  }
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto position = reading.rows_position();
  if (!position.ok()) return reading.failed(position.status());
  auto balance = projections::trial_balance(reading.rows(), projections::kGeneralLedgerTable,
                                            request.principal.tenant, days);
  if (!balance.ok()) return reading.failed(balance.status());

  std::vector<std::string> accounts;
  for (const auto& total : balance->accounts) {
    if (currency && total.currency != *currency) continue;
    JsonObject row;
    row.string("ledger_account", name_of(total.account)).string("currency", total.currency.code());
    accounts.push_back(
        sums_json(std::move(row), total.opening, total.sums, total.currency.exponent()));
  }
  std::vector<std::string> totals;
  for (const auto& total : balance->currencies) {
    if (currency && total.currency != *currency) continue;
    JsonObject row;
    row.string("currency", total.currency.code());
    totals.push_back(
        sums_json(std::move(row), total.opening, total.sums, total.currency.exponent()));
  }
  const std::string position_text = reading.position_text(*position);
  JsonObject body;
  body.raw("accounts", eventstore::json_array(accounts))
      .raw("totals", eventstore::json_array(totals))
      .string("position", position_text);
  if (days.first) body.string("from", *request.query.find("from"));
  if (end) body.string("to", *request.query.find("to"));
  HttpResponse response = json_response(body.text());
  speak_for(response, position_text);
  return response;
}

}  // namespace daybook::api

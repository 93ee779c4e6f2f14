#include "api/tenant_queries.h"

#include <utility>
#include <variant>

#include "api/account_view.h"
#include "api/paging.h"
#include "domain/tenant.h"
#include "eventstore/json_text.h"
#include "eventstore/public_json.h"

namespace daybook::api {
namespace {

using domain::Amount;
using domain::Currency;
using domain::Money;
using eventstore::json_array;
using eventstore::json_string;
using eventstore::JsonObject;

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

std::string key_json(const domain::ApiKey& key) {
  JsonObject row;
  row.string("id", key.grant.id)
      .raw("roles", eventstore::roles_json(key.grant.roles))
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

/// A tenant at the point that the query asks for.
struct TenantView {
  projections::TenantTerms state;
  std::uint64_t position = 0;
  std::string position_text;
};

std::variant<TenantView, HttpResponse> tenant_view(const Reading& reading) {
  auto tenant = reading.terms_at_point();
  if (!tenant.ok()) return reading.failed(tenant.status());
  auto position = reading.position_at_point();
  if (!position.ok()) return reading.failed(position.status());
  if (tenant->version == 0 || !*position) return reading.not_yet();
  return TenantView{std::move(*tenant), **position, reading.position_text(**position)};
}

HttpResponse tenant_response(const TenantView& view, std::string body) {
  HttpResponse response = json_response(std::move(body));
  speak_for(response, view.position_text);
  response.headers.emplace_back("ETag", "\"" + std::to_string(view.state.version) + "\"");
  return response;
}

}  // namespace

HttpResponse get_settings(const ReadRequest& request, const ReadSources& sources) {
  const Reading reading(request, sources);
  auto view = tenant_view(reading);
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& tenant = std::get<TenantView>(view);
  JsonObject body;
  body.string("tenant", request.principal.tenant.value())
      .number("version", tenant.state.version)
      .string("position", tenant.position_text);
  if (tenant.state.name) body.string("name", *tenant.state.name);
  return tenant_response(tenant, body.text());
}

HttpResponse get_currency(const ReadRequest& request, const ReadSources& sources) {
  const auto currency = Currency::parse(request.params.find("code")->second);
  if (!currency) {
    return invalid_query(request.request_id, {{"", "must be an ISO 4217 currency code", "code"}});
  }
  const Reading reading(request, sources);
  auto view = tenant_view(reading);
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& tenant = std::get<TenantView>(view);
  const auto& catalogue = tenant.state.catalogue;
  const auto* entry = catalogue.find(*currency);
  // Every currency works without an entry: limit 0, no minimum.
  const domain::CurrencyEntry none{*currency, {}, {}, domain::CurrencyStatus::kActive};
  return tenant_response(tenant,
                         currency_json(entry == nullptr ? none : *entry, catalogue.version));
}

HttpResponse list_of_tenant(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto view = tenant_view(reading);
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& tenant = std::get<TenantView>(view);

  const bool keys = request.operation == Operation::kListKeys;
  const auto& currencies = tenant.state.catalogue.currencies;
  std::vector<domain::ApiKey> api_keys;
  if (keys) {
    auto whole = reading.tenant_at_point();
    if (!whole.ok()) return reading.failed(whole.status());
    api_keys = std::move(whole->keys);
  }
  const std::size_t size = keys ? api_keys.size() : currencies.size();
  std::size_t index = request.place.empty() ? 0 : std::stoull(request.place[0]);
  std::vector<std::string> rows;
  for (; index < size && rows.size() < limit; ++index) {
    rows.push_back(keys ? key_json(api_keys[index])
                        : currency_json(currencies[index], tenant.state.catalogue.version));
  }
  std::optional<std::string> next;
  if (index < size) {
    next = next_cursor(request, sources.cursors, tenant.position, {std::to_string(index)});
  }
  return tenant_response(tenant, page_json(rows, next, tenant.position_text));
}

}  // namespace daybook::api

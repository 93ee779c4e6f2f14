#include "app/focus_items.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/body_reader.h"
#include "api/card_rule.h"
#include "api/command_json.h"
#include "api/fingerprint.h"
#include "api/focus_csv.h"
#include "api/json_reader.h"
#include "domain/base/check.h"
#include "domain/base/strong_id.h"
#include "domain/base/time.h"
#include "domain/currency.h"
#include "domain/money.h"
#include "eventstore/json_text.h"

namespace daybook::app {
namespace {

using eventstore::JsonObject;

constexpr std::string_view kServiceName = "ServiceName";
constexpr std::string_view kDescription = "ChargeDescription";

std::string json_money(domain::Amount amount, domain::Currency currency) {
  return JsonObject()
      .string("amount", to_text(domain::Money{amount, currency}))
      .string("currency", currency.code())
      .text();
}

bool is_kept(std::string_view text) { return !api::looks_like_card_number(text); }

std::string attribute_of(const api::FocusRow& row, std::string_view name) {
  for (const auto& attribute : row.attributes) {
    if (attribute.name == name && is_kept(attribute.value)) return attribute.value;
  }
  return {};
}

/// The row's columns under their own names. The name of a FOCUS service is free text, so that it
/// cannot name a service of the account.
std::string json_attributes(const api::FocusRow& row) {
  JsonObject attributes;
  for (const auto& attribute : row.attributes) {
    if (is_kept(attribute.value)) attributes.string(attribute.name, attribute.value);
  }
  if (!row.service_name.empty() && is_kept(row.service_name))
    attributes.string(kServiceName, row.service_name);
  return attributes.text();
}

/// `Credit: 10 % off in March`: why money was given back.
std::string reason_of(const api::FocusRow& row) {
  std::string reason = attribute_of(row, "ChargeClass");
  if (reason.empty()) reason = attribute_of(row, "ChargeCategory");
  if (reason.empty()) reason = "Credit";
  if (!row.description.empty() && is_kept(row.description)) reason += ": " + row.description;
  return reason;
}

/// The column behind a member of the body.
std::string column_of(const std::string& pointer) {
  constexpr std::string_view kAttributes = "/attributes/";
  if (pointer.starts_with(kAttributes)) return pointer.substr(kAttributes.size());
  if (pointer.starts_with("/amount")) return "BilledCost";
  if (pointer.starts_with("/effective_at")) return "ChargePeriodStart";
  if (pointer.starts_with("/description") || pointer.starts_with("/reason")) {
    return std::string(kDescription);
  }
  if (pointer.starts_with("/attributes")) return "Tags";
  return "BillingAccountId";
}

}  // namespace

std::vector<std::string> withheld_columns(const api::FocusRow& row) {
  std::vector<std::string> columns;
  if (!is_kept(row.description)) columns.emplace_back(kDescription);
  if (!is_kept(row.service_name)) columns.emplace_back(kServiceName);
  for (const auto& attribute : row.attributes) {
    if (!is_kept(attribute.value)) columns.push_back(attribute.name);
  }
  return columns;
}

ImportItem item_of(const api::FocusRow& row) {
  ImportItem item;
  item.account = row.account_id;
  item.idempotency_key = row.key;
  JsonObject body;
  body.string("effective_at", to_rfc3339(row.charge_period_start))
      .raw("attributes", json_attributes(row));
  std::string_view noun = "charges";
  if (row.cost.is_negative()) {
    noun = "adjustments";
    item.route = api::Operation::kAdjustment;
    const auto given_back = checked_negate(row.cost);
    CHECK(given_back.has_value());  // A parsed amount is far from the bounds of its type.
    body.raw("amount", json_money(*given_back, row.currency)).string("reason", reason_of(row));
  } else {
    if (row.cost.is_zero()) {
      noun = "usage-facts";
      item.route = api::Operation::kNoteUsage;
    } else {
      body.raw("amount", json_money(row.cost, row.currency)).string("enforce", "record");
    }
    if (!row.description.empty() && is_kept(row.description)) {
      body.string("description", row.description);
    }
  }
  item.path = "/v1/accounts/" + row.account_id + "/" + std::string(noun);
  item.body = body.text();
  return item;
}

ImportItem opening_of(const api::FocusRow& row) {
  ImportItem item;
  item.route = api::Operation::kOpenAccount;
  item.account = row.account_id;
  item.path = "/v1/accounts";
  item.idempotency_key = "focus-open:" + row.account_id;
  item.body =
      JsonObject().string("id", row.account_id).string("currency", row.currency.code()).text();
  return item;
}

std::variant<api::CommandBody, std::vector<api::InputError>> command_of(const ImportItem& item,
                                                                        const TenantId& tenant) {
  auto parsed = api::parse_command_body(item.route, item.body);
  if (const auto* error = std::get_if<api::JsonError>(&parsed)) {
    return std::vector<api::InputError>{{"", "", error->detail, false}};
  }
  api::Parameters path;
  if (item.route != api::Operation::kOpenAccount) path.emplace_back("account", item.account);
  const api::Parameters query;
  return api::read_command(item.route, {tenant, path, query, std::get<api::JsonValue>(parsed)});
}

api::RequestIdentity identity_of(const ImportItem& item) {
  return {"POST", item.path, "", item.body};
}

std::optional<api::FocusRowError> objection_to(const api::FocusRow& row, const ImportItem& item,
                                               Instant now) {
  if (row.charge_period_start > now) {
    return api::FocusRowError{row.line, "ChargePeriodStart", "lies in the future"};
  }
  const auto command = command_of(item, TenantId("main"));
  const auto* errors = std::get_if<std::vector<api::InputError>>(&command);
  if (errors == nullptr) return std::nullopt;
  const api::InputError& first = errors->front();
  return api::FocusRowError{row.line, column_of(first.pointer), first.detail};
}

}  // namespace daybook::app

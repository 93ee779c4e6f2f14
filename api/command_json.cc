#include "api/command_json.h"

#include <algorithm>
#include <cstddef>

#include "domain/base/check.h"
#include "domain/stream.h"
#include "eventstore/event_id.h"

namespace daybook::api {
namespace {

constexpr std::size_t kTagsOfOpeningMax = 64;
constexpr std::size_t kKeyAccountsMax = 1'000;
/// Of all account ids of a key, so that its event stays below 16 KiB.
constexpr std::size_t kKeyAccountsBytesMax = 12'288;

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/// Reads one request. What a method gives counts only if there are no errors in the end.
class CommandReader {
 public:
  explicit CommandReader(const CommandInput& input) : input_(input), body_(input.body, errors_) {}

  std::variant<CommandBody, std::vector<InputError>> read(Operation operation) {
    if (const auto* account = find(input_.path, "account")) {
      check_parameter("account", *account, kAccountRule);
      account_ = AccountId(*account);
    }
    CommandBody command = command_of(operation);
    body_.finish();
    check_query();
    if (!errors_.empty()) return errors_.list();
    return command;
  }

 private:
  CommandBody command_of(Operation operation) {
    switch (operation) {
      case Operation::kOpenAccount:
        return open_account();
      case Operation::kCloseAccount:
        return on_account(domain::CloseAccount{reason()});
      case Operation::kReopenAccount:
        return on_account(domain::ReopenAccount{reason()});
      case Operation::kFreezeAccount:
        return on_account(domain::FreezeAccount{reason()});
      case Operation::kUnfreezeAccount:
        return on_account(domain::UnfreezeAccount{reason()});
      case Operation::kErasePrivateData:
        return on_account(domain::ErasePrivateData{reason()});
      case Operation::kTopUp:
        return top_up();
      case Operation::kReverseTopUp:
        return on_account(domain::ReverseTopUp{path_event("event"), reason()});
      case Operation::kCharge:
        return charge();
      case Operation::kPlaceHold:
        return hold();
      case Operation::kCaptureHold:
        return on_account(
            domain::CaptureHold{path_event("hold"), body_.optional_money("amount"), description()});
      case Operation::kReleaseHold:
        return on_account(domain::ReleaseHold{path_event("hold"), reason()});
      case Operation::kRefund:
        return refund();
      case Operation::kCreditNote:
        return dated(domain::IssueCreditNote{body_.required_money("amount"), required_reason()});
      case Operation::kAdjustment:
        return dated(domain::PostAdjustment{body_.required_money("amount"), required_reason(),
                                            body_.optional_attributes("attributes")});
      case Operation::kPayOut:
        return dated(domain::PayOutBalance{body_.required_money("amount"), description()});
      case Operation::kNoteUsage:
        return dated(
            domain::NoteUsage{description(), service(), body_.required_attributes("attributes")});
      case Operation::kSetCreditLimit:
        return set_credit_limit();
      case Operation::kClearCreditLimit:
        return clear_credit_limit();
      case Operation::kSetTag:
        return set_tag();
      case Operation::kRemoveTag:
        return on_account(domain::RemoveTag{path_service(), path_text("tag", kTagRule)});
      case Operation::kSetCurrency:
        return set_currency();
      case Operation::kCreateTenant:
        return create_tenant();
      case Operation::kCreateKey:
        return create_key();
      case Operation::kRevokeKey:
        return on_tenant(domain::RevokeApiKey{path_text("key", kKeyIdRule)});
      case Operation::kChangeSettings:
        return on_tenant(domain::ChangeSettings{body_.optional_text("name", kNameRule)});
      default:
        CHECK(false && "not a command of its own");
    }
  }

  // --- Accounts

  CommandBody open_account() {
    account_ = AccountId(body_.optional_text("id", kAccountRule).value_or(""));
    domain::OpenAccount command{body_.required_currency("currency"), {}, {}};
    using Mode = domain::AccountMode;
    command.mode =
        body_.optional_choice("mode", {Mode::kPrepaid, Mode::kPostpaid}).value_or(Mode::kPrepaid);
    command.tags = initial_tags();
    return on_account(std::move(command));
  }

  std::vector<domain::InitialTag> initial_tags() {
    const JsonValue* value = body_.optional_value("tags");
    if (value == nullptr) return {};
    const std::string place = body_.pointer_to("tags");
    const auto* members = value->object();
    if (members == nullptr || members->size() > kTagsOfOpeningMax) {
      errors_.at(place, "must be an object of at most " + std::to_string(kTagsOfOpeningMax) +
                            " tags such as {\"env\":{\"value\":\"test\"}}");
      return {};
    }
    std::vector<domain::InitialTag> tags;
    std::size_t bytes = 0;
    for (const JsonMember& member : *members) {
      const std::string tag_place = pointer_into(place, member.name);
      if (const auto fault = fault_of(member.name, kTagRule)) {
        errors_.at(tag_place, "the name " + fault->detail);
      }
      BodyReader tag(member.value, errors_, tag_place);
      tags.push_back({member.name, tag.required_text("value", kTagValueRule)});
      tag.finish();
      bytes += member.name.size() + tags.back().value.size();
    }
    if (bytes > kAttributesBytesMax) {
      errors_.at(place, "must have at most " + std::to_string(kAttributesBytesMax) +
                            " bytes of names and values");
    }
    return tags;
  }

  CommandBody top_up() {
    domain::TopUp command{
        body_.required_money("amount"), body_.optional_text("provider", kProviderRule),
        body_.optional_text("provider_payment_id", kProviderPaymentRule), description()};
    if (is_given("provider_payment_id") && !is_given("provider")) {
      errors_.at("/provider", "is required with provider_payment_id");
    }
    return dated(std::move(command));
  }

  CommandBody charge() {
    using Enforce = domain::Enforcement;
    domain::PostCharge command;
    command.amount = body_.required_money("amount");
    command.enforce = body_.optional_choice("enforce", {Enforce::kStrict, Enforce::kRecord})
                          .value_or(Enforce::kStrict);
    command.description = description();
    command.service = service();
    command.attributes = body_.optional_attributes("attributes");
    return dated(std::move(command));
  }

  CommandBody hold() {
    domain::PlaceHold command;
    command.amount = body_.required_money("amount");
    command.expires_at = body_.optional_instant("expires_at");
    command.description = description();
    command.service = service();
    return on_account(std::move(command));
  }

  CommandBody refund() {
    domain::RefundCharge command;
    // The grammar is checked below: one detail for all that is no event id.
    const std::string charge = body_.required_text("charge", {1, 64, Charset::kVisibleAscii});
    if (!charge.empty() && !is_event_id(charge)) errors_.at("/charge", "must be an event id");
    command.charge = version_of(charge);
    command.amount = body_.optional_money("amount");
    command.reason = required_reason();
    return dated(std::move(command));
  }

  CommandBody set_credit_limit() {
    domain::SetCreditLimit command{body_.required_money("amount"), required_reason()};
    const auto asked = query_currency();
    if (asked && !command.amount.currency.is_none() && command.amount.currency != *asked) {
      errors_.at("/amount/currency", "must be the currency of the query");
    }
    return on_account(std::move(command));
  }

  CommandBody clear_credit_limit() {
    return on_account(domain::ClearCreditLimit{query_currency(), reason()});
  }

  CommandBody set_tag() {
    domain::SetTag command;
    command.service = path_service();
    command.tag = path_text("tag", kTagRule);
    command.value = body_.required_text("value", kTagValueRule);
    CommandBody body = on_account(std::move(command));
    body.extra = body_.optional_text("extra", kTagExtraRule);
    return body;
  }

  // --- Tenants

  CommandBody set_currency() {
    using Status = domain::CurrencyStatus;
    domain::SetCurrency command;
    command.currency = parameter_currency("code", path_value("code")).value_or(domain::Currency());
    command.default_credit_limit = body_.optional_decimal("default_credit_limit");
    command.minimum_top_up = body_.optional_decimal("minimum_top_up");
    command.status = body_.optional_choice("status", {Status::kActive, Status::kInactive})
                         .value_or(Status::kActive);
    return on_tenant(command);
  }

  CommandBody create_tenant() {
    domain::CreateTenant command;
    TenantId id(body_.required_text("id", kTenantRule));
    command.name = body_.optional_text("name", kNameRule);
    command.first_key.roles.add(domain::Role::kAdmin);
    CommandBody body = on_tenant(std::move(command));
    body.new_tenant = std::move(id);
    return body;
  }

  CommandBody create_key() {
    domain::KeyGrant key;
    key.name = body_.optional_text("name", kNameRule);
    for (const domain::Role role : body_.required_choices("roles", domain::kAllRoles)) {
      key.roles.add(role);
    }
    const auto accounts = body_.optional_texts("accounts", kAccountRule, kKeyAccountsMax);
    std::size_t bytes = 0;
    for (const std::string& account : accounts.value_or(std::vector<std::string>())) {
      key.accounts.emplace_back(account);
      bytes += account.size();
    }
    if (bytes > kKeyAccountsBytesMax) {
      errors_.at("/accounts",
                 "must have at most " + std::to_string(kKeyAccountsBytesMax) + " bytes in all");
    }
    if (key.roles.has(domain::Role::kClient)) {
      domain::Roles alone;
      alone.add(domain::Role::kClient);
      if (key.roles != alone) errors_.at("/roles", "\"client\" goes with no other role");
      if (!is_given("accounts")) errors_.at("/accounts", "is required with the role \"client\"");
    } else if (is_given("accounts") && key.roles.bits != 0) {
      errors_.at("/accounts", "goes with the role \"client\" only");
    }
    return on_tenant(domain::CreateApiKey{std::move(key)});
  }

  // --- Members that several commands have

  std::optional<std::string> description() {
    return body_.optional_text("description", kDescriptionRule);
  }
  std::optional<std::string> reason() { return body_.optional_text("reason", kReasonRule); }
  std::string required_reason() { return body_.required_text("reason", kReasonRule); }
  std::optional<std::string> service() { return body_.optional_text("service", kServiceRule); }
  bool is_given(std::string_view name) const { return input_.body.find(name) != nullptr; }

  CommandBody on_account(domain::AccountCommand command) {
    return {std::move(command), account_, TenantId()};
  }
  /// Of the commands whose effect may count from another time than now.
  CommandBody dated(domain::AccountCommand command) {
    CommandBody body = on_account(std::move(command));
    body.effective_at = body_.optional_instant("effective_at");
    return body;
  }
  static CommandBody on_tenant(domain::TenantCommand command) {
    return {std::move(command), AccountId(), TenantId()};
  }

  // --- Path and query

  static const std::string* find(const Parameters& parameters, std::string_view name) {
    for (const auto& [known, value] : parameters) {
      if (known == name) return &value;
    }
    return nullptr;
  }

  const std::string& path_value(std::string_view name) {
    const std::string* value = find(input_.path, name);
    CHECK(value != nullptr);
    return *value;
  }
  // NOLINTNEXTLINE(bugprone-easily-swappable-parameters): name before value, as everywhere.
  void check_parameter(std::string_view name, std::string_view value, const TextRule& rule) {
    if (auto fault = fault_of(value, rule)) errors_.in_parameter(name, std::move(fault->detail));
  }
  std::string path_text(std::string_view name, const TextRule& rule) {
    const std::string& value = path_value(name);
    check_parameter(name, value, rule);
    return value;
  }
  std::optional<std::string> path_service() {
    if (find(input_.path, "service") == nullptr) return std::nullopt;
    return path_text("service", kServiceRule);
  }
  domain::EventRef path_event(std::string_view name) {
    const std::string& value = path_value(name);
    if (!is_event_id(value)) errors_.in_parameter(name, "must be an event id");
    return version_of(value);
  }
  domain::EventRef version_of(std::string_view event_id) const {
    const auto stream = domain::StreamId::account(input_.tenant, account_);
    return {eventstore::version_in(stream, event_id).value_or(0)};
  }

  // NOLINTNEXTLINE(bugprone-easily-swappable-parameters): name before value, as everywhere.
  std::optional<domain::Currency> parameter_currency(std::string_view name,
                                                     std::string_view value) {
    const auto currency = domain::Currency::parse(value);
    if (!currency) errors_.in_parameter(name, "must be the code of an ISO 4217 currency");
    return currency;
  }
  std::optional<domain::Currency> query_currency() {
    asked_ = "currency";
    const std::string* value = find(input_.query, "currency");
    return value == nullptr ? std::nullopt : parameter_currency("currency", *value);
  }

  void check_query() {
    const Parameters& query = input_.query;
    for (auto at = query.begin(); at != query.end(); ++at) {
      const auto same = [&](const auto& other) { return other.first == at->first; };
      if (asked_.empty() || at->first != asked_) {
        errors_.in_parameter(at->first, "is not a parameter of this request");
      } else if (std::any_of(query.begin(), at, same)) {
        errors_.in_parameter(at->first, "is given twice");
      }
    }
  }

  const CommandInput& input_;
  InputErrors errors_;
  BodyReader body_;
  AccountId account_;
  std::string_view asked_;  ///< The one query parameter that the route has, if any.
};

}  // namespace

bool is_body_optional(Operation operation) {
  switch (operation) {
    case Operation::kCloseAccount:
    case Operation::kReopenAccount:
    case Operation::kFreezeAccount:
    case Operation::kUnfreezeAccount:
    case Operation::kReverseTopUp:
    case Operation::kCaptureHold:
    case Operation::kReleaseHold:
    case Operation::kClearCreditLimit:
    case Operation::kRemoveTag:
    case Operation::kErasePrivateData:
    case Operation::kRevokeKey:
      return true;
    default:
      return false;
  }
}

std::variant<JsonValue, JsonError> parse_command_body(Operation operation, std::string_view bytes,
                                                      const JsonLimits& limits) {
  if (bytes.empty() && is_body_optional(operation)) return JsonValue(JsonValue::Object());
  return parse_json(bytes, limits);
}

bool is_event_id(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-8xxx-Vxxx-xxxxxxxxxxxx";
  constexpr std::string_view kVariants = "89ab";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool fits = kForm[i] == 'x'   ? is_lower_hex(text[i])
                      : kForm[i] == 'V' ? kVariants.find(text[i]) != std::string_view::npos
                                        : text[i] == kForm[i];
    if (!fits) return false;
  }
  return true;
}

std::variant<CommandBody, std::vector<InputError>> read_command(Operation operation,
                                                                const CommandInput& input) {
  return CommandReader(input).read(operation);
}

}  // namespace daybook::api

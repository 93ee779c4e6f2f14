#include "api/command_json.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/event_id.h"

namespace daybook::api {
namespace {

using Outcome = std::variant<CommandBody, std::vector<InputError>>;
using Bad = std::vector<std::pair<std::string, std::string>>;  ///< JSON, rest of the pointer.

const TenantId kTenant("t");

domain::StreamId acme() { return domain::StreamId::account(kTenant, AccountId("acme")); }
std::string id_of(std::uint64_t version) { return eventstore::event_id(acme(), version); }

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// What a member may hold.
struct Kind {
  std::vector<std::string> good;
  Bad bad;
};

Bad not_text() { return {{"null", ""}, {"1", ""}, {"true", ""}, {"[]", ""}, {"{}", ""}}; }

Kind text_kind(std::size_t low, std::size_t high, Bad more = {}) {
  Kind kind{{quoted("a"), quoted(std::string(high, 'a'))}, not_text()};
  if (low == 0) {
    kind.good.emplace_back(quoted(""));
  } else {
    kind.bad.emplace_back(quoted(""), "");
  }
  kind.bad.emplace_back(quoted(std::string(high + 1, 'a')), "");
  kind.bad.emplace_back(R"("a\n")", "");
  kind.bad.emplace_back(R"("a\u007f")", "");
  kind.bad.insert(kind.bad.end(), more.begin(), more.end());
  return kind;
}

std::string tags_json(std::size_t count, std::size_t value_bytes) {
  std::string text = "{";
  for (std::size_t i = 0; i < count; ++i) {
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(100 + i) + R"(":{"value":")" +
            std::string(value_bytes, 'v') + "\"}";
  }
  return text + "}";
}

std::string accounts_json(std::size_t count, std::size_t bytes) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(1'000 + i);
    text += (i == 0 ? "\"" : ",\"") + number + std::string(bytes - number.size(), 'x') + "\"";
  }
  return text + "]";
}

const Kind& kind_of(const std::string& name) {
  static const std::string most = std::string(26, '9') + "." + std::string(12, '9');
  static const std::string money_end = R"(,"currency":"USD"})";
  static const Bad not_id = {{"\"a b\"", ""}, {"\"a@b\"", ""}, {"\".a\"", ""}, {"\"ä\"", ""}};
  static const Bad card = {{"\"4111 1111 1111 1111\"", ""}};
  static const std::map<std::string, Kind> kinds = {
      {"money",
       {{R"({"amount":"1.00","currency":"USD"})",
         R"({"amount":"-0.000000000001","currency":"JPY"})",
         R"({"currency":"USD","amount":")" + most + "\"}"},
        {{"null", ""},
         {"1", ""},
         {"30.25", ""},
         {"\"30.25\"", ""},
         {"[]", ""},
         {R"({"amount":1)" + money_end, "/amount"},
         {R"({"amount":null)" + money_end, "/amount"},
         {R"({"amount":"1e3")" + money_end, "/amount"},
         {R"({"amount":"9)" + most + "\"" + money_end, "/amount"},
         {R"({"amount":")" + most + "9\"" + money_end, "/amount"},
         {R"({"amount":"1","currency":"ZZZ"})", "/currency"},
         {R"({"amount":"1","currency":1})", "/currency"},
         {R"({"amount":"1"})", "/currency"},
         {R"({"currency":"USD"})", "/amount"},
         {R"({"amount":"1","currency":"USD","scale":2})", "/scale"}}}},
      {"decimal",
       {{"\"0\"", "\"5000.0000\"", quoted(most)},
        {{"null", ""},
         {"1", ""},
         {"{}", ""},
         {"\"\"", ""},
         {"\"1,5\"", ""},
         {quoted(most + "9"), ""}}}},
      {"currency",
       {{"\"USD\"", "\"KWD\""},
        {{"null", ""},
         {"840", ""},
         {"\"\"", ""},
         {"\"usd\"", ""},
         {"\"XAU\"", ""},
         {"\"ZZZ\"", ""}}}},
      {"description", text_kind(0, 1024, card)},
      {"reason", text_kind(1, 1024, card)},
      {"id", text_kind(1, 128, not_id)},
      {"tenant", text_kind(1, 63, {{"\"A\"", ""}, {"\"-a\"", ""}, {"\"a_b\"", ""}})},
      {"provider", text_kind(1, 64, {{"\"a b\"", ""}, {"\"a/b\"", ""}})},
      {"payment", text_kind(1, 255, {{"\"a b\"", ""}, {"\"ä\"", ""}})},
      {"name", text_kind(1, 256)},
      {"tag_value", text_kind(0, 256, card)},
      {"tag_extra", text_kind(0, 16'384, card)},
      {"instant",
       {{"\"2026-01-31T10:00:00Z\"", "\"2020-01-01T00:00:00.000001Z\""},
        {{"null", ""},
         {"5", ""},
         {"\"\"", ""},
         {"\"yesterday\"", ""},
         {"\"2026-02-30T00:00:00Z\"", ""}}}},
      {"attributes",
       {{"{}", R"({"a":"1","b/c":""})"},
        {{"null", ""},
         {"[]", ""},
         {"\"a\"", ""},
         {R"({"a":1})", "/a"},
         {R"({"b/c":null})", "/b~1c"},
         {R"({"":"x"})", "/"},
         {R"({"a":"4111111111111111"})", "/a"}}}},
      {"enforce",
       {{"\"strict\"", "\"record\""},
        {{"null", ""}, {"\"maybe\"", ""}, {"\"Strict\"", ""}, {"1", ""}}}},
      {"mode", {{"\"prepaid\"", "\"postpaid\""}, {{"null", ""}, {"\"free\"", ""}, {"{}", ""}}}},
      {"status", {{"\"active\"", "\"inactive\""}, {{"null", ""}, {"\"off\"", ""}, {"true", ""}}}},
      {"event",
       {{quoted(id_of(1)), quoted(id_of(77))},
        {{"null", ""},
         {"7", ""},
         {"\"\"", ""},
         {"\"not-an-id\"", ""},
         {quoted(std::string(65, 'a')), ""},
         {"\"0F8FAD5B-D9CB-869F-A165-70867728950E\"", ""}}}},
      {"tags",
       {{"{}", R"({"env":{"value":"test"}})", tags_json(64, 124)},
        {{"null", ""},
         {"[]", ""},
         {R"({"a":"b"})", "/a"},
         {R"({"a":{}})", "/a/value"},
         {R"({"a":{"value":1}})", "/a/value"},
         {R"({"a":{"value":"x","extra":"y"}})", "/a/extra"},
         {R"({"a":{"value":"4111111111111111"}})", "/a/value"},
         {R"({"password":{"value":"x"}})", "/password"},
         {R"({"a.b":{"value":"x"}})", "/a.b"},
         {tags_json(65, 1), ""},
         {tags_json(64, 125), ""},
         {R"({"a":{"value":")" + std::string(257, 'v') + "\"}}", "/a/value"}}}},
      {"roles",
       {{R"(["admin"])", R"(["operator","auditor"])", R"(["admin","operator","auditor"])"},
        {{"null", ""},
         {"[]", ""},
         {"\"admin\"", ""},
         {R"(["king"])", "/0"},
         {R"(["admin",1])", "/1"},
         {R"(["admin","admin"])", "/1"}}}},
      {"client_role", {{R"(["client"])"}, {{R"(["client","admin"])", ""}}}},
      {"accounts",
       {{R"(["acme"])", R"(["a","b"])", accounts_json(1'000, 12), accounts_json(96, 128)},
        {{"null", ""},
         {"[]", ""},
         {"\"acme\"", ""},
         {R"(["a@b"])", "/0"},
         {R"(["a",1])", "/1"},
         {R"(["a","a"])", "/1"},
         {accounts_json(1'001, 4), ""},
         {accounts_json(97, 128), ""}}}},
  };
  return kinds.at(name);
}

struct Member {
  std::string name;
  std::string kind;
  bool required = false;
};

struct Spec {
  Operation route = Operation::kOpenAccount;
  Parameters path = {};
  std::vector<Member> members = {};
  Parameters query = {};
};

/// Every route with all its members, as the contract has them.
std::vector<Spec> specs() {
  const Parameters account = {{"account", "acme"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    Parameters path = account;
    path.emplace_back(name, value);
    return path;
  };
  const Member amount{"amount", "money", true};
  const Member any_amount{"amount", "money"};
  const Member reason{"reason", "reason", true};
  const Member any_reason{"reason", "reason"};
  const Member description{"description", "description"};
  const Member service{"service", "id"};
  const Member effective{"effective_at", "instant"};
  const Member attributes{"attributes", "attributes"};
  Parameters service_tag = with("service", "101");
  service_tag.emplace_back("tag", "env");
  const std::vector<Member> tag = {{"value", "tag_value", true}, {"extra", "tag_extra"}};
  return {
      {Operation::kOpenAccount,
       {},
       {{"id", "id"}, {"currency", "currency", true}, {"mode", "mode"}, {"tags", "tags"}}},
      {Operation::kCloseAccount, account, {any_reason}},
      {Operation::kReopenAccount, account, {any_reason}},
      {Operation::kFreezeAccount, account, {any_reason}},
      {Operation::kUnfreezeAccount, account, {any_reason}},
      {Operation::kErasePrivateData, account, {any_reason}},
      {Operation::kTopUp,
       account,
       {amount,
        {"provider", "provider"},
        {"provider_payment_id", "payment"},
        description,
        effective}},
      {Operation::kReverseTopUp, with("event", id_of(2)), {any_reason}},
      {Operation::kCharge,
       account,
       {amount, {"enforce", "enforce"}, description, service, attributes, effective}},
      {Operation::kPlaceHold, account, {amount, {"expires_at", "instant"}, description, service}},
      {Operation::kCaptureHold, with("hold", id_of(3)), {any_amount, description}},
      {Operation::kReleaseHold, with("hold", id_of(3)), {any_reason}},
      {Operation::kRefund, account, {{"charge", "event", true}, any_amount, reason, effective}},
      {Operation::kCreditNote, account, {amount, reason, effective}},
      {Operation::kAdjustment, account, {amount, reason, attributes, effective}},
      {Operation::kPayOut, account, {amount, description, effective}},
      {Operation::kNoteUsage,
       account,
       {description, service, {"attributes", "attributes", true}, effective}},
      {Operation::kSetCreditLimit, account, {amount, reason}},
      {Operation::kClearCreditLimit, account, {any_reason}, {{"currency", "USD"}}},
      {Operation::kSetTag, with("tag", "env"), tag},
      {Operation::kSetTag, service_tag, tag},
      {Operation::kRemoveTag, with("tag", "env")},
      {Operation::kRemoveTag, service_tag},
      {Operation::kSetCurrency,
       {{"code", "USD"}},
       {{"default_credit_limit", "decimal"}, {"minimum_top_up", "decimal"}, {"status", "status"}}},
      {Operation::kCreateTenant, {}, {{"id", "tenant", true}, {"name", "name"}}},
      {Operation::kCreateKey, {}, {{"name", "name"}, {"roles", "roles", true}}},
      {Operation::kCreateKey, {}, {{"roles", "client_role", true}, {"accounts", "accounts", true}}},
      {Operation::kRevokeKey, {{"key", "k-1"}}},
      {Operation::kChangeSettings, {}, {{"name", "name"}}},
  };
}

/// The body with the first good value of every member (or of the required ones), one of them
/// replaced or left out ("").
std::string body_text(const Spec& spec, bool all, const std::string& changed = "-",
                      const std::string& to = "") {
  std::string text;
  for (const Member& member : spec.members) {
    const bool is_changed = member.name == changed;
    if (is_changed ? to.empty() : !all && !member.required) continue;
    if (!text.empty()) text += ",";
    text += quoted(member.name) + ":" + (is_changed ? to : kind_of(member.kind).good[0]);
  }
  return "{" + text + "}";
}

Outcome read(const Spec& spec, std::string_view text) {
  const auto parsed = parse_command_body(spec.route, text);
  EXPECT_TRUE(std::holds_alternative<JsonValue>(parsed)) << text;
  return read_command(spec.route, {kTenant, spec.path, spec.query, std::get<JsonValue>(parsed)});
}

std::string shown(const Outcome& outcome) {
  std::string text;
  if (const auto* errors = std::get_if<std::vector<InputError>>(&outcome)) {
    for (const InputError& error : *errors) {
      if (!text.empty()) text += " | ";
      text += error.parameter.empty() ? error.pointer : "?" + error.parameter;
    }
    return text;
  }
  return "read";
}

std::string label(const Spec& spec, std::string_view text) {
  return "route " + std::to_string(static_cast<int>(spec.route)) + " " +
         std::string(text.substr(0, 200));
}

template <class Command>
const Command& account_command(const Outcome& outcome) {
  return std::get<Command>(std::get<domain::AccountCommand>(std::get<CommandBody>(outcome).body));
}
template <class Command>
const Command& tenant_command(const Outcome& outcome) {
  return std::get<Command>(std::get<domain::TenantCommand>(std::get<CommandBody>(outcome).body));
}

TEST(CommandJsonTest, every_route_is_in_the_table) {
  std::set<Operation> routes;
  for (const Spec& spec : specs()) routes.insert(spec.route);
  std::set<Operation> commands;
  for (const Route& route : all_routes()) {
    if (route.body_bytes_max > 0 && route.operation != Operation::kBatch) {
      commands.insert(route.operation);
    }
  }
  EXPECT_EQ(routes, commands);
}

TEST(CommandJsonTest, required_members_are_enough_and_all_members_are_taken) {
  for (const Spec& spec : specs()) {
    for (const bool all : {false, true}) {
      const std::string text = body_text(spec, all);
      EXPECT_EQ(shown(read(spec, text)), "read") << label(spec, text);
    }
  }
}

TEST(CommandJsonTest, every_required_member_that_is_missing_is_named) {
  for (const Spec& spec : specs()) {
    for (const Member& member : spec.members) {
      const std::string text = body_text(spec, true, member.name);
      const bool needed =
          member.required || (spec.route == Operation::kTopUp && member.name == "provider");
      // Without its roles a key is neither a client's nor another's.
      EXPECT_EQ(shown(read(spec, text)), needed ? "/" + member.name : "read") << label(spec, text);
    }
  }
}

TEST(CommandJsonTest, every_member_takes_what_it_may_hold_and_nothing_else) {
  for (const Spec& spec : specs()) {
    for (const Member& member : spec.members) {
      for (const std::string& good : kind_of(member.kind).good) {
        const std::string text = body_text(spec, true, member.name, good);
        EXPECT_EQ(shown(read(spec, text)), "read") << label(spec, text);
      }
      for (const auto& [bad, rest] : kind_of(member.kind).bad) {
        const std::string text = body_text(spec, true, member.name, bad);
        EXPECT_EQ(shown(read(spec, text)), "/" + member.name + rest) << label(spec, text);
      }
    }
  }
}

TEST(CommandJsonTest, unknown_members_are_refused_on_every_route) {
  // Each of these is a member of some route.
  const std::set<std::string> names = {"amount",         "description",
                                       "service",        "attributes",
                                       "reason",         "effective_at",
                                       "expires_at",     "enforce",
                                       "provider",       "provider_payment_id",
                                       "charge",         "id",
                                       "currency",       "mode",
                                       "tags",           "value",
                                       "extra",          "default_credit_limit",
                                       "minimum_top_up", "status",
                                       "name",           "roles",
                                       "accounts",       "secret"};
  for (const Spec& spec : specs()) {
    std::set<std::string> known;
    for (const Member& member : spec.members) known.insert(member.name);
    if (spec.route == Operation::kCreateKey) known.insert({"name", "accounts"});
    for (const std::string& name : names) {
      if (known.contains(name)) continue;
      std::string text = body_text(spec, false);
      text.insert(1, quoted(name) + ":{}" + (text == "{}" ? "" : ","));
      EXPECT_EQ(shown(read(spec, text)), "/" + name) << label(spec, text);
    }
    std::string text = body_text(spec, false);
    text.insert(1, "\"x/y~z\":1" + std::string(text == "{}" ? "" : ","));
    EXPECT_EQ(shown(read(spec, text)), "/x~1y~0z") << label(spec, text);
  }
}

TEST(CommandJsonTest, a_body_that_is_no_object_is_the_one_error) {
  for (const Spec& spec : specs()) {
    for (const char* text : {"[]", "null", "1", "\"a\"", "true"}) {
      EXPECT_EQ(shown(read(spec, text)), "") << label(spec, text);
    }
  }
}

TEST(CommandJsonTest, no_body_stands_for_an_empty_object_where_nothing_is_required) {
  for (const Spec& spec : specs()) {
    // An entry of the catalogue and the settings are set as a whole: to nothing only by saying so.
    bool required =
        spec.route == Operation::kSetCurrency || spec.route == Operation::kChangeSettings;
    for (const Member& member : spec.members) required |= member.required;
    EXPECT_EQ(is_body_optional(spec.route), !required) << label(spec, "");
    const auto parsed = parse_command_body(spec.route, "");
    if (required) {
      ASSERT_TRUE(std::holds_alternative<JsonError>(parsed)) << label(spec, "");
      EXPECT_EQ(std::get<JsonError>(parsed).kind, JsonErrorKind::kEmpty);
    } else {
      EXPECT_EQ(shown(read(spec, "")), "read") << label(spec, "");
    }
    EXPECT_TRUE(std::holds_alternative<JsonError>(parse_command_body(spec.route, " ")));
    EXPECT_TRUE(std::holds_alternative<JsonError>(parse_command_body(spec.route, "{} {}")));
  }
}

TEST(CommandJsonTest, only_the_routes_of_money_and_usage_take_an_effective_time) {
  for (const Spec& spec : specs()) {
    bool dated = false;
    for (const Member& member : spec.members) dated |= member.name == "effective_at";
    const auto outcome = read(spec, body_text(spec, true));
    const auto& effective_at = std::get<CommandBody>(outcome).effective_at;
    EXPECT_EQ(effective_at.has_value(), dated) << label(spec, "");
    if (dated) {
      EXPECT_EQ(to_rfc3339(*effective_at), "2026-01-31T10:00:00.000000Z");
      EXPECT_FALSE(std::get<CommandBody>(read(spec, body_text(spec, false))).effective_at);
    }
  }
}

TEST(CommandJsonTest, path_parameters_outside_their_grammar_are_named) {
  const std::map<std::string, std::pair<std::vector<std::string>, std::vector<std::string>>>
      values = {
          {"account",
           {{"a", ":", std::string(128, 'x')},
            {"", ".a", "a b", "a@b", "ä", std::string(129, 'x')}}},
          {"service", {{"1", std::string(128, 'x')}, {"", "-1", "a/b", std::string(129, 'x')}}},
          {"tag",
           {{"a_-B9", std::string(32, 'x')},
            {"", "a.b", "a b", "ä", "password", "OS", std::string(33, 'x')}}},
          {"event", {{id_of(9)}, {"", "9", "0F8FAD5B-D9CB-869F-A165-70867728950E"}}},
          {"hold", {{id_of(9)}, {"", "9", "0f8fad5b-d9cb-469f-a165-70867728950e"}}},
          {"code", {{"JPY"}, {"", "jpy", "US", "ZZZ", "XAU"}}},
          {"key", {{"k_1.-", std::string(128, 'x')}, {"", "a b", "a/b", std::string(129, 'x')}}},
      };
  for (const Spec& original : specs()) {
    for (std::size_t i = 0; i < original.path.size(); ++i) {
      const std::string name = original.path[i].first;
      for (const std::string& good : values.at(name).first) {
        Spec spec = original;
        spec.path[i].second = good;
        EXPECT_EQ(shown(read(spec, body_text(spec, false))), "read") << label(spec, good);
      }
      for (const std::string& bad : values.at(name).second) {
        Spec spec = original;
        spec.path[i].second = bad;
        EXPECT_EQ(shown(read(spec, body_text(spec, false))), "?" + name) << label(spec, bad);
      }
    }
  }
}

TEST(CommandJsonTest, query_parameters_that_a_route_has_not_are_named) {
  for (Spec spec : specs()) {
    const Parameters before = spec.query;
    const bool has_currency =
        spec.route == Operation::kSetCreditLimit || spec.route == Operation::kClearCreditLimit;
    spec.query.emplace_back("nonsense", "1");
    EXPECT_EQ(shown(read(spec, body_text(spec, false))), "?nonsense") << label(spec, "");
    spec.query = {{"currency", "USD"}};
    EXPECT_EQ(shown(read(spec, body_text(spec, false))), has_currency ? "read" : "?currency");
    if (!has_currency) continue;
    spec.query = {{"currency", "USD"}, {"currency", "USD"}};
    EXPECT_EQ(shown(read(spec, body_text(spec, false))), "?currency");
    spec.query = {{"currency", "usd"}};
    EXPECT_EQ(shown(read(spec, body_text(spec, false))), "?currency");
  }
}

TEST(CommandJsonTest, all_that_is_wrong_is_told_at_once) {
  const Spec spec{Operation::kCharge, {{"account", ".."}}, {}, {{"page", "2"}}};
  EXPECT_EQ(shown(read(spec, R"({"amount":{"amount":1,"currency":"ZZZ"},"x":1,"enforce":"no"})")),
            "?account | /amount/amount | /amount/currency | /enforce | /x | ?page");
}

TEST(CommandJsonTest, card_data_is_flagged) {
  const Spec spec{Operation::kCharge, {{"account", "acme"}}};
  const auto outcome = read(spec, R"({"amount":{"amount":"1","currency":"USD"},
      "description":"4111111111111111","service":"a b"})");
  const auto& errors = std::get<std::vector<InputError>>(outcome);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0], (InputError{"/description", "", "looks like a card number", true}));
  EXPECT_FALSE(errors[1].card_data);
}

TEST(CommandJsonTest, an_account_is_opened_as_asked) {
  const Spec spec{Operation::kOpenAccount};
  auto outcome = read(spec, R"({"id":"a:1","currency":"EUR","mode":"postpaid",
      "tags":{"env":{"value":"test"},"auto_credit":{"value":""}}})");
  EXPECT_EQ(std::get<CommandBody>(outcome).account.value(), "a:1");
  const auto& command = account_command<domain::OpenAccount>(outcome);
  EXPECT_EQ(command.currency.code(), "EUR");
  EXPECT_EQ(command.mode, domain::AccountMode::kPostpaid);
  EXPECT_EQ(command.tags, (std::vector<domain::InitialTag>{{"env", "test"}, {"auto_credit", ""}}));
  outcome = read(spec, R"({"currency":"EUR"})");
  EXPECT_TRUE(std::get<CommandBody>(outcome).account.empty());
  EXPECT_EQ(account_command<domain::OpenAccount>(outcome).mode, domain::AccountMode::kPrepaid);
}

TEST(CommandJsonTest, a_payment_id_needs_its_provider) {
  const Spec spec{Operation::kTopUp, {{"account", "acme"}}};
  const std::string amount = R"({"amount":{"amount":"1.00","currency":"USD"})";
  EXPECT_EQ(shown(read(spec, amount + R"(,"provider_payment_id":"p"})")), "/provider");
  EXPECT_EQ(shown(read(spec, amount + R"(,"provider":"stripe"})")), "read");
  const auto outcome = read(
      spec, amount + R"(,"provider":"stripe","provider_payment_id":"pi_1","description":"card"})");
  const auto& command = account_command<domain::TopUp>(outcome);
  EXPECT_EQ(std::get<CommandBody>(outcome).account.value(), "acme");
  EXPECT_EQ(domain::to_text(command.amount), "1.00");
  EXPECT_EQ(command.provider, "stripe");
  EXPECT_EQ(command.provider_payment_id, "pi_1");
  EXPECT_EQ(command.description, "card");
}

TEST(CommandJsonTest, money_commands_carry_every_member) {
  const Parameters path = {{"account", "acme"}};
  const std::string amount = R"({"amount":{"amount":"-2.5","currency":"USD"})";
  const std::string more = R"(,"description":"d","service":"s")";
  auto outcome = read({Operation::kCharge, path},
                      amount + more + R"(,"enforce":"record","attributes":{"k":"v"}})");
  const auto& charge = account_command<domain::PostCharge>(outcome);
  EXPECT_EQ(domain::to_text(charge.amount), "-2.50");
  EXPECT_EQ(charge.enforce, domain::Enforcement::kRecord);
  EXPECT_EQ(charge.description, "d");
  EXPECT_EQ(charge.service, "s");
  EXPECT_EQ(charge.attributes, (domain::Attributes{{"k", "v"}}));
  EXPECT_EQ(
      account_command<domain::PostCharge>(read({Operation::kCharge, path}, amount + "}")).enforce,
      domain::Enforcement::kStrict);

  outcome = read({Operation::kPlaceHold, path},
                 amount + more + R"(,"expires_at":"2026-01-31T10:00:00Z"})");
  const auto& hold = account_command<domain::PlaceHold>(outcome);
  EXPECT_EQ(hold.description, "d");
  EXPECT_EQ(hold.service, "s");
  EXPECT_EQ(to_rfc3339(*hold.expires_at), "2026-01-31T10:00:00.000000Z");
  EXPECT_FALSE(std::get<CommandBody>(outcome).effective_at);

  outcome = read({Operation::kCreditNote, path}, amount + R"(,"reason":"r"})");
  EXPECT_EQ(account_command<domain::IssueCreditNote>(outcome).reason, "r");
  outcome =
      read({Operation::kAdjustment, path}, amount + R"(,"reason":"r","attributes":{"k":"v"}})");
  EXPECT_EQ(account_command<domain::PostAdjustment>(outcome).attributes,
            (domain::Attributes{{"k", "v"}}));
  outcome = read({Operation::kPayOut, path}, amount + R"(,"description":"d"})");
  EXPECT_EQ(account_command<domain::PayOutBalance>(outcome).description, "d");
  outcome = read({Operation::kNoteUsage, path}, R"({"attributes":{"k":"v"},"service":"s"})");
  EXPECT_EQ(account_command<domain::NoteUsage>(outcome).service, "s");
}

TEST(CommandJsonTest, event_ids_become_versions_and_foreign_ones_no_version) {
  const std::string foreign =
      eventstore::event_id(domain::StreamId::account(kTenant, AccountId("other")), 3);
  const std::string of_tenant = eventstore::event_id(domain::StreamId::of_tenant(kTenant), 3);
  const std::string of_other_tenant =
      eventstore::event_id(domain::StreamId::account(TenantId("u"), AccountId("acme")), 3);
  for (const auto& [id, version] : std::vector<std::pair<std::string, std::uint64_t>>{
           {id_of(3), 3},
           {foreign, 0},
           {of_tenant, 0},
           {of_other_tenant, 0},
           {"0f8fad5b-d9cb-869f-a165-70867728950e", 0},
           {id_of((std::uint64_t{1} << 40) - 1), (std::uint64_t{1} << 40) - 1}}) {
    const Parameters hold = {{"account", "acme"}, {"hold", id}};
    const Parameters event = {{"account", "acme"}, {"event", id}};
    EXPECT_EQ(account_command<domain::CaptureHold>(read({Operation::kCaptureHold, hold}, ""))
                  .hold.version,
              version);
    EXPECT_EQ(account_command<domain::ReleaseHold>(read({Operation::kReleaseHold, hold}, ""))
                  .hold.version,
              version);
    EXPECT_EQ(account_command<domain::ReverseTopUp>(read({Operation::kReverseTopUp, event}, ""))
                  .top_up.version,
              version);
    const auto refund = read({Operation::kRefund, {{"account", "acme"}}},
                             R"({"reason":"r","charge":")" + id + "\"}");
    EXPECT_EQ(account_command<domain::RefundCharge>(refund).charge.version, version);
    EXPECT_FALSE(account_command<domain::RefundCharge>(refund).amount);
  }
}

TEST(CommandJsonTest, the_decider_finds_nothing_under_version_zero) {
  domain::AccountState state;
  state.version = 9;
  state.status = domain::AccountStatus::kOpen;
  state.currency = *domain::Currency::parse("USD");
  domain::OpenHold open;
  open.version = 3;
  open.amount = {*domain::parse_amount("1"), state.currency};
  state.holds.push_back(open);
  const AccountId account("acme");
  const domain::Catalogue catalogue;
  domain::AccountFacts facts;
  facts.account = &account;
  facts.catalogue = &catalogue;
  for (const domain::AccountCommand& command :
       std::vector<domain::AccountCommand>{domain::CaptureHold{}, domain::ReleaseHold{},
                                           domain::ReverseTopUp{}, domain::RefundCharge{}}) {
    const auto outcome = domain::decide(command, state, facts);
    ASSERT_TRUE(std::holds_alternative<domain::Rejection>(outcome)) << command.index();
    EXPECT_EQ(std::get<domain::Rejection>(outcome).kind, domain::RejectionKind::kNotFound);
  }
}

TEST(CommandJsonTest, a_credit_limit_agrees_with_the_currency_of_the_query) {
  const std::string text = R"({"amount":{"amount":"5","currency":"CHF"},"reason":"x"})";
  Spec spec{Operation::kSetCreditLimit, {{"account", "acme"}}, {}, {{"currency", "SEK"}}};
  EXPECT_EQ(shown(read(spec, text)), "/amount/currency");
  spec.query = {{"currency", "CHF"}};
  EXPECT_EQ(account_command<domain::SetCreditLimit>(read(spec, text)).reason, "x");
  spec.route = Operation::kClearCreditLimit;
  const auto cleared = read(spec, R"({"reason":"y"})");
  EXPECT_EQ(account_command<domain::ClearCreditLimit>(cleared).currency->code(), "CHF");
  EXPECT_EQ(account_command<domain::ClearCreditLimit>(cleared).reason, "y");
  spec.query = {};
  EXPECT_EQ(account_command<domain::ClearCreditLimit>(read(spec, "")).currency, std::nullopt);
}

TEST(CommandJsonTest, a_tags_extra_stays_out_of_the_command) {
  const Parameters path = {{"account", "acme"}, {"service", "101"}, {"tag", "contact"}};
  auto outcome = read({Operation::kSetTag, path}, R"({"value":"v","extra":"write to us"})");
  const auto& command = account_command<domain::SetTag>(outcome);
  EXPECT_EQ(command.service, "101");
  EXPECT_EQ(command.tag, "contact");
  EXPECT_EQ(command.value, "v");
  EXPECT_FALSE(command.extra);
  EXPECT_EQ(std::get<CommandBody>(outcome).extra, "write to us");
  outcome = read({Operation::kSetTag, {{"account", "acme"}, {"tag", "env"}}}, R"({"value":""})");
  EXPECT_FALSE(account_command<domain::SetTag>(outcome).service);
  EXPECT_FALSE(std::get<CommandBody>(outcome).extra);
  outcome = read({Operation::kRemoveTag, path}, "");
  EXPECT_EQ(account_command<domain::RemoveTag>(outcome).service, "101");
  EXPECT_EQ(account_command<domain::RemoveTag>(outcome).tag, "contact");
}

TEST(CommandJsonTest, states_change_with_the_reason_given) {
  const Parameters path = {{"account", "acme"}};
  const char* text = R"({"reason":"audit"})";
  EXPECT_EQ(
      account_command<domain::CloseAccount>(read({Operation::kCloseAccount, path}, text)).reason,
      "audit");
  EXPECT_EQ(
      account_command<domain::ReopenAccount>(read({Operation::kReopenAccount, path}, text)).reason,
      "audit");
  EXPECT_EQ(
      account_command<domain::FreezeAccount>(read({Operation::kFreezeAccount, path}, text)).reason,
      "audit");
  EXPECT_EQ(
      account_command<domain::UnfreezeAccount>(read({Operation::kUnfreezeAccount, path}, text))
          .reason,
      "audit");
  EXPECT_EQ(
      account_command<domain::ErasePrivateData>(read({Operation::kErasePrivateData, path}, text))
          .reason,
      "audit");
}

TEST(CommandJsonTest, tenant_commands_carry_every_member) {
  auto outcome =
      read({Operation::kSetCurrency, {{"code", "JPY"}}},
           R"({"default_credit_limit":"5000","minimum_top_up":"0.5","status":"inactive"})");
  const auto& currency = tenant_command<domain::SetCurrency>(outcome);
  EXPECT_EQ(currency.currency.code(), "JPY");
  EXPECT_EQ(domain::to_text(*currency.default_credit_limit, 0), "5000");
  EXPECT_EQ(domain::to_text(*currency.minimum_top_up, 0), "0.5");
  EXPECT_EQ(currency.status, domain::CurrencyStatus::kInactive);
  EXPECT_TRUE(std::get<CommandBody>(outcome).account.empty());

  outcome = read({Operation::kCreateTenant}, R"({"id":"hosting-eu","name":"Hosting"})");
  EXPECT_EQ(std::get<CommandBody>(outcome).new_tenant.value(), "hosting-eu");
  EXPECT_EQ(tenant_command<domain::CreateTenant>(outcome).name, "Hosting");
  EXPECT_EQ(tenant_command<domain::CreateTenant>(outcome).first_key.roles.bits,
            static_cast<std::uint8_t>(domain::Role::kAdmin));

  outcome = read({Operation::kCreateKey}, R"({"name":"robot","roles":["auditor","operator"]})");
  const auto& key = tenant_command<domain::CreateApiKey>(outcome).key;
  EXPECT_EQ(key.name, "robot");
  EXPECT_TRUE(key.roles.has(domain::Role::kAuditor) && key.roles.has(domain::Role::kOperator));
  EXPECT_FALSE(key.roles.has(domain::Role::kAdmin) || key.roles.has(domain::Role::kClient));
  outcome = read({Operation::kCreateKey}, R"({"roles":["client"],"accounts":["b","a"]})");
  EXPECT_EQ(tenant_command<domain::CreateApiKey>(outcome).key.accounts,
            (std::vector{AccountId("b"), AccountId("a")}));
  outcome = read({Operation::kRevokeKey, {{"key", "k-1"}}}, "");
  EXPECT_EQ(tenant_command<domain::RevokeApiKey>(outcome).id, "k-1");
}

TEST(CommandJsonTest, a_client_key_is_nothing_else_and_names_its_accounts) {
  const Spec spec{Operation::kCreateKey};
  EXPECT_EQ(shown(read(spec, R"({"roles":["client"]})")), "/accounts");
  EXPECT_EQ(shown(read(spec, R"({"roles":["client"],"accounts":[]})")), "/accounts");
  EXPECT_EQ(shown(read(spec, R"({"roles":["client","auditor"],"accounts":["a"]})")), "/roles");
  EXPECT_EQ(shown(read(spec, R"({"roles":["auditor"],"accounts":["a"]})")), "/accounts");
  EXPECT_EQ(shown(read(spec, R"({"roles":["king"],"accounts":["a"]})")), "/roles/0");
}

}  // namespace
}  // namespace daybook::api

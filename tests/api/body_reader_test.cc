#include "api/body_reader.h"

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::api {
namespace {

JsonValue json(std::string_view text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(std::holds_alternative<JsonValue>(parsed)) << text;
  return std::get<JsonValue>(std::move(parsed));
}

/// `pointer: detail` of every error that reading gave; the end is read by it, too.
std::vector<std::string> errors_of(std::string_view text,
                                   const std::function<void(BodyReader&)>& read) {
  const JsonValue value = json(text);
  InputErrors errors;
  BodyReader body(value, errors);
  read(body);
  body.finish();
  std::vector<std::string> lines;
  for (const InputError& error : errors.list()) {
    EXPECT_EQ(error.parameter, "");
    lines.push_back(error.pointer + ": " + error.detail + (error.card_data ? " [card]" : ""));
  }
  return lines;
}

using Lines = std::vector<std::string>;

bool is_fine(std::string_view text, const TextRule& rule) { return !fault_of(text, rule); }

TEST(BodyReaderTest, members_are_read_and_absent_ones_are_empty) {
  const JsonValue value = json(
      R"({"text":"é","money":{"currency":"JPY","amount":"-5.25"},"decimal":"0.1","currency":"KWD",
          "at":"2026-01-31T10:00:00.000001Z","attributes":{"b":"2","a":""},"list":["y","x"],
          "mode":"postpaid","roles":["client","admin"]})");
  InputErrors errors;
  BodyReader body(value, errors);
  EXPECT_EQ(body.optional_text("text", kNameRule), "é");
  EXPECT_EQ(body.required_text("text", kNameRule), "é");
  const domain::Money money = body.required_money("money");
  EXPECT_EQ(domain::to_text(money), "-5.25");
  EXPECT_EQ(money.currency.code(), "JPY");
  EXPECT_EQ(body.optional_money("money"), money);
  EXPECT_EQ(domain::to_text(*body.optional_decimal("decimal"), 0), "0.1");
  EXPECT_EQ(body.required_currency("currency").code(), "KWD");
  EXPECT_EQ(to_rfc3339(*body.optional_instant("at")), "2026-01-31T10:00:00.000001Z");
  const domain::Attributes attributes{{"b", "2"}, {"a", ""}};
  EXPECT_EQ(body.required_attributes("attributes"), attributes);
  EXPECT_EQ(body.optional_attributes("attributes"), attributes);
  EXPECT_EQ(body.required_texts("list", kNameRule, 2), (Lines{"y", "x"}));
  using domain::AccountMode;
  using domain::Role;
  EXPECT_EQ(body.optional_choice("mode", {AccountMode::kPrepaid, AccountMode::kPostpaid}),
            AccountMode::kPostpaid);
  EXPECT_EQ(body.required_choices("roles", {Role::kAdmin, Role::kClient}),
            (std::vector{Role::kClient, Role::kAdmin}));
  EXPECT_EQ(body.optional_text("absent", kNameRule), std::nullopt);
  EXPECT_EQ(body.optional_money("absent"), std::nullopt);
  EXPECT_EQ(body.optional_decimal("absent"), std::nullopt);
  EXPECT_EQ(body.optional_instant("absent"), std::nullopt);
  EXPECT_EQ(body.optional_texts("absent", kNameRule, 2), std::nullopt);
  EXPECT_TRUE(body.optional_attributes("absent").empty());
  EXPECT_EQ(body.optional_choice("absent", {AccountMode::kPrepaid}), std::nullopt);
  EXPECT_EQ(body.optional_value("absent"), nullptr);
  body.finish();
  EXPECT_TRUE(errors.empty());
}

TEST(BodyReaderTest, what_is_no_object_is_the_one_error) {
  for (const char* text : {"[]", "1", "\"a\"", "null", "true", "1.5e3", "-0"}) {
    EXPECT_EQ(errors_of(text,
                        [](BodyReader& body) {
                          body.required_money("amount");
                          body.required_text("reason", kReasonRule);
                          body.required_attributes("attributes");
                        }),
              Lines{": must be an object"});
  }
}

TEST(BodyReaderTest, required_members_that_are_missing_are_all_named) {
  EXPECT_EQ(errors_of("{}",
                      [](BodyReader& body) {
                        body.required_money("m");
                        body.required_text("t", kReasonRule);
                        body.required_currency("c");
                        body.required_attributes("a");
                        body.required_texts("l", kNameRule, 1);
                        body.required_choices("r", {domain::Role::kAdmin});
                      }),
            (Lines{"/m: is required", "/t: is required", "/c: is required", "/a: is required",
                   "/l: is required", "/r: is required"}));
}

TEST(BodyReaderTest, money_is_an_object_of_two_strings) {
  const auto money_errors = [](const std::string& text) {
    return errors_of("{\"m\":" + text + "}", [](BodyReader& body) { body.required_money("m"); });
  };
  const std::string shape = R"(/m: must be an object such as {"amount":"30.25","currency":"USD"})";
  for (const char* text : {"1", "30.25", "null", "\"30.25\"", "[]", "true"}) {
    EXPECT_EQ(money_errors(text), Lines{shape}) << text;
  }
  for (const char* number : {"1", "30.25", "1e2", "-0.0", "1E400"}) {
    EXPECT_EQ(money_errors(R"({"amount":)" + std::string(number) + R"(,"currency":"USD"})"),
              Lines{R"(/m/amount: must be a string such as "30.25": money is never a number)"});
  }
  for (const char* other : {"null", "true", "[]", "{}"}) {
    EXPECT_EQ(money_errors(R"({"amount":)" + std::string(other) + R"(,"currency":"USD"})"),
              Lines{R"(/m/amount: must be a string such as "30.25")"});
  }
  const std::string most = std::string(26, '9') + "." + std::string(12, '9');
  EXPECT_EQ(money_errors(R"({"amount":")" + most + R"(","currency":"USD"})"), Lines{});
  EXPECT_EQ(money_errors(R"({"amount":"-)" + most + R"(","currency":"USD"})"), Lines{});
  for (const std::string& amount :
       {std::string(""), std::string(" "), std::string("1."), std::string(".5"), std::string("+1"),
        std::string("1,50"), std::string("1e3"), std::string("NaN"), std::string("١"), "9" + most,
        most + "9", std::string(400, '9')}) {
    EXPECT_EQ(money_errors(R"({"amount":")" + amount + R"(","currency":"USD"})"),
              Lines{"/m/amount: must be a decimal such as \"30.25\", with at most 26 digits before "
                    "and 12 after the point"})
        << amount;
  }
  for (const char* currency : {"", "usd", "US", "USDX", "ZZZ", "XAU", "U$D", " USD", "€"}) {
    EXPECT_EQ(money_errors(R"({"amount":"1","currency":")" + std::string(currency) + "\"}"),
              Lines{"/m/currency: must be the code of an ISO 4217 currency"})
        << currency;
  }
  EXPECT_EQ(money_errors(R"({"amount":"1","currency":840})"),
            Lines{"/m/currency: must be a string"});
  EXPECT_EQ(money_errors(R"({"scale":2})"),
            (Lines{"/m/amount: is required", "/m/currency: is required",
                   "/m/scale: is not a member of this request"}));
}

TEST(BodyReaderTest, times_are_utc_with_at_most_six_decimals) {
  const auto instant_errors = [](const std::string& text) {
    return errors_of("{\"t\":" + text + "}", [](BodyReader& body) { body.optional_instant("t"); });
  };
  for (const char* fine : {"2026-01-31T10:00:00Z", "2026-01-31T10:00:00.1Z",
                           "2026-01-31T23:59:59.999999Z", "9999-01-01T00:00:00Z"}) {
    EXPECT_EQ(instant_errors("\"" + std::string(fine) + "\""), Lines{}) << fine;
  }
  for (const char* wrong :
       {"5", "null", "{}", "\"\"", "\"yesterday\"", "\"2026-02-30T00:00:00Z\"", "\"2026-01-31\"",
        "\"2026-01-31T10:00:00\"", "\"2026-01-31T10:00:00+00:00\"", "\"2026-01-31t10:00:00Z\"",
        "\"2026-01-31T10:00:00z\"", "\"2026-01-31 10:00:00Z\"", "\"2026-01-31T10:00:00.1234567Z\"",
        "\"2026-01-31T10:00:60Z\"", "\"Z\"", "\"2026-01-31TZ\""}) {
    const Lines errors = instant_errors(wrong);
    ASSERT_EQ(errors.size(), 1U) << wrong;
    EXPECT_EQ(errors[0].substr(0, 25), "/t: must be a time in UTC") << wrong;
  }
}

TEST(BodyReaderTest, lengths_count_bytes_at_and_above_the_limit) {
  for (const auto& [rule, low, high] : std::vector<std::tuple<TextRule, std::size_t, std::size_t>>{
           {kDescriptionRule, 0, 1024},
           {kReasonRule, 1, 1024},
           {kAccountRule, 1, 128},
           {kServiceRule, 1, 128},
           {kTenantRule, 1, 63},
           {kProviderRule, 1, 64},
           {kProviderPaymentRule, 1, 255},
           {kNameRule, 1, 256},
           {kTagRule, 1, 32},
           {kTagValueRule, 0, 256},
           {kTagExtraRule, 0, 16384},
           {kAttributeNameRule, 1, 64},
           {kAttributeValueRule, 0, 1024}}) {
    EXPECT_TRUE(is_fine(std::string(low, 'a'), rule)) << low;
    EXPECT_TRUE(is_fine(std::string(high, 'a'), rule)) << high;
    EXPECT_FALSE(is_fine(std::string(high + 1, 'a'), rule)) << high;
    EXPECT_EQ(is_fine("", rule), low == 0) << high;
    if (rule.charset == Charset::kText) {
      std::string umlauts;
      for (std::size_t i = 0; i < high / 2; ++i) umlauts += "ü";
      EXPECT_TRUE(is_fine(umlauts, rule)) << high;
      EXPECT_FALSE(is_fine(umlauts + "x", rule)) << high;
    } else {
      EXPECT_FALSE(is_fine("ü", rule)) << high;
      EXPECT_FALSE(is_fine("a b", rule)) << high;
    }
  }
}

TEST(BodyReaderTest, control_characters_are_in_no_text) {
  for (const Charset charset : {Charset::kText, Charset::kVisibleAscii, Charset::kId,
                                Charset::kProvider, Charset::kTagName, Charset::kTenantId}) {
    const TextRule rule{0, 10, charset};
    for (int c = 0; c < 0x20; ++c) {
      EXPECT_FALSE(is_fine("a" + std::string(1, static_cast<char>(c)), rule)) << c;
    }
    EXPECT_FALSE(is_fine("a\x7F", rule));
  }
  EXPECT_TRUE(is_fine(" \u0080\u2028😀", kNameRule));
}

TEST(BodyReaderTest, every_charset_is_exactly_its_grammar) {
  const std::string lower = "abcdefghijklmnopqrstuvwxyz";
  const std::string upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string alphanumeric = lower + upper + "0123456789";
  const auto expect_grammar = [](Charset charset, const std::string& first,
                                 const std::string& rest) {
    for (int c = 1; c < 256; ++c) {
      const char character = static_cast<char>(c);
      const TextRule rule{1, 10, charset};
      EXPECT_EQ(is_fine(std::string(1, character), rule),
                first.find(character) != std::string::npos)
          << c;
      EXPECT_EQ(is_fine(std::string("a") + character, rule),
                rest.find(character) != std::string::npos)
          << c;
    }
  };
  expect_grammar(Charset::kId, alphanumeric + ":", alphanumeric + "._+:-");
  expect_grammar(Charset::kProvider, alphanumeric + "._-", alphanumeric + "._-");
  expect_grammar(Charset::kTagName, alphanumeric + "_-", alphanumeric + "_-");
  expect_grammar(Charset::kTenantId, lower + "0123456789", lower + "0123456789-");
  std::string visible;
  for (char c = '!'; c <= '~'; ++c) visible.push_back(c);
  expect_grammar(Charset::kVisibleAscii, visible, visible);
}

TEST(BodyReaderTest, names_of_secrets_are_no_tags) {
  for (const char* name :
       {"password", "os", "hostname", "root_pass", "rootpassword", "Password", "OS", "ROOT_PASS"}) {
    ASSERT_TRUE(fault_of(name, kTagRule)) << name;
    EXPECT_EQ(fault_of(name, kTagRule)->detail,
              "is a protected name: secrets must not enter the log");
  }
  for (const char* name : {"password2", "pos", "host-name", "rootpass", "auto_credit"}) {
    EXPECT_TRUE(is_fine(name, kTagRule)) << name;
  }
}

TEST(BodyReaderTest, card_numbers_are_refused_where_text_is_free) {
  const std::string card = "paid with 4111 1111 1111 1111";
  for (const TextRule& rule :
       {kDescriptionRule, kReasonRule, kTagValueRule, kTagExtraRule, kAttributeValueRule}) {
    const auto fault = fault_of(card, rule);
    ASSERT_TRUE(fault);
    EXPECT_TRUE(fault->card_data);
    EXPECT_EQ(fault->detail, "looks like a card number");
  }
  EXPECT_TRUE(is_fine("4111111111111111", kProviderPaymentRule));
  EXPECT_EQ(
      errors_of(R"({"d":"4111111111111111","a":{"x":"5555-5555-5555-4444"}})",
                [](BodyReader& body) {
                  body.optional_text("d", kDescriptionRule);
                  body.optional_attributes("a");
                }),
      (Lines{"/d: looks like a card number [card]", "/a/x: looks like a card number [card]"}));
}

TEST(BodyReaderTest, attributes_have_limits_of_their_own) {
  const auto attribute_errors = [](const std::string& text) {
    return errors_of("{\"a\":" + text + "}",
                     [](BodyReader& body) { body.required_attributes("a"); });
  };
  const auto many = [](std::size_t count, std::size_t value_bytes) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "\"k" : ",\"k") + std::to_string(100 + i) + "\":\"" +
              std::string(value_bytes, 'v') + "\"";
    }
    return text + "}";
  };
  for (const char* text : {"[]", "null", "\"x\"", "1"}) {
    EXPECT_EQ(attribute_errors(text), Lines{"/a: must be an object of strings"});
  }
  EXPECT_EQ(attribute_errors(R"({"n":1,"z":null,"o":{},"fine":""})"),
            (Lines{"/a/n: must be a string", "/a/z: must be a string", "/a/o: must be a string"}));
  EXPECT_EQ(attribute_errors(many(64, 1)), Lines{});
  EXPECT_EQ(attribute_errors(many(65, 1)), Lines{"/a: must have at most 64 members"});
  EXPECT_EQ(attribute_errors(many(64, 124)), Lines{});  // 64 * (4 + 124) = 8,192
  EXPECT_EQ(attribute_errors("{\"x\":\"\"," + many(63, 126).substr(1)), Lines{});  // 8,191
  EXPECT_EQ(attribute_errors("{\"xxx\":\"\"," + many(63, 126).substr(1)),
            Lines{"/a: must have at most 8192 bytes of names and values"});
  EXPECT_EQ(attribute_errors(many(1, 1024)), Lines{});
  EXPECT_EQ(attribute_errors(many(1, 1025)),
            Lines{"/a/k100: must have at most 1024 bytes of UTF-8"});
  const std::string name(64, 'n');
  EXPECT_EQ(attribute_errors("{\"" + name + "\":\"\"}"), Lines{});
  EXPECT_EQ(attribute_errors("{\"" + name + "n\":\"\"}"),
            Lines{"/a/" + name + "n: the name must have at most 64 bytes of UTF-8"});
  EXPECT_EQ(attribute_errors(R"({"":"x"})"), Lines{"/a/: the name must not be empty"});
  EXPECT_EQ(attribute_errors(R"({"x\n":"x"})"),
            Lines{"/a/x\n: the name must not hold control characters"});
}

TEST(BodyReaderTest, lists_hold_different_texts) {
  const auto list_errors = [](const std::string& text) {
    return errors_of("{\"l\":" + text + "}",
                     [](BodyReader& body) { body.required_texts("l", kAccountRule, 3); });
  };
  EXPECT_EQ(list_errors(R"(["a","b","c"])"), Lines{});
  for (const char* text : {"{}", "null", "\"a\"", "1"}) {
    EXPECT_EQ(list_errors(text), Lines{"/l: must be an array of strings"});
  }
  EXPECT_EQ(list_errors("[]"), Lines{"/l: must have 1 to 3 elements"});
  EXPECT_EQ(list_errors(R"(["a","b","c","d"])"), Lines{"/l: must have 1 to 3 elements"});
  const Lines errors = list_errors(R"(["a",1,"a"])");
  EXPECT_EQ(errors, (Lines{"/l/1: must be a string", "/l/2: is in the list already"}));
  EXPECT_EQ(list_errors(R"(["a@b"])").size(), 1U);
}

TEST(BodyReaderTest, choices_are_the_names_that_answers_give) {
  using domain::Role;
  const auto choice_errors = [](const std::string& text) {
    return errors_of("{\"c\":" + text + "}", [](BodyReader& body) {
      body.optional_choice("c",
                           {domain::CurrencyStatus::kActive, domain::CurrencyStatus::kInactive});
    });
  };
  EXPECT_EQ(choice_errors("\"inactive\""), Lines{});
  for (const char* text : {"\"Active\"", "\"\"", "null", "0", "true", "[\"active\"]"}) {
    EXPECT_EQ(choice_errors(text), Lines{"/c: must be \"active\" or \"inactive\""}) << text;
  }
  const auto list_errors = [](const std::string& text) {
    return errors_of("{\"r\":" + text + "}", [](BodyReader& body) {
      body.required_choices("r", {Role::kAdmin, Role::kOperator, Role::kAuditor});
    });
  };
  EXPECT_EQ(list_errors(R"(["auditor","admin"])"), Lines{});
  for (const char* text : {"[]", "\"admin\"", "null", R"(["admin","admin","admin","admin"])"}) {
    EXPECT_EQ(list_errors(text),
              Lines{"/r: must be an array of 1 to 3 of \"admin\", \"operator\" or \"auditor\""});
  }
  EXPECT_EQ(list_errors(R"(["king",1,"admin"])"),
            (Lines{"/r/0: must be \"admin\", \"operator\" or \"auditor\"",
                   "/r/1: must be \"admin\", \"operator\" or \"auditor\""}));
  EXPECT_EQ(list_errors(R"(["admin","admin"])"), Lines{"/r/1: is in the list already"});
}

TEST(BodyReaderTest, unknown_members_are_named_with_escaped_pointers) {
  EXPECT_EQ(
      errors_of(R"({"a/b~c":1,"known":"x","":{"deep":1}})",
                [](BodyReader& body) { body.optional_text("known", kNameRule); }),
      (Lines{"/a~1b~0c: is not a member of this request", "/: is not a member of this request"}));
  EXPECT_EQ(pointer_into("/x", "~1/"), "/x/~01~1");
}

TEST(BodyReaderTest, at_most_twenty_errors_are_given) {
  std::string text = "{";
  for (int i = 0; i < 5'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  const Lines errors =
      errors_of(text + "\"t\":1}", [](BodyReader& body) { body.optional_text("t", kNameRule); });
  ASSERT_EQ(errors.size(), InputErrors::kMax);
  EXPECT_EQ(errors[0], "/t: must be a string");
  EXPECT_EQ(errors[19], "/k18: is not a member of this request");
}

}  // namespace
}  // namespace daybook::api

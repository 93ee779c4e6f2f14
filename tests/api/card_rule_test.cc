#include "api/card_rule.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::api {
namespace {

/// The digits and the one that makes them pass the Luhn check, computed the other way round: from
/// a table and from the left.
std::string with_check_digit(std::string digits) {
  constexpr std::string_view kDoubled = "0246813579";
  for (char check = '0'; check <= '9'; ++check) {
    const std::string candidate = digits + check;
    int sum = 0;
    for (std::size_t i = 0; i < candidate.size(); ++i) {
      const bool doubled = (candidate.size() - i) % 2 == 0;
      const char digit = candidate[i];
      sum += (doubled ? kDoubled[static_cast<std::size_t>(digit - '0')] : digit) - '0';
    }
    if (sum % 10 == 0) return candidate;
  }
  return {};
}

TEST(CardRuleTest, the_networks_test_numbers_are_found) {
  for (const char* text : {"4111111111111111",
                           "5555555555554444",
                           "378282246310005",
                           "6011111111111117",
                           "3530111333300000",
                           "30569309025904",
                           "4222222222222",
                           "4111 1111 1111 1111",
                           "4111-1111-1111-1111",
                           "3782 822463 10005",
                           "4111 1111-11111111",
                           "6304000000000000000",
                           "paid by 4111111111111111.",
                           "card_4111111111111111",
                           "\xD0\xBA\xD0\xB0\xD1\x80\xD1\x82\xD0\xB0"
                           "4111111111111111",
                           "x1 4111111111111111 2y",
                           "a:4111111111111111;b",
                           "0f8fad5b-d9cb-869f-a165-70867728950e 4111111111111111",
                           "12345 4111 1111 1111 1111",
                           "4111 1111 1111 1111 12/29",
                           "4111 1111 1111 1111 777",
                           "99 4111111111111111 1",
                           "№ 4111-1111-1111-1111 ✓",
                           "2026-01-31 4111111111111111",
                           "4111111111111111 2026-01-31",
                           "4111111111111111\n"}) {
    EXPECT_TRUE(looks_like_card_number(text)) << text;
  }
}

TEST(CardRuleTest, other_numbers_are_let_through) {
  for (const char* text :
       {"", "-", "4", "4111111111111112", "411111111111", "4111 1111 1111 1112", "tariff Basic",
        "4111  1111 1111 1111", "4111_1111_1111_1111", "4111.1111.1111.1111", "0.0000000000000000",
        "7.4111111111111111", "411111111111111a", "00000000000000000000", "2026-01-01 2026-02-02",
        "2026-01-31 - 2026-02-28", "0f8fad5b-d9cb-869f-a165-70867728950e", "+7 495 123-45-67",
        "10.5 20.5 30.5 40.5",
        // Digits that a letter touches: ids, not cards.
        "card4111111111111111x", "x4111111111111111", "4111111111111111z", "x4111 1111 1111 1111",
        "4111 1111 1111 1111z", "cfdafa8732f5402389287148f455fff5", "vol-04111111111111111a",
        // UUIDs, also where their groups are digits alone.
        "41111111-1111-1111-aaaa-111111111111", "12345678-4111-1111-1111-111111111111",
        "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0e9801d1",
        // Other industries than those of payment cards.
        "0000000000000000", "1234567890123452", "2720992718021515", "7992739871300000000",
        "8944500000000000000", "9999999999999995"}) {
    EXPECT_FALSE(looks_like_card_number(text)) << text;
  }
}

TEST(CardRuleTest, thirteen_to_nineteen_digits_count) {
  for (std::size_t size = 1; size <= 40; ++size) {
    const std::string number = with_check_digit(std::string(size - 1, '4'));
    EXPECT_EQ(looks_like_card_number(number), size >= 13 && size <= 19) << number;
  }
}

RC_GTEST_PROP(CardRulePropertyTest, every_card_is_found_however_it_is_spaced, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(12, 19);
  std::string digits(1, *rc::gen::inRange('3', static_cast<char>('6' + 1)));
  while (digits.size() < size) digits.push_back(*rc::gen::inRange('0', static_cast<char>('9' + 1)));
  const std::string number = with_check_digit(digits);
  std::string spaced;
  for (const char digit : number) {
    spaced.push_back(digit);
    // Dashes could make a date of it, which is a row's end.
    if (*rc::gen::inRange(0, 4) == 0) spaced.push_back(' ');
  }
  const std::string before = *rc::gen::element<std::string>("", "card ", "x:", "\xC3\xA9");
  RC_ASSERT(looks_like_card_number(before + number));
  RC_ASSERT(looks_like_card_number(before + spaced + "."));
  std::string wrong = number;
  wrong.back() = wrong.back() == '9' ? '0' : static_cast<char>(wrong.back() + 1);
  RC_ASSERT(!looks_like_card_number(wrong));
}

}  // namespace
}  // namespace daybook::api

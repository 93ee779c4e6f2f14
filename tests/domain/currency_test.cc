#include "domain/currency.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace daybook::domain {
namespace {

TEST(CurrencyTest, listed_codes_are_read_with_their_exponent) {
  const std::map<std::string, int> exponents = {{"USD", 2}, {"EUR", 2}, {"RUB", 2}, {"JPY", 0},
                                                {"KWD", 3}, {"CLF", 4}, {"UYW", 4}, {"UYI", 0},
                                                {"CHE", 2}, {"CHW", 2}, {"COU", 2}, {"MXV", 2},
                                                {"USN", 2}, {"BOV", 2}, {"XAF", 0}, {"XCD", 2}};
  for (const auto& [code, exponent] : exponents) {
    const auto currency = Currency::parse(code);
    ASSERT_TRUE(currency.has_value()) << code;
    EXPECT_EQ(currency->code(), code);
    EXPECT_EQ(currency->exponent(), exponent) << code;
    EXPECT_FALSE(currency->is_none());
  }
}

TEST(CurrencyTest, any_other_text_is_no_currency) {
  for (const std::string& code : std::vector<std::string>{
           "", "U", "US", "USDX", "usd", "Usd", "US1", "U D", "AAA", "ZZZ", "XAU", "XTS", "XDR",
           "BTC", "840", "US\xc4", std::string("US\0", 3), "@@@", "[[["}) {
    EXPECT_FALSE(Currency::parse(code).has_value()) << code;
  }
}

TEST(CurrencyTest, packed_number_is_the_base_26_number_of_the_letters_plus_one) {
  EXPECT_EQ(Currency().packed(), 0);
  EXPECT_TRUE(Currency().is_none());
  EXPECT_EQ(Currency::parse("AED")->packed(), 0 * 676 + 4 * 26 + 3 + 1);
  EXPECT_EQ(Currency::parse("USD")->packed(), 20 * 676 + 18 * 26 + 3 + 1);
  EXPECT_EQ(Currency::parse("ZWG")->packed(), 25 * 676 + 22 * 26 + 6 + 1);
}

TEST(CurrencyTest, exactly_the_listed_packed_numbers_are_unpacked) {
  std::size_t found = 0;
  for (unsigned packed = 0; packed <= 0xffff; ++packed) {
    const auto currency = Currency::unpack(static_cast<std::uint16_t>(packed));
    if (!currency) continue;
    ++found;
    EXPECT_EQ(currency->packed(), packed);
    EXPECT_EQ(Currency::parse(currency->code()), currency);
  }
  EXPECT_EQ(found, iso_4217().size());
}

TEST(CurrencyTest, table_is_ordered_and_without_repetition) {
  const auto rows = iso_4217();
  for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_LT(rows[i - 1].code, rows[i].code);
  for (const CurrencyRow& row : rows) {
    EXPECT_EQ(Currency::parse(row.code)->exponent(), row.exponent) << row.code;
  }
}

TEST(CurrencyDeathTest, no_currency_has_neither_code_nor_exponent) {
  EXPECT_DEATH(static_cast<void>(Currency().code()), "CHECK failed");
  EXPECT_DEATH(static_cast<void>(Currency().exponent()), "CHECK failed");
}

/// Code and exponent of every entry of ISO's list one that has both.
std::map<std::string, int> read_list_one(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::regex entry(
      R"(<Ccy>([A-Z]{3})</Ccy>\s*<CcyNbr>\d+</CcyNbr>\s*<CcyMnrUnts>(\d)</CcyMnrUnts>)");
  std::map<std::string, int> exponents;
  for (std::sregex_iterator at(text.begin(), text.end(), entry), end; at != end; ++at) {
    exponents[(*at)[1].str()] = (*at)[2].str()[0] - '0';
  }
  return exponents;
}

TEST(CurrencyTest, table_equals_the_list_of_an_independent_package) {
  const char* const folder = std::getenv("DAYBOOK_NPM");
  if (folder == nullptr) {
    GTEST_SKIP() << "SKIP: DAYBOOK_NPM is not set; no independent ISO 4217 list to compare with";
  }
  auto expected =
      read_list_one(std::string(folder) + "/node_modules/currency-codes/iso-4217-list-one.xml");
  ASSERT_GT(expected.size(), 150U) << "no currencies found under DAYBOOK_NPM=" << folder;
  // Came with amendment 176, after the package's list of 2024-06-25.
  ASSERT_TRUE(expected.emplace("XCG", 2).second);

  std::map<std::string, int> ours;
  for (const CurrencyRow& row : iso_4217()) ours[std::string(row.code)] = row.exponent;
  EXPECT_EQ(ours, expected);
}

}  // namespace
}  // namespace daybook::domain

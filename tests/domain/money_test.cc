#include "domain/money.h"

#include <array>
#include <string>
#include <vector>

#include <boost/multiprecision/cpp_int.hpp>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "domain/base/wide.h"

namespace daybook::domain {
namespace {

using boost::multiprecision::cpp_int;

constexpr int128 kTenTo38 = static_cast<int128>(10'000'000'000'000'000'000U) *
                            static_cast<int128>(10'000'000'000'000'000'000U);
constexpr std::array kEveryRounding = {Rounding::kHalfEven, Rounding::kHalfUp,
                                       Rounding::kTowardZero, Rounding::kFloor, Rounding::kCeiling};

int128 from_halves(std::uint64_t high, std::uint64_t low) {
  return static_cast<int128>((static_cast<uint128>(high) << 64) | low);
}

/// Bits shifted right by an arithmetic shift: every magnitude comes up, with both signs.
int128 of_any_width(std::uint64_t high, std::uint64_t low, unsigned shift) {
  return from_halves(high, low) >> (shift % 128);
}

cpp_int big(int128 value) {
  cpp_int result = static_cast<std::int64_t>(value >> 64);
  result *= cpp_int(1) << 64;
  return result + static_cast<std::uint64_t>(value);
}

bool fits(const cpp_int& value) { return value >= big(kInt128Min) && value <= big(kInt128Max); }

cpp_int power_of_ten(unsigned exponent) {
  return boost::multiprecision::pow(cpp_int(10), exponent);
}

/// numerator / denominator rounded, by way of the floor and the ceiling: another road than ours.
cpp_int rounded(const cpp_int& numerator, const cpp_int& denominator, Rounding rounding) {
  cpp_int floor = numerator / denominator;
  if (floor * denominator > numerator) --floor;
  const cpp_int ceiling = floor * denominator == numerator ? floor : cpp_int(floor + 1);
  const cpp_int down = numerator - floor * denominator;
  const cpp_int up = ceiling * denominator - numerator;
  const cpp_int toward_zero = numerator < 0 ? ceiling : floor;
  const cpp_int from_zero = numerator < 0 ? floor : ceiling;
  switch (rounding) {
    case Rounding::kFloor:
      return floor;
    case Rounding::kCeiling:
      return ceiling;
    case Rounding::kTowardZero:
      return toward_zero;
    case Rounding::kHalfUp:
      return down == up ? from_zero : down < up ? floor : ceiling;
    case Rounding::kHalfEven:
      return down == up ? (floor % 2 == 0 ? floor : ceiling) : down < up ? floor : ceiling;
  }
  return 0;
}

Currency currency(std::string_view code) { return Currency::parse(code).value(); }

Amount amount(std::string_view text) {
  const auto parsed = parse_amount(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Amount{});
}

Quantity quantity(std::string_view text) {
  const auto parsed = parse_quantity(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Quantity{});
}

TEST(MoneyTest, text_of_the_grammar_is_read_exactly) {
  struct Row {
    std::string_view text;
    int128 units;
  };
  const std::vector<Row> rows = {
      {"0", 0},
      {"-0", 0},
      {"-0.000000000000", 0},
      {"00.10", 100'000'000'000},
      {"30.25", 30'250'000'000'000},
      {"-400", -400'000'000'000'000},
      {"0.0000008", 800'000},
      {"0.000000000001", 1},
      {"-0.000000000001", -1},
      {"1234567890123456789", static_cast<int128>(1'234'567'890'123'456'789) * 1'000'000'000'000},
      {"99999999999999999999999999.999999999999", kTenTo38 - 1},
      {"-99999999999999999999999999.999999999999", 1 - kTenTo38},
      {"00000000000000000000000001.000000000000", 1'000'000'000'000},
  };
  for (const Row& row : rows) {
    const auto parsed = parse_amount(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text;
    EXPECT_TRUE(parsed->units == row.units) << row.text;
  }
}

TEST(MoneyTest, any_other_text_is_refused) {
  const std::vector<std::string> texts = {"",
                                          "-",
                                          "+1",
                                          "1.",
                                          ".5",
                                          "-.5",
                                          ".",
                                          "-.",
                                          "--1",
                                          "1-",
                                          " 1",
                                          "1 ",
                                          "1e3",
                                          "1E3",
                                          "1.0e-2",
                                          "1,000",
                                          "1_000",
                                          "0x10",
                                          "NaN",
                                          "Infinity",
                                          "NULL",
                                          "1.2.3",
                                          "1..2",
                                          "-+1",
                                          "1.-2",
                                          "1.+2",
                                          "0.0000000000001",
                                          "0.0000000000000",
                                          "100000000000000000000000000",
                                          "000000000000000000000000000",
                                          "-100000000000000000000000000.5",
                                          std::string("1\0", 2),
                                          std::string("1.5\0", 4),
                                          "1\n",
                                          "\u0661",
                                          "\u22121",
                                          "1.5/",
                                          "1:",
                                          "/1"};
  for (const std::string& text : texts) EXPECT_FALSE(parse_amount(text).has_value()) << text;
}

TEST(MoneyTest, text_has_the_decimals_asked_for_and_no_superfluous_zero) {
  EXPECT_EQ(to_text(amount("100"), 2), "100.00");
  EXPECT_EQ(to_text(amount("0.00000080000"), 2), "0.0000008");
  EXPECT_EQ(to_text(amount("-400"), 2), "-400.00");
  EXPECT_EQ(to_text(amount("5"), 0), "5");
  EXPECT_EQ(to_text(amount("5.5"), 0), "5.5");
  EXPECT_EQ(to_text(amount("-0.5"), 0), "-0.5");
  EXPECT_EQ(to_text(amount("0"), 0), "0");
  EXPECT_EQ(to_text(amount("-0"), 2), "0.00");
  EXPECT_EQ(to_text(amount("0.01"), 12), "0.010000000000");
  EXPECT_EQ(to_text(amount("00.10"), 1), "0.1");
  EXPECT_EQ(to_text(amount("1000000000000000000"), 0), "1000000000000000000");
  EXPECT_EQ(to_text(amount("10000000000000000000.1"), 0), "10000000000000000000.1");
  EXPECT_EQ(to_text(amount("99999999999999999999999999.999999999999"), 2),
            "99999999999999999999999999.999999999999");
  EXPECT_EQ(to_text(Amount{kInt128Min}, 2), "-170141183460469231731687303.715884105728");
  EXPECT_EQ(to_text(Amount{kInt128Max}, 2), "170141183460469231731687303.715884105727");
}

TEST(MoneyTest, text_of_money_has_the_digits_of_its_currency) {
  EXPECT_EQ(to_text(Money{amount("100"), currency("USD")}), "100.00");
  EXPECT_EQ(to_text(Money{amount("5"), currency("JPY")}), "5");
  EXPECT_EQ(to_text(Money{amount("5"), currency("KWD")}), "5.000");
  EXPECT_EQ(to_text(Money{amount("0.5"), currency("CLF")}), "0.5000");
  EXPECT_EQ(to_text(Money{amount("1.2345"), currency("JPY")}), "1.2345");
}

TEST(MoneyTest, sums_that_do_not_fit_give_nothing) {
  const Amount max{kInt128Max};
  const Amount min{kInt128Min};
  const Amount one{1};
  EXPECT_FALSE(checked_add(max, one).has_value());
  EXPECT_FALSE(checked_add(min, Amount{-1}).has_value());
  EXPECT_FALSE(checked_subtract(min, one).has_value());
  EXPECT_FALSE(checked_subtract(Amount{}, min).has_value());
  EXPECT_FALSE(checked_negate(min).has_value());
  EXPECT_EQ(checked_negate(max), Amount{-kInt128Max});
  EXPECT_EQ(checked_add(max, min), Amount{-1});
  EXPECT_EQ(checked_subtract(max, max), Amount{});
}

TEST(MoneyTest, whole_minor_units_depend_on_the_currency) {
  EXPECT_TRUE(is_whole_minor_units(amount("1.23"), currency("USD")));
  EXPECT_FALSE(is_whole_minor_units(amount("1.23"), currency("JPY")));
  EXPECT_FALSE(is_whole_minor_units(amount("-1.234"), currency("USD")));
  EXPECT_TRUE(is_whole_minor_units(amount("-1.234"), currency("KWD")));
  EXPECT_TRUE(is_whole_minor_units(amount("0.0001"), currency("CLF")));
  EXPECT_FALSE(is_whole_minor_units(amount("0.00001"), currency("CLF")));
  EXPECT_TRUE(is_whole_minor_units(Amount{}, currency("JPY")));
  EXPECT_FALSE(is_whole_minor_units(Amount{kInt128Min}, currency("USD")));
}

TEST(MoneyTest, each_rounding_mode_treats_halves_and_signs_as_named) {
  struct Row {
    std::string_view text, half_even, half_up, toward_zero, floor, ceiling;
  };
  const std::vector<Row> rows = {
      {"2.345", "2.34", "2.35", "2.34", "2.34", "2.35"},
      {"2.355", "2.36", "2.36", "2.35", "2.35", "2.36"},
      {"-2.345", "-2.34", "-2.35", "-2.34", "-2.35", "-2.34"},
      {"-2.355", "-2.36", "-2.36", "-2.35", "-2.36", "-2.35"},
      {"2.344999999999", "2.34", "2.34", "2.34", "2.34", "2.35"},
      {"2.345000000001", "2.35", "2.35", "2.34", "2.34", "2.35"},
      {"0.005", "0.00", "0.01", "0.00", "0.00", "0.01"},
      {"-0.005", "0.00", "-0.01", "0.00", "-0.01", "0.00"},
      {"7.25", "7.25", "7.25", "7.25", "7.25", "7.25"},
  };
  for (const Row& row : rows) {
    const std::array expected = {row.half_even, row.half_up, row.toward_zero, row.floor,
                                 row.ceiling};
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto result =
          round_to_minor_units(amount(row.text), currency("USD"), kEveryRounding[i]);
      ASSERT_TRUE(result.has_value());
      EXPECT_EQ(to_text(*result, 2), expected[i]) << row.text << " mode " << i;
    }
  }
}

TEST(MoneyTest, rounding_beyond_the_range_gives_nothing) {
  EXPECT_FALSE(round_to_minor_units(Amount{kInt128Max}, currency("JPY"), Rounding::kCeiling));
  EXPECT_FALSE(round_to_minor_units(Amount{kInt128Min}, currency("JPY"), Rounding::kFloor));
  EXPECT_TRUE(round_to_minor_units(Amount{kInt128Min}, currency("JPY"), Rounding::kTowardZero));
}

TEST(MoneyTest, quantities_keep_eighteen_decimals) {
  EXPECT_EQ(to_text(quantity("2.000000000000000")), "2");
  EXPECT_EQ(to_text(quantity("0.002007490000000001")), "0.002007490000000001");
  EXPECT_EQ(to_text(quantity("-0")), "0");
  EXPECT_EQ(to_text(quantity("-99999999999999999999.999999999999999999")),
            "-99999999999999999999.999999999999999999");
  EXPECT_EQ(to_text(Quantity{kInt128Min}), "-170141183460469231731.687303715884105728");
  for (const std::string_view text :
       {"", "1.", ".5", "+1", "1e3", "0.0000000000000000001", "100000000000000000000"}) {
    EXPECT_FALSE(parse_quantity(text).has_value()) << text;
  }
}

TEST(MoneyTest, price_times_quantity_is_exact_before_its_one_rounding) {
  EXPECT_EQ(multiply(amount("0.008"), quantity("0.002007490000000001"), Rounding::kHalfEven),
            amount("0.00001605992"));
  EXPECT_EQ(multiply(amount("0.008"), quantity("0.002007490000000001"), Rounding::kCeiling),
            amount("0.000016059921"));
  EXPECT_EQ(multiply(amount("-0.000000000001"), quantity("0.5"), Rounding::kHalfEven), Amount{});
  EXPECT_EQ(multiply(amount("-0.000000000001"), quantity("0.5"), Rounding::kHalfUp), Amount{-1});
  EXPECT_EQ(multiply(amount("-0.000000000001"), quantity("-1.5"), Rounding::kHalfEven), Amount{2});
  EXPECT_EQ(multiply(Amount{kInt128Min}, quantity("1"), Rounding::kFloor), Amount{kInt128Min});
  EXPECT_FALSE(multiply(Amount{kInt128Min}, quantity("-1"), Rounding::kFloor).has_value());
  EXPECT_FALSE(multiply(Amount{kInt128Max}, quantity("1.01"), Rounding::kFloor).has_value());
  EXPECT_FALSE(multiply(Amount{kInt128Max}, Quantity{kInt128Max}, Rounding::kFloor).has_value());
  EXPECT_EQ(multiply(Amount{kInt128Min}, Quantity{}, Rounding::kFloor), Amount{});
}

RC_GTEST_PROP(MoneyProperty, text_reads_back_as_the_same_amount,
              (std::uint64_t high, std::uint64_t low, unsigned shift)) {
  const Amount value{of_any_width(high, low, shift)};
  const int minimum = *rc::gen::inRange(0, kAmountDecimals + 1);
  const std::string text = to_text(value, minimum);
  if (value.units > -kTenTo38 && value.units < kTenTo38) {
    RC_ASSERT(parse_amount(text) == value);
  } else {
    RC_ASSERT(!parse_amount(text).has_value());
  }
  const std::size_t point = text.find('.');
  const std::string decimals = point == std::string::npos ? "" : text.substr(point + 1);
  RC_ASSERT(static_cast<int>(decimals.size()) >= minimum);
  RC_ASSERT(static_cast<int>(decimals.size()) == minimum || !decimals.ends_with('0'));
  std::string digits = text.substr(0, point) + decimals;
  digits.append(static_cast<std::size_t>(kAmountDecimals) - decimals.size(), '0');
  const bool negative = digits.starts_with('-');
  digits.erase(0, std::min(digits.find_first_not_of("-0"), digits.size() - 1));
  RC_ASSERT(cpp_int(digits) * (negative ? -1 : 1) == big(value.units));
}

RC_GTEST_PROP(MoneyProperty, text_of_a_quantity_reads_back,
              (std::uint64_t high, std::uint64_t low, unsigned shift)) {
  const Quantity value{of_any_width(high, low, shift)};
  const bool readable = value.units > -kTenTo38 && value.units < kTenTo38;
  RC_ASSERT(parse_quantity(to_text(value)) ==
            (readable ? std::optional<Quantity>(value) : std::nullopt));
}

RC_GTEST_PROP(MoneyProperty, sums_agree_with_unlimited_integers,
              (std::uint64_t a, std::uint64_t b, unsigned s, std::uint64_t c, std::uint64_t d,
               unsigned t)) {
  const Amount left{of_any_width(a, b, s)};
  const Amount right{of_any_width(c, d, t)};
  const cpp_int sum = big(left.units) + big(right.units);
  const cpp_int difference = big(left.units) - big(right.units);
  const auto added = checked_add(left, right);
  const auto subtracted = checked_subtract(left, right);
  RC_ASSERT(added.has_value() == fits(sum));
  RC_ASSERT(subtracted.has_value() == fits(difference));
  if (added) {
    RC_ASSERT(big(added->units) == sum);
    RC_ASSERT(checked_subtract(*added, right) == left);
  }
  if (subtracted) {
    RC_ASSERT(big(subtracted->units) == difference);
    RC_ASSERT(checked_add(*subtracted, right) == left);
  }
}

RC_GTEST_PROP(MoneyProperty, products_agree_with_unlimited_integers_in_every_mode,
              (std::uint64_t a, std::uint64_t b, unsigned s, std::uint64_t c, std::uint64_t d,
               unsigned t)) {
  const Amount price{of_any_width(a, b, s)};
  const Quantity count{of_any_width(c, d, t)};
  const cpp_int product = big(price.units) * big(count.units);
  for (const Rounding rounding : kEveryRounding) {
    const cpp_int expected = rounded(product, power_of_ten(18), rounding);
    const auto result = multiply(price, count, rounding);
    RC_ASSERT(result.has_value() == fits(expected));
    if (result) RC_ASSERT(big(result->units) == expected);
  }
}

RC_GTEST_PROP(MoneyProperty, products_that_end_in_a_half_agree_too, (std::int64_t odd, bool even)) {
  // odd x 0.5 leaves exactly half a unit; random operands practically never do.
  const Amount price{static_cast<int128>(odd) * 2 + (even ? 0 : 1)};
  const Quantity half{500'000'000'000'000'000};
  const cpp_int product = big(price.units) * big(half.units);
  for (const Rounding rounding : kEveryRounding) {
    const auto result = multiply(price, half, rounding);
    RC_ASSERT(result.has_value());
    RC_ASSERT(big(result->units) == rounded(product, power_of_ten(18), rounding));
  }
}

RC_GTEST_PROP(MoneyProperty, minor_unit_rounding_agrees_with_unlimited_integers,
              (std::uint64_t high, std::uint64_t low, unsigned shift, bool to_half)) {
  for (const std::string_view code : {"JPY", "USD", "KWD", "CLF"}) {
    const Currency unit = currency(code);
    const cpp_int scale = power_of_ten(static_cast<unsigned>(kAmountDecimals - unit.exponent()));
    int128 units = of_any_width(high, low, shift);
    if (to_half) {
      units = (units >> 44) * static_cast<int128>(static_cast<std::uint64_t>(scale)) +
              static_cast<int128>(static_cast<std::uint64_t>(scale) / 2);
    }
    for (const Rounding rounding : kEveryRounding) {
      const cpp_int expected = rounded(big(units), scale, rounding) * scale;
      const auto result = round_to_minor_units(Amount{units}, unit, rounding);
      RC_ASSERT(result.has_value() == fits(expected));
      if (!result) continue;
      RC_ASSERT(big(result->units) == expected);
      RC_ASSERT(is_whole_minor_units(*result, unit));
    }
    RC_ASSERT(is_whole_minor_units(Amount{units}, unit) == (big(units) % scale == 0));
  }
}

RC_GTEST_PROP(WideProperty, long_multiplication_and_division_agree_with_unlimited_integers,
              (std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
               std::uint64_t divisor)) {
  RC_PRE(divisor != 0U);
  const auto unsigned_big = [](uint128 value) {
    return (cpp_int(static_cast<std::uint64_t>(value >> 64)) << 64) +
           static_cast<std::uint64_t>(value);
  };
  const auto wide_big = [&](Uint256 value) {
    return cpp_int((unsigned_big(value.high) << 128) + unsigned_big(value.low));
  };
  // Carries show at the top of the range, where random numbers rarely are.
  for (const uint128 left :
       {static_cast<uint128>(from_halves(a, b)),
        static_cast<uint128>(from_halves(~a >> 60, ~std::uint64_t{0})), ~static_cast<uint128>(0)}) {
    const auto right = static_cast<uint128>(from_halves(c, d));
    const Uint256 product = multiply_wide(left, right);
    RC_ASSERT(wide_big(product) == unsigned_big(left) * unsigned_big(right));
    const WideQuotient result = divide_wide(product, divisor);
    RC_ASSERT(result.remainder < divisor);
    RC_ASSERT(wide_big(result.quotient) * divisor + result.remainder == wide_big(product));
  }
}

}  // namespace
}  // namespace daybook::domain

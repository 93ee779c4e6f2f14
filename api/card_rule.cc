#include "api/card_rule.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace daybook::api {
namespace {

constexpr std::size_t kShortest = 13;
constexpr std::size_t kLongest = 19;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// ISO/IEC 7812-1 annex B: from the right every second digit is doubled.
bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (std::size_t i = digits.size(); i-- > 0; doubled = !doubled) {
    const int digit = digits[i] - '0';
    const int value = doubled ? 2 * digit : digit;
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

/// 3 to 6: what the cards of travel, banking and merchandising begin with.
bool has_card_industry(std::string_view digits) { return digits[0] >= '3' && digits[0] <= '6'; }

bool is_card(std::string_view digits) {
  return digits.size() >= kShortest && digits.size() <= kLongest && has_card_industry(digits) &&
         passes_luhn(digits);
}

/// Unbroken digits; groups of one row are held together by single separators.
using Row = std::vector<std::string_view>;

std::string joined(std::span<const std::string_view> groups) {
  std::string digits;
  for (const std::string_view group : groups) digits += group;
  return digits;
}

/// True if the groups from `at` on have these sizes and make up a card number.
bool is_card_grouped(const Row& row, std::size_t at, std::initializer_list<std::size_t> sizes) {
  if (row.size() - at < sizes.size()) return false;
  const std::span groups(row.data() + at, sizes.size());
  const bool fits =
      std::equal(groups.begin(), groups.end(), sizes.begin(),
                 [](std::string_view group, std::size_t size) { return group.size() == size; });
  return fits && is_card(joined(groups));
}

bool holds_card(const Row& row) {
  std::size_t digits = 0;
  for (const std::string_view group : row) digits += group.size();
  if (digits < kShortest) return false;
  if (digits <= kLongest && is_card(joined(row))) return true;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (is_card(row[i]) || is_card_grouped(row, i, {4, 4, 4, 4}) ||
        is_card_grouped(row, i, {4, 6, 5})) {
      return true;
    }
  }
  return false;
}

/// Length of `form` at the start of `text`, where 0 stands for a digit and x for a hexadecimal one,
/// if no digit or letter follows; else 0.
std::size_t form_length(std::string_view text, std::string_view form) {
  if (text.size() < form.size()) return 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool fits = form[i] == '0'   ? is_digit(text[i])
                      : form[i] == 'x' ? is_hex(text[i])
                                       : text[i] == form[i];
    if (!fits) return 0;
  }
  const bool goes_on =
      text.size() > form.size() && (is_digit(text[form.size()]) || is_letter(text[form.size()]));
  return goes_on ? 0 : form.size();
}

/// Length of the date or UUID at `at`; 0 where there is none.
std::size_t date_or_uuid_length(std::string_view text, std::size_t at) {
  if (at > 0 && (is_digit(text[at - 1]) || is_letter(text[at - 1]))) return 0;
  const std::size_t uuid = form_length(text.substr(at), "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
  return uuid != 0 ? uuid : form_length(text.substr(at), "0000-00-00");
}

/// Digits beside a letter are part of a word, such as an id in hexadecimal.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): a place and a size, as in substr.
bool is_part_of_word(std::string_view text, std::size_t at, std::size_t size) {
  const bool before = at > 0 && is_letter(text[at - 1]);
  return before || (at + size < text.size() && is_letter(text[at + size]));
}

std::size_t digits_length(std::string_view text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_digit);
  return static_cast<std::size_t>(end - text.begin());
}

/// Fractions of quantities and of prices are long and are no cards.
bool is_after_decimal_point(std::string_view text, std::size_t at) {
  return at >= 2 && text[at - 1] == '.' && is_digit(text[at - 2]);
}

}  // namespace

bool looks_like_card_number(std::string_view text) {
  Row row;
  std::size_t at = 0;
  // A row ends where neither a digit nor a separator and a digit follow.
  const auto row_holds_card = [&] {
    const bool holds = holds_card(row);
    row.clear();
    return holds;
  };
  while (at < text.size()) {
    if (const std::size_t skipped = date_or_uuid_length(text, at); skipped != 0) {
      if (row_holds_card()) return true;
      at += skipped;
      continue;
    }
    const std::size_t size = digits_length(text.substr(at));
    if (size != 0 && is_part_of_word(text, at, size)) {
      if (row_holds_card()) return true;
    } else if (size != 0 && !is_after_decimal_point(text, at)) {
      row.push_back(text.substr(at, size));
    }
    at += size;
    const bool goes_on = size != 0 && at + 1 < text.size() &&
                         (text[at] == ' ' || text[at] == '-') && is_digit(text[at + 1]);
    if (!goes_on && row_holds_card()) return true;
    ++at;
  }
  return holds_card(row);
}

}  // namespace daybook::api

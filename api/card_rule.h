#pragma once

#include <string_view>

namespace daybook::api {

/// The slug of the problem that a refused text leads to.
inline constexpr std::string_view kCardDataSlug = "card-data-rejected";

/// True if the text seems to hold a payment card number (ISO/IEC 7812-1), which must never enter
/// the log: 13 to 19 digits in a row that begin with 3, 4, 5 or 6 and pass the Luhn check, where
/// single spaces or dashes may stand between digits. Also found inside a longer row when grouped as
/// cards are (4-4-4-4, 4-6-5) or unbroken. Digits beside an ASCII letter (ids in hexadecimal),
/// UUIDs, ISO dates (2026-01-31) and decimal fractions are not part of any row.
///
/// One row in 25 that is no card passes the check; such a text must be written differently.
bool looks_like_card_number(std::string_view text);

}  // namespace daybook::api

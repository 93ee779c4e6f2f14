#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/base/result.h"
#include "domain/base/time.h"
#include "domain/currency.h"
#include "domain/money.h"

namespace daybook::api {

/// Limits of a FOCUS file. What is longer is an error of its row (or of the file, where said so):
/// nothing is ever cut off. They keep the event of a row below 16 KiB.
inline constexpr std::size_t kFocusMaxColumns = 1000;         ///< else a file error
inline constexpr std::size_t kFocusMaxRowBytes = 16'777'216;  ///< as written; else a file error
inline constexpr std::size_t kFocusMaxAccountBytes = 128;     ///< of the escaped account id
inline constexpr std::size_t kFocusMaxNameBytes = 64;         ///< of a column or `tag.<key>`
inline constexpr std::size_t kFocusMaxValueBytes = 1024;      ///< description and service, too
inline constexpr std::size_t kFocusMaxAttributeBytes = 8192;  ///< all names and values of a row

struct FocusAttribute {
  std::string name;
  std::string value;

  bool operator==(const FocusAttribute&) const = default;
};

/// One charge of a FOCUS file, complete and valid.
struct FocusRow {
  std::uint64_t line = 0;  ///< physical line on which the row begins; the header begins on line 1
  std::string account_id;  ///< BillingAccountId in the form of our account ids
  std::string original_account_id;
  domain::Currency currency;    ///< BillingCurrency
  domain::Amount cost;          ///< BilledCost, exact; negative for credits
  Instant charge_period_start;  ///< ChargePeriodStart
  std::string description;      ///< ChargeDescription, empty if null
  std::string service_name;     ///< ServiceName, empty if null
  /// Every other column that is not null, in the order of the file and under its own name, with
  /// BillingAccountId as it was written; at the place of Tags, one `tag.<key>` per tag.
  std::vector<FocusAttribute> attributes;
  /// `focus:<32 hex digits>:<ordinal>`: SHA-256 of all fields as read, each with its column's name
  /// and lengths, columns in the order of their names; the ordinal counts equal rows from 1. The
  /// same file gives the same keys, also with its columns in another order.
  std::string key;
};

/// What is wrong with one row. It is the row's first error in reading order of the checks.
struct FocusRowError {
  std::uint64_t line = 0;  ///< physical line on which the field begins
  std::string column;      ///< its name; `#<number>` for a field beyond the header's last
  std::string message;
};

/// `line 7, column BilledCost: …`
std::string to_text(const FocusRowError& error);

/// Receives what is read, in the order of the file. A `false` ends the reading. Both must be set;
/// neither may throw.
struct FocusSink {
  std::function<bool(FocusRow)> row;
  std::function<bool(const FocusRowError&)> error;
};

/// The account id for a BillingAccountId: bytes outside [A-Za-z0-9._+-] become `:xx` (lower-case
/// hex), as does a first byte of `._+-`, with which no account id may begin. Different ids stay
/// different. Invalid if empty or over 128 bytes.
Result<std::string> focus_account_id(std::string_view billing_account_id);

/// Reads a FinOps FOCUS 1.x cost-and-usage CSV (focus.finops.org; CSV as in RFC 4180), pushed in
/// pieces of any size. Knows nothing of a ledger.
///
/// Columns are found by name in the header; BilledCost, BillingAccountId, BillingCurrency and
/// ChargePeriodStart must be there. A field that is empty or `NULL` is null. Lines end with LF or
/// CRLF; blank lines are skipped; a UTF-8 BOM is accepted. A row with an error is reported and the
/// reading goes on with the next line, so that the caller decides whether anything counts. An error
/// of the file as a whole (header, a row over the limit) is the returned Status, and it is final.
///
/// Memory: one row, and 16 bytes of hash (about 64 with the table) for each row of the file.
/// Thread rule: one thread at a time. Holds nothing that a crash could leave behind.
class FocusCsvReader {
 public:
  explicit FocusCsvReader(FocusSink sink);
  ~FocusCsvReader();
  FocusCsvReader(const FocusCsvReader&) = delete;
  FocusCsvReader& operator=(const FocusCsvReader&) = delete;

  Status push(std::string_view bytes);
  /// The end of the file: the last line needs no LF.
  Status finish();
  /// True once the sink has ended the reading.
  bool stopped() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads the whole stream. A read error of the stream is kIo, a file error kInvalid.
Status read_focus_csv(std::istream& in, FocusSink sink);

}  // namespace daybook::api

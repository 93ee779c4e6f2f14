#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/focus_csv.h"
#include "app/focus_items.h"
#include "app/import_target.h"
#include "app/stop_signal.h"
#include "domain/base/result.h"
#include "domain/base/time.h"
#include "domain/money.h"

namespace daybook::app {

/// The import of one FOCUS file in two passes: check() looks at every row and books nothing, book()
/// books the rows that are right, window by window. What was booked before is found by its key, so
/// an import that was cut off is completed by running it again.
///
/// Memory: one window of rows, one line of the summary per account and currency, and about 64 bytes
/// for each different row of the file (a digest and a count, so that two equal rows are two charges
/// and the same two when the file comes again): 64 MB for a million rows.
/// Thread rule: one thread at a time.
class FocusImport {
 public:
  struct Rules {
    bool keep_going = false;  ///< Wrong rows do not keep the right ones out.
    Instant now;              ///< Nothing may have happened later.
  };

  static constexpr std::size_t kWindowItems = 1'000;
  static constexpr std::size_t kWindowBytes = std::size_t{8} << 20;

  /// Wrong rows go to `errors`, a line each. `errors` outlives it.
  FocusImport(Rules rules, std::ostream& errors) : rules_(rules), errors_(errors) {}

  /// First pass. Errors: kIo, kInvalid: of the file as a whole; kIo if asked to stop.
  Status check(std::istream& file, const StopSignal& stop);
  /// Whether the second pass may follow.
  bool may_book() const { return counts_.wrong == 0 || rules_.keep_going; }

  /// Second pass, over the same bytes. Errors: what the target says; kIo if asked to stop.
  Status book(std::istream& file, ImportTarget& target, StopSignal& stop);

  /// Every row of the file is in the ledger.
  bool complete() const;

  /// Rows read = imported + already there + refused + wrong + not tried.
  std::string summary_text() const;
  std::string summary_json() const;

 private:
  struct Row {
    std::uint64_t line = 0;
    std::string account;
    domain::Currency currency;
    domain::Amount cost;
    ImportItem item;
    ImportItem opening;
  };
  struct Sum {
    std::uint64_t rows = 0;
    std::uint64_t imported = 0;
    domain::Amount cost;
  };
  struct Counts {
    std::uint64_t rows = 0;  ///< That are right.
    std::uint64_t wrong = 0;
    std::uint64_t imported = 0;
    std::uint64_t present = 0;   ///< There before.
    std::uint64_t refused = 0;   ///< By the ledger.
    std::uint64_t opened = 0;    ///< Accounts.
    std::uint64_t withheld = 0;  ///< Values that look like card numbers.
  };

  Status book_window(ImportTarget& target, StopSignal& stop);
  Status open_accounts(ImportTarget& target, StopSignal& stop, std::vector<bool>& settled);
  Status settle(ImportTarget& target, StopSignal& stop, const std::vector<std::size_t>& rows,
                std::vector<ImportOutcome>& outcomes);
  Result<std::vector<ImportOutcome>> run(ImportTarget& target, StopSignal& stop,
                                         const std::vector<ImportItem>& items);
  Status count(const Row& row, const ImportOutcome& outcome);
  /// Rows that are right and that the ledger was not asked about: others are wrong, or it ended.
  std::uint64_t not_tried() const;

  Rules rules_;
  std::ostream& errors_;
  Counts counts_;
  std::set<std::string> known_accounts_;
  std::map<std::pair<std::string, domain::Currency>, Sum> sums_;
  std::vector<Row> window_;
  std::size_t window_bytes_ = 0;
};

}  // namespace daybook::app

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "domain/posting_rules.h"
#include "eventstore/event_log.h"
#include "projections/general_ledger.h"

namespace daybook::replay {

/// The first thing that is not as it must be.
struct Difference {
  std::string check;  ///< "log", "event", "version", "balance", "projection balances", ...
  std::string where;
  std::string expected;
  std::string found;

  bool operator==(const Difference&) const = default;
};

struct VerifiedTable {
  std::string name;
  std::uint64_t position = 0;  ///< It was compared as of before this position.
  std::uint64_t rows = 0;
  std::string skipped;  ///< Why it was not compared; empty: it was.
};

struct VerifyReport {
  std::optional<Difference> difference;  ///< Empty: everything is as it must be.
  std::string ledger_id;                 ///< Empty: the log could not be opened.
  eventstore::LogHead head;  ///< Of the log as it was opened; what is said holds up to here.
  std::uint64_t entries = 0;
  std::uint64_t events = 0;
  std::uint64_t streams = 0;
  std::uint64_t private_values = 0;  ///< That are there and fit the commitment in their event.
  std::vector<projections::CurrencyTotal> postings;  ///< Sums over the whole log.
  std::vector<VerifiedTable> tables;                 ///< Every one, compared or not.
  std::vector<std::string> notes;  ///< Not as in an undisturbed ledger, but no difference.
  int attempts = 0;                ///< Times that all was read.

  bool ok() const { return !difference; }
  /// Whether the log could be opened at all; if not, there is a difference and nothing else.
  bool was_opened() const { return !ledger_id.empty(); }
};

struct VerifyOptions {
  /// Where a directory for what does not fit memory may be made, and removed again.
  /// Empty: the system's directory for temporary files.
  std::string scratch_dir;
  /// Logs with at most this many events are folded in memory (about 2 KiB for each).
  std::uint64_t memory_events_max = 100'000;
  /// A file that remembers how far the log was (replay/witness.h); empty: none.
  std::string witness_file;
  /// Reads every file once more and compares checksums: finds damage where no row is.
  bool checksums = true;
};

/// Called now and then with the events done and those to do.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Proves a ledger from its log: chain, contiguity and watermark; every event decodes, encodes to
/// the same bytes, and its numbers follow from what was before it (replay/event_check.h says which
/// are computed anew, replay/log_audit.h what holds between events); versions are gapless, times do
/// not run backwards, postings sum to zero; the secrets are there, and every private value fits its
/// commitment (replay/missing_values.h: which may be gone); and every table of `proj/` holds, byte
/// for byte, the fold of the log up to its checkpoint. A table that is not there, of which nothing
/// was flushed yet, or of another code version, is said to be skipped: a server flushes it, the
/// next start builds it.
///
/// What it cannot know: what was only said by the client (descriptions, reasons, tag values,
/// actors, effective times). Who may write every file, chain and watermark included, may change
/// those; only a chain that was kept elsewhere shows it.
///
/// Writes nothing in `dir`, and may run beside a server: the tables are opened first, then the log,
/// so that no table can be ahead; a difference counts only if the next reading, after all was
/// opened anew, finds one at the same place (a read-only view of a living store may miss a file).
/// Memory: two batches and the caches of the projections. Thread rule: any thread.
/// Errors: kNotFound: no ledger there; kIo: it could not be read, or five readings found
/// differences at five places. Damage is not an error: it is the report's difference.
Result<VerifyReport> verify(const std::string& dir, const VerifyOptions& options = {},
                            const Progress& progress = {});

/// One line for each thing that was verified, and the difference last. Of a log that could not be
/// opened the difference alone, and in JSON `"ledger":null,"head":null`.
std::string to_text(const VerifyReport& report);
std::string to_json(const VerifyReport& report);
/// `check at where: expected ..., found ...`
std::string to_text(const Difference& difference);

}  // namespace daybook::replay

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "domain/base/clock.h"
#include "domain/base/result.h"
#include "eventstore/event_log.h"
#include "replay/verify.h"

namespace daybook::replay {

struct BackupReport {
  std::string ledger_id;
  eventstore::LogHead head;  ///< Everything before it is in the backup, nothing after.
  std::uint64_t secrets = 0;
  std::uint64_t private_values = 0;  ///< All that were there, named or not; replaced ones too.
  Instant created_at;
  std::vector<std::string>
      notes;  ///< Not as in an undisturbed ledger; the copy no longer shows it.
};

enum class BackupStage { kLogCopied, kPrivateCopied };
/// Called as each is done, the second once for each try. Must not throw.
using BackupStages = std::function<void(BackupStage)>;

/// Copies the ledger in `dir`, which may be being served by another process, to a new directory
/// `out`: every entry that the log shows now, checked and written anew; then, so that whatever
/// the copied log names was there, the private store; and, should something of that be gone by
/// then, as many entries more as tell of its erasure. Then the admin key, if it is readable (mode
/// 0600); `files.sha256`, a list for sha256sum -c; and last `backup.json`. Read models are not
/// copied: a start rebuilds them.
///
/// The secrets of the ledger are in it: keep it as you keep the ledger.
/// Errors: kConflict: `out` exists; kNotFound: no ledger; kCorrupt: the log is not one chain, the
/// ledger has events and not its secrets, or a private value is gone that nothing erased (after
/// five looks); kIo. On an error what was made of `out` is removed.
/// Crash: `out` is no backup and may be deleted while it lacks `backup.json` or has
/// `backup.unfinished`, which is there from the first file on. Thread rule: any thread.
Result<BackupReport> backup(const std::string& dir, const std::string& out, const Clock& clock,
                            const BackupStages& stages = {});

/// For whoever would write to `dir` as a ledger: a backup that was written to is none any more, and
/// a ledger that is served out of one, finished or not, hands out positions of the original anew.
/// Errors: kConflict: it is one.
Status check_no_backup(const std::string& dir);
/// For whoever would make `path`: kConflict if it lies in a backup, which restore would refuse
/// afterwards for what it does not know.
Status check_outside_backups(const std::string& path);

struct RestoreReport {
  std::string ledger_id;
  eventstore::LogHead head;  ///< Of the new ledger, with the raised generation.
};

/// Makes a ledger of a backup in `dir`, which must be absent or empty. Everything is verified
/// before: each file against the list, then the whole ledger (replay/verify.h). The log goes on
/// with an entry of kind kGeneration and a higher generation, so that no position handed out by the
/// original after the backup was made is mistaken for one of the new ledger, nor one of another
/// restore of the same backup: it is the second of the restore in Unix time (or the old one plus 1,
/// if that is more), and restore returns once that second is over. Two that run in the very same
/// second get the same. Read models are built at the first start.
///
/// Errors: kConflict: `dir` is not empty; kNotFound: no finished backup at `out`; kCorrupt naming
/// the difference or the secrets that it lacks; kIo. Crash: all happens in `dir`.restoring, which
/// becomes `dir` in one rename; the next restore removes a leftover. Thread rule: any thread.
Result<RestoreReport> restore(const std::string& out, const std::string& dir, const Clock& clock,
                              const Progress& progress = {});

/// The content of `backup.json`, without the list's digest.
std::string to_json(const BackupReport& report);
std::string to_json(const RestoreReport& report);

}  // namespace daybook::replay

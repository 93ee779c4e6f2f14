#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/kv.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_kv.h"
#include "eventstore/rocks_log.h"

/// Where the parts of a ledger lie in its directory, and how each is opened. The one list of names.
namespace daybook::replay {

struct LedgerFiles {
  explicit LedgerFiles(const std::string& dir);

  std::string dir;
  std::string log;                ///< RocksDB, the log of record (eventstore/rocks_log.h).
  std::string watermark;          ///< How far it was acknowledged.
  std::string projections;        ///< RocksDB, read models; may be deleted, a start rebuilds them.
  std::string private_store;      ///< RocksDB, secrets and values that may name a person.
  std::string admin_key;          ///< The first key, bare, mode 0600; may be absent.
  std::string fresh_projections;  ///< While rebuild() works.
  std::string old_projections;    ///< While rebuild() swaps.
};

/// Where a directory has no log: kCorrupt if other parts of a ledger are there, else `not_found`.
Status without_log(const std::string& dir, const Status& not_found);

/// The log for reading, also beside a writer in another process: as of the watermark of now, or
/// all that is proven where a slot of it is damaged. kNotFound: there is no ledger; kCorrupt: there
/// is one without a log.
Result<std::unique_ptr<eventstore::RocksLog>> open_log_for_reading(
    const std::string& dir,
    eventstore::RocksLog::Verify verify = eventstore::RocksLog::Verify::kTail);

/// Read models. For writing, first finishes or undoes a rebuild that was interrupted.
/// REQUIRES, for writing: the caller has the log open for writing, which is the ledger's lock.
Result<std::unique_ptr<eventstore::RocksKv>> open_projections(
    const std::string& dir, const eventstore::RocksKv::Options& options);
Result<std::unique_ptr<eventstore::RocksKv>> open_projections_for_reading(const std::string& dir);

/// The store under a PrivateStore: always durable.
Result<std::unique_ptr<eventstore::RocksKv>> open_private(const std::string& dir,
                                                          eventstore::RocksKv::Mode mode);

/// Whether a ledger may be begun in `dir`, which exists and holds no log: it must be empty but for
/// hidden files, `lost+found`, the demo's mark and what an interrupted beginning leaves.
/// Errors: kCorrupt: there are parts of a ledger; kConflict: of something else; kIo.
Status check_new_place(const std::string& dir);

/// What the private store of every ledger with events holds: without one of them no API key opens
/// anything, or no retry is known again.
inline constexpr std::array<std::string_view, 3> kSecretNames{
    eventstore::PrivateStore::kApiKeysSecret, eventstore::PrivateStore::kFingerprintsSecret,
    eventstore::PrivateStore::kCursorsSecret};

/// Which of them `dir` does not have, by name, separated by commas; empty: none is missing.
/// A read-only view of a living store may miss rows in passing: looks again, at most five times.
/// Errors: kIo, kCorrupt.
Result<std::string> missing_secrets(const std::string& dir);

/// Brings `proj/` into a state that may be opened after a rebuild was interrupted: see rebuild.h.
/// REQUIRES: the log is open for writing. Repeating it changes nothing.
Status settle_rebuild(const std::string& dir);

/// Removes a directory with all that is in it; absent is fine. Errors: kIo.
Status remove_tree(const std::string& path);

/// Renames and makes the name durable. Errors: kIo.
Status rename_durably(const std::string& from, const std::string& to);

/// Creates or replaces a file: whole and durable, or as it was. Errors: kIo.
Status write_file_durably(const std::string& path, const std::string& bytes, unsigned mode);

/// A small regular file, up to 1 MiB. Errors: kNotFound; kInvalid: larger; kIo, also for what is
/// no regular file.
Result<std::string> read_small_file(const std::string& path);

}  // namespace daybook::replay

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace rocksdb {
class Env;
}

namespace daybook::power_cut {

/// A disk that loses its power: what lies under a RocksLog and a RocksKv, and what is left of it.
///
/// The directory shows what a running system sees: all that was written. Beside it this keeps what
/// the disk promised: how much of each file was synced, and which names their directory was synced
/// with. restore_power() then leaves of the rest, at random, per file: nothing, all, a prefix cut
/// at any byte, or a prefix with some sectors of 512 bytes never written (zero); of files written
/// in place any mix of old and new sectors; of the names of a directory the first changes since it
/// was synced, or none: files that were created are gone, renamed ones have their old name, deleted
/// ones are back.
///
/// Not modelled: directories themselves, which are always there. Names made and removed around the
/// Env (the emptying of `ingest/`, the creation of the watermark) are durable at once.
/// Thread rule: any thread; arm(), cut() and restore_power() by one, the last with no store open.
class PowerCutDisk {
 public:
  /// Syncs that are false answer OK and do nothing.
  struct Syncs {
    bool wal = true;        ///< Of the write-ahead logs, `*.log`.
    bool watermark = true;  ///< The hook of the watermark.
    bool files = true;      ///< Of all other files.
    bool directories = true;
  };

  /// `root` is an empty directory for all files; `keep` another one on the same file system.
  PowerCutDisk(std::string root, std::string keep, std::uint64_t seed, Syncs syncs);
  ~PowerCutDisk();
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  /// Every operation that changes something goes through it, and fails without power.
  rocksdb::Env* env();

  /// For a file that is written in place around the Env: what it holds now is synced.
  void adopt(const std::string& path);
  /// The sync of such a file; 0, or -1 with errno EIO without power.
  int sync_in_place(const std::string& path);

  /// The power goes at the operation number `operations` from now (1: the next) of this kind ("":
  /// of any), before it or after it; 0: not. Kinds: create, reopen, write, truncate, sync, rename,
  /// link, unlink, directory sync, watermark sync.
  void arm(std::uint64_t operations, std::string_view kind = {});
  void cut();
  bool is_off() const;

  /// Leaves in the directory what the disk holds, and goes on from there, not armed.
  void restore_power();

  /// How often the power went at which operation: "log sync after", "proj rename before", ...
  const std::map<std::string, std::uint64_t>& cuts() const;
  /// Bytes and names that were lost in all.
  std::uint64_t lost_bytes() const;
  std::uint64_t lost_names() const;

 private:
  class Model;
  std::shared_ptr<Model> model_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace daybook::power_cut

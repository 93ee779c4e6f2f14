#include "replay/ledger_files.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/private_store.h"
#include "projections/tables.h"

namespace daybook::replay {
namespace {

using eventstore::Descriptor;
using eventstore::errno_status;
using eventstore::parent_of;
using eventstore::path_exists;
using eventstore::RocksKv;
using eventstore::RocksLog;

constexpr std::size_t kSmallFileBytesMax = std::size_t{1} << 20;

Status write_and_sync(const std::string& path, const std::string& bytes, unsigned mode) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (file.get() < 0) return errno_status("create", path, errno);
  if (Status written = eventstore::write_all(file, bytes, 0, path); !written.ok()) return written;
  if (::fsync(file.get()) != 0) return errno_status("sync", path, errno);
  return {};
}

/// For whoever meets damaged files of the read models; the log, which is checked first, is whole.
constexpr const char* kRebuild = "daybook rebuild makes the read models anew from the log";

}  // namespace

LedgerFiles::LedgerFiles(const std::string& directory)
    : dir(directory),
      log(dir + "/log"),
      watermark(dir + "/log.watermark"),
      projections(dir + "/proj"),
      private_store(dir + "/private"),
      admin_key(dir + "/admin.key"),
      fresh_projections(dir + "/proj.new"),
      old_projections(dir + "/proj.old") {}

Status without_log(const std::string& dir, const Status& not_found) {
  const Status place = path_exists(dir) ? check_new_place(dir) : Status();
  return place.code() == StatusCode::kCorrupt ? place : not_found;
}

Result<std::unique_ptr<RocksLog>> open_log_for_reading(const std::string& dir,
                                                       RocksLog::Verify verify) {
  RocksLog::Options options;
  options.read_only = true;
  options.verify = verify;
  auto log = RocksLog::open(dir, options);
  if (log.status().code() == StatusCode::kNotFound) return without_log(dir, log.status());
  return log;
}

Result<std::unique_ptr<RocksKv>> open_projections(const std::string& dir,
                                                  const RocksKv::Options& options) {
  CHECK(options.mode == RocksKv::Mode::kReadWrite && !options.durable);
  if (Status status = settle_rebuild(dir); !status.ok()) return status;
  RocksKv::Options with_way_out = options;
  with_way_out.way_out = kRebuild;
  return RocksKv::open(LedgerFiles(dir).projections, projections::table_specs(), with_way_out);
}

Result<std::unique_ptr<RocksKv>> open_projections_for_reading(const std::string& dir) {
  RocksKv::Options options;
  options.mode = RocksKv::Mode::kReadOnly;
  options.way_out = kRebuild;
  return RocksKv::open(LedgerFiles(dir).projections, projections::table_specs(), options);
}

Result<std::unique_ptr<RocksKv>> open_private(const std::string& dir, RocksKv::Mode mode) {
  std::vector<eventstore::TableSpec> tables;
  for (const std::string& name : eventstore::PrivateStore::table_names()) {
    tables.push_back({name, eventstore::TableSpec::Use::kScans});
  }
  RocksKv::Options options;
  options.mode = mode;
  options.durable = true;
  options.memtable_bytes = std::size_t{8} << 20;
  options.block_cache_bytes = std::size_t{8} << 20;
  return RocksKv::open(LedgerFiles(dir).private_store, tables, options);
}

Status check_new_place(const std::string& dir) {
  const LedgerFiles files(dir);
  for (const std::string& part : {files.projections, files.private_store, files.admin_key}) {
    if (path_exists(part)) {
      return corrupt(files.log + ": the log of an existing ledger is gone; " + part + " is there");
    }
  }
  std::error_code error;
  std::filesystem::directory_iterator item(dir, error);
  for (const std::filesystem::directory_iterator end; !error && item != end;
       item.increment(error)) {
    const std::string name = item->path().filename().string();
    if (name.starts_with('.') || name.starts_with("log.watermark")) continue;
    if (name == "lost+found") continue;
    return conflict(dir + ": holds " + name + ", so it is neither a ledger nor a place for one; " +
                    "give a directory that is empty or not there");
  }
  return error ? errno_status("look into", dir, error.value()) : Status();
}

namespace {

Result<std::string> missing_secrets_now(const std::string& dir) {
  auto store = open_private(dir, RocksKv::Mode::kReadOnly);
  if (!store.ok() && store.status().code() != StatusCode::kNotFound) return store.status();
  std::string missing;
  for (const std::string_view name : kSecretNames) {
    if (store.ok()) {
      auto secret = (*store)->get(eventstore::PrivateStore::kSecrets, name);
      if (!secret.ok()) return secret.status();
      if (*secret) continue;
    }
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  return missing;
}

}  // namespace

Result<std::string> missing_secrets(const std::string& dir) {
  constexpr int kLooksMax = 5;
  constexpr std::chrono::milliseconds kPause{20};
  for (int look = 1;; ++look) {
    auto missing = missing_secrets_now(dir);
    if (look == kLooksMax || (missing.ok() && missing->empty())) return missing;
    std::this_thread::sleep_for(kPause);  // bounded
  }
}

Status settle_rebuild(const std::string& dir) {
  const LedgerFiles files(dir);
  if (!path_exists(files.projections) && path_exists(files.old_projections)) {
    // Between the two renames: only a finished rebuild gets that far.
    const std::string& finished =
        path_exists(files.fresh_projections) ? files.fresh_projections : files.old_projections;
    if (Status status = rename_durably(finished, files.projections); !status.ok()) return status;
  }
  if (Status status = remove_tree(files.fresh_projections); !status.ok()) return status;
  return remove_tree(files.old_projections);
}

Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? errno_status("remove", path, error.value()) : Status();
}

Status rename_durably(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return errno_status("rename", from, errno);
  return eventstore::sync_directory(parent_of(to));
}

Status write_file_durably(const std::string& path, const std::string& bytes, unsigned mode) {
  const std::string fresh = path + ".new";
  // A leftover would keep its old mode.
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return errno_status("remove", fresh, errno);
  if (Status status = write_and_sync(fresh, bytes, mode); !status.ok()) return status;
  return rename_durably(fresh, path);
}

Result<std::string> read_small_file(const std::string& path) {
  const auto file = eventstore::open_regular(path, O_RDONLY);
  if (!file.ok()) return file.status();
  std::string bytes(kSmallFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(file->get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kSmallFileBytesMax) return invalid(path + ": larger than 1 MiB");
  bytes.resize(size);
  return bytes;
}

}  // namespace daybook::replay

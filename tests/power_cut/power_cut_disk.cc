#include "tests/power_cut/power_cut_disk.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "tests/simulation/rng.h"

namespace daybook::power_cut {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

constexpr std::uint64_t kSectorBytes = 512;

std::string normal(const std::string& path) {
  std::string out = fs::path(path).lexically_normal().string();
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}
std::string directory_of(const std::string& path) { return fs::path(path).parent_path().string(); }

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

IOStatus power_is_off() { return IOStatus::IOError("the power is off"); }

/// One file whatever its names; its bytes stay reachable by a name of its own.
struct File {
  std::string keeper;
  std::uint64_t synced = 0;
};
using FilePtr = std::shared_ptr<File>;

/// What a name stood for before and after a change; null: nothing.
struct NameChange {
  std::string path;
  FilePtr before;
  FilePtr after;
};
using NameOperation = std::vector<NameChange>;

}  // namespace

class PowerCutDisk::Model {
 public:
  Model(std::string root, std::string keep, std::uint64_t seed, Syncs syncs)
      : root_(normal(root)), keep_(normal(keep)), random_(seed), syncs_(syncs) {}

  /// Does what `effect` does unless the power is off, or goes now.
  template <class Effect>
  IOStatus operate(const char* what, const std::string& path, const Effect& effect) {
    const std::lock_guard lock(mutex_);
    if (off_) return power_is_off();
    const bool counts = left_ > 0 && (kind_.empty() || kind_ == what);
    const bool goes = counts && --left_ == 0;
    if (goes && random_.chance(50)) {
      switch_off(what, path, "before");
      return power_is_off();
    }
    IOStatus status = effect();
    if (!goes) return status;
    switch_off(what, path, "after");
    return power_is_off();
  }

  // With the lock, as effects.
  FilePtr file_at(const std::string& path) {
    FilePtr& file = names_[path];
    if (file == nullptr) {
      file = std::make_shared<File>();
      file->keeper = keep_ + "/" + std::to_string(++kept_);
      CHECK(::link(path.c_str(), file->keeper.c_str()) == 0);
    }
    return file;
  }
  void created(const std::string& path) {
    const FilePtr before = name_at(path);
    names_.erase(path);
    change(directory_of(path), {{path, before, file_at(path)}});
  }
  void removed(const std::string& path) {
    change(directory_of(path), {{path, name_at(path), nullptr}});
    names_.erase(path);
  }
  void renamed(const std::string& from, const std::string& to) {
    CHECK(directory_of(from) == directory_of(to));
    const FilePtr file = name_at(from);
    change(directory_of(to), {{to, name_at(to), file}, {from, file, nullptr}});
    names_.erase(from);
    names_[to] = file;
  }
  void linked(const std::string& from, const std::string& to) {
    const FilePtr file = file_at(from);
    change(directory_of(to), {{to, name_at(to), file}});
    names_[to] = file;
  }
  void synced(const FilePtr& file, const std::string& path) {
    if (path.ends_with(".log") ? syncs_.wal : syncs_.files)
      file->synced = fs::file_size(file->keeper);
  }
  void cut_short(const FilePtr& file, std::uint64_t size) {
    file->synced = std::min(file->synced, size);
  }
  void directory_synced(const std::string& path) {
    if (syncs_.directories) pending_.erase(path);
  }
  void in_place_synced(const std::string& path) {
    if (syncs_.watermark) in_place_[path] = read_bytes(path);
  }

  void adopt(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (fs::exists(path)) in_place_.try_emplace(normal(path), read_bytes(path));
  }
  void arm(std::uint64_t operations, std::string_view kind) {
    const std::lock_guard lock(mutex_);
    left_ = operations;
    kind_ = kind;
  }
  void cut() {
    const std::lock_guard lock(mutex_);
    if (!off_) switch_off("idle", root_, "");
  }
  bool is_off() const {
    const std::lock_guard lock(mutex_);
    return off_;
  }

  void restore_power() {
    const std::lock_guard lock(mutex_);
    undo_names();
    for (const auto& [path, file] : names_) lose_bytes(*file);
    for (auto& [path, synced] : in_place_) mix_sectors(path, synced);
    pending_.clear();
    sweep();
    off_ = false;
    left_ = 0;
  }

  std::map<std::string, std::uint64_t> cuts_;
  std::uint64_t lost_bytes_ = 0;
  std::uint64_t lost_names_ = 0;

 private:
  FilePtr name_at(const std::string& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? nullptr : found->second;
  }
  void change(const std::string& directory, NameOperation operation) {
    pending_[directory].push_back(std::move(operation));
  }
  void switch_off(const char* what, const std::string& path, const char* when) {
    off_ = true;
    left_ = 0;
    const std::string inside = path.size() > root_.size() ? path.substr(root_.size() + 1) : "";
    const std::string folder = inside.substr(0, inside.find_last_of('/'));
    ++cuts_[(inside.empty() ? "" : folder + " ") + what + (*when == '\0' ? "" : " ") + when];
  }

  /// A journal keeps the order of changes: a suffix of them is gone.
  void undo_names() {
    for (const auto& [directory, operations] : pending_) {
      const std::size_t kept = random_.chance(50) ? 0 : random_.below(operations.size() + 1);
      for (std::size_t i = operations.size(); i > kept; --i) {
        ++lost_names_;
        const NameOperation& operation = operations[i - 1];
        for (auto one = operation.rbegin(); one != operation.rend(); ++one) restore_name(*one);
      }
    }
  }
  void restore_name(const NameChange& change) {
    std::error_code ignored;
    fs::remove(change.path, ignored);
    names_.erase(change.path);
    if (change.before == nullptr) return;
    names_[change.path] = change.before;
    fs::create_directories(directory_of(change.path));
    CHECK(::link(change.before->keeper.c_str(), change.path.c_str()) == 0);
  }

  void lose_bytes(File& file) {
    const std::uint64_t size = fs::file_size(file.keeper);
    CHECK(file.synced <= size);
    const std::uint64_t unsynced = size - file.synced;
    if (unsynced > 0) {
      const std::uint64_t way = random_.below(4);
      if (way != 1) {
        const std::uint64_t end = file.synced + (way == 0 ? 0 : random_.below(unsynced + 1));
        fs::resize_file(file.keeper, end);
        lost_bytes_ += size - end;
        if (way == 3) lose_sectors(file.keeper, file.synced, end);
      }
    }
    file.synced = fs::file_size(file.keeper);
  }
  void lose_sectors(const std::string& path, std::uint64_t from, std::uint64_t to) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    for (std::uint64_t at = from; at < to; at += kSectorBytes - at % kSectorBytes) {
      if (random_.chance(50)) continue;
      const std::uint64_t end = std::min(to, at + kSectorBytes - at % kSectorBytes);
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(end - at, '\0');
      lost_bytes_ += end - at;
    }
    CHECK(file.good());
  }
  void mix_sectors(const std::string& path, std::string& synced) {
    std::string now = read_bytes(path);
    CHECK(now.size() == synced.size());
    const std::uint64_t way = random_.below(3);
    for (std::size_t at = 0; at < now.size(); at += kSectorBytes) {
      if (way == 1 || (way == 2 && random_.chance(50))) continue;
      now.replace(at, kSectorBytes, synced, at, kSectorBytes);
    }
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file << now;
    CHECK(file.good());
    synced = std::move(now);
  }

  /// Forgets names that were removed around the Env, and bytes that no name leads to.
  void sweep() {
    std::map<std::string, bool> named;
    for (auto name = names_.begin(); name != names_.end();) {
      if (fs::exists(name->first)) {
        named[name->second->keeper] = true;
        ++name;
      } else {
        name = names_.erase(name);
      }
    }
    for (const auto& entry : fs::directory_iterator(keep_)) {
      if (!named.contains(entry.path().string())) fs::remove(entry.path());
    }
  }

  const std::string root_;
  const std::string keep_;
  mutable std::mutex mutex_;
  simulation::Rng random_;
  const Syncs syncs_;
  bool off_ = false;
  std::uint64_t left_ = 0;  ///< Operations until the power goes; 0: it stays.
  std::string kind_;        ///< Which of them count; empty: all.
  std::uint64_t kept_ = 0;
  std::map<std::string, FilePtr> names_;
  std::map<std::string, std::vector<NameOperation>> pending_;  ///< By directory.
  std::map<std::string, std::string> in_place_;                ///< What is synced.
};

namespace {

/// Shared with the files that RocksDB holds, so that they may end after the disk.
template <class Model>
class TrackedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TrackedFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::shared_ptr<Model> model,
              std::string path, FilePtr tracked)
      : FSWritableFileOwnerWrapper(std::move(file)),
        model_(std::move(model)),
        path_(std::move(path)),
        tracked_(std::move(tracked)) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* context) override {
    return model_->operate(
        "write", path_, [&] { return FSWritableFileOwnerWrapper::Append(data, options, context); });
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& info,
                  rocksdb::IODebugContext* context) override {
    return model_->operate("write", path_, [&] {
      return FSWritableFileOwnerWrapper::Append(data, options, info, context);
    });
  }
  IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* context) override {
    return model_->operate("truncate", path_, [&] {
      model_->cut_short(tracked_, size);
      return FSWritableFileOwnerWrapper::Truncate(size, options, context);
    });
  }
  // The disk is a model: nothing has to reach a real one.
  IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return sync(); }
  IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return sync(); }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                     rocksdb::IODebugContext*) override {
    return IOStatus::OK();  // Promises nothing.
  }

 private:
  IOStatus sync() {
    return model_->operate("sync", path_, [this] {
      model_->synced(tracked_, path_);
      return IOStatus::OK();
    });
  }

  std::shared_ptr<Model> model_;
  std::string path_;
  FilePtr tracked_;
};

template <class Model>
class TrackedDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  TrackedDirectory(std::unique_ptr<rocksdb::FSDirectory>&& directory, std::shared_ptr<Model> model,
                   std::string path)
      : FSDirectoryWrapper(std::move(directory)),
        model_(std::move(model)),
        path_(std::move(path)) {}

  IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return sync(); }
  IOStatus FsyncWithDirOptions(const rocksdb::IOOptions&, rocksdb::IODebugContext*,
                               const rocksdb::DirFsyncOptions&) override {
    return sync();
  }

 private:
  IOStatus sync() {
    return model_->operate("directory sync", path_ + "/", [this] {
      model_->directory_synced(path_);
      return IOStatus::OK();
    });
  }

  std::shared_ptr<Model> model_;
  std::string path_;
};

template <class Model>
class TrackedFs final : public rocksdb::FileSystemWrapper {
 public:
  explicit TrackedFs(std::shared_ptr<Model> model)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), model_(std::move(model)) {}
  const char* Name() const override { return "PowerCutDisk"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           rocksdb::IODebugContext* context) override {
    const std::string path = normal(name);
    return model_->operate("create", path, [&] {
      std::error_code ignored;
      fs::remove(path, ignored);  // A name that is used again gets another file.
      const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, context);
      if (!status.ok()) return status;
      model_->created(path);
      *file = std::make_unique<TrackedFile<Model>>(std::move(*file), model_, path,
                                                   model_->file_at(path));
      return status;
    });
  }
  IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              rocksdb::IODebugContext* context) override {
    const std::string path = normal(name);
    return model_->operate("reopen", path, [&] {
      const IOStatus status = FileSystemWrapper::ReopenWritableFile(path, options, file, context);
      if (!status.ok()) return status;
      *file = std::make_unique<TrackedFile<Model>>(std::move(*file), model_, path,
                                                   model_->file_at(path));
      return status;
    });
  }
  // Nothing in Daybook's settings uses these two; a file made by them would not be tracked.
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*,
                             rocksdb::IODebugContext*) override {
    return IOStatus::NotSupported("reuse of files");
  }
  IOStatus NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           rocksdb::IODebugContext*) override {
    return IOStatus::NotSupported("files written at random");
  }
  IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                        rocksdb::IODebugContext* context) override {
    IOStatus status = FileSystemWrapper::NewDirectory(name, options, directory, context);
    if (status.ok()) {
      *directory =
          std::make_unique<TrackedDirectory<Model>>(std::move(*directory), model_, normal(name));
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* context) override {
    const std::string path = normal(name);
    return model_->operate("unlink", path, [&] {
      const IOStatus status = FileSystemWrapper::DeleteFile(path, options, context);
      if (status.ok()) model_->removed(path);
      return status;
    });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* context) override {
    return model_->operate("rename", normal(to), [&] {
      const IOStatus status = FileSystemWrapper::RenameFile(from, to, options, context);
      if (status.ok()) model_->renamed(normal(from), normal(to));
      return status;
    });
  }
  IOStatus LinkFile(const std::string& from, const std::string& to,
                    const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    return model_->operate("link", normal(to), [&] {
      const IOStatus status = FileSystemWrapper::LinkFile(from, to, options, context);
      if (status.ok()) model_->linked(normal(from), normal(to));
      return status;
    });
  }
  IOStatus Truncate(const std::string& name, std::size_t size, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* context) override {
    const std::string path = normal(name);
    return model_->operate("truncate", path, [&] {
      model_->cut_short(model_->file_at(path), size);
      return FileSystemWrapper::Truncate(path, size, options, context);
    });
  }

 private:
  std::shared_ptr<Model> model_;
};

/// RocksDB sleeps a second after a background job that failed, which here is after every cut.
class ImpatientClock final : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int micros) override {
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, kSleepMicrosMax));
  }

 private:
  static constexpr int kSleepMicrosMax = 1'000;
};

class DiskEnv final : public rocksdb::EnvWrapper {
 public:
  explicit DiskEnv(const std::shared_ptr<rocksdb::FileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<ImpatientClock>();
  }
  const char* Name() const override { return "PowerCutDisk"; }
};

}  // namespace

PowerCutDisk::PowerCutDisk(std::string root, std::string keep, std::uint64_t seed, Syncs syncs)
    : model_(std::make_shared<Model>(std::move(root), std::move(keep), seed, syncs)),
      env_(std::make_unique<DiskEnv>(std::make_shared<TrackedFs<Model>>(model_))) {}

PowerCutDisk::~PowerCutDisk() = default;

rocksdb::Env* PowerCutDisk::env() { return env_.get(); }

void PowerCutDisk::adopt(const std::string& path) { model_->adopt(path); }

int PowerCutDisk::sync_in_place(const std::string& path) {
  const std::string at = normal(path);
  const IOStatus status = model_->operate("watermark sync", at, [&] {
    model_->in_place_synced(at);
    return IOStatus::OK();
  });
  errno = EIO;
  return status.ok() ? 0 : -1;
}

void PowerCutDisk::arm(std::uint64_t operations, std::string_view kind) {
  model_->arm(operations, kind);
}
void PowerCutDisk::cut() { model_->cut(); }
bool PowerCutDisk::is_off() const { return model_->is_off(); }
void PowerCutDisk::restore_power() { model_->restore_power(); }
const std::map<std::string, std::uint64_t>& PowerCutDisk::cuts() const { return model_->cuts_; }
std::uint64_t PowerCutDisk::lost_bytes() const { return model_->lost_bytes_; }
std::uint64_t PowerCutDisk::lost_names() const { return model_->lost_names_; }

}  // namespace daybook::power_cut

#include "eventstore/path_lock.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "eventstore/files.h"

namespace daybook::eventstore {

Result<std::unique_ptr<PathLock>> PathLock::take_directory(const std::string& path) {
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 && errno == ENOENT) return not_found(path + ": no such directory");
  if (directory.get() < 0) return errno_status("open directory", path, errno);
  return take(path, std::move(directory));
}

Result<std::unique_ptr<PathLock>> PathLock::take_file(const std::string& path) {
  // For writing: where flock is made of locks on ranges, as on NFS, it takes that.
  auto file = open_regular(path, O_RDWR);
  if (!file.ok()) return file.status();
  return take(path, std::move(*file));
}

Result<std::unique_ptr<PathLock>> PathLock::take_new_file(const std::string& path) {
  const Descriptor made(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (made.get() < 0) return errno_status("create", path, errno);
  auto lock = take_file(path);
  if (lock.status().code() == StatusCode::kNotFound) {
    return conflict(path + ": was put to its place meanwhile");
  }
  return lock;
}

Result<std::unique_ptr<PathLock>> PathLock::take(const std::string& path, Descriptor file) {
  std::unique_ptr<PathLock> lock(new PathLock(path, std::move(file)));
  if (::flock(lock->file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return conflict(path + ": already open for writing elsewhere");
    return errno_status("lock", path, errno);
  }
  // Whoever had it may have put another one there meanwhile.
  if (!lock->is_named()) return conflict(path + ": was replaced meanwhile");
  return lock;
}

bool PathLock::is_named() const {
  struct stat held = {};
  struct stat named = {};
  return ::fstat(file_.get(), &held) == 0 && ::stat(path_.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

Status PathLock::check_named() const {
  if (is_named()) return {};
  if (Status seen = check_reachable(path_); !seen.ok()) return seen;
  return io_error(path_ + ": was removed, renamed or replaced");
}

Status PathLock::check_present(const std::vector<std::string>& names) const {
  struct stat info = {};
  if (::fstat(file_.get(), &info) != 0) return errno_status("look at", path_, errno);
  if (info.st_nlink == 0) return io_error(path_ + ": was removed");
  for (const std::string& name : names) {
    if (::fstatat(file_.get(), name.c_str(), &info, 0) == 0) continue;
    if (errno == ENOENT || errno == ENOTDIR) {
      return io_error(path_ + "/" + name + ": was removed");
    }
    return errno_status("look at", path_ + "/" + name, errno);
  }
  return {};
}

}  // namespace daybook::eventstore

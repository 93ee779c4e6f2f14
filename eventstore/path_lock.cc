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
  auto file = open_regular(path, O_RDONLY);
  if (!file.ok()) return file.status();
  return take(path, std::move(*file));
}

Result<std::unique_ptr<PathLock>> PathLock::take(const std::string& path, Descriptor file) {
  std::unique_ptr<PathLock> lock(new PathLock(path, std::move(file)));
  if (::flock(lock->file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return conflict(path + ": already open for writing elsewhere");
    return errno_status("lock", path, errno);
  }
  // Whoever had it may have put another one there meanwhile.
  struct stat held = {};
  struct stat named = {};
  if (::fstat(lock->file_.get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
      held.st_dev != named.st_dev || held.st_ino != named.st_ino) {
    return conflict(path + ": was replaced meanwhile");
  }
  return lock;
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

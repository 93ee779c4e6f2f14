#include "eventstore/directory_lock.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eventstore/files.h"

namespace daybook::eventstore {

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::take(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return not_found(path + ": no such directory");
  if (file < 0) return errno_status("open directory", path, errno);
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(path, file));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return conflict(path + ": already open for writing elsewhere");
    return errno_status("lock", path, errno);
  }
  // Whoever had it may have put another directory there meanwhile.
  struct stat held = {};
  struct stat named = {};
  if (::fstat(file, &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
      held.st_dev != named.st_dev || held.st_ino != named.st_ino) {
    return conflict(path + ": was replaced meanwhile");
  }
  return lock;
}

DirectoryLock::~DirectoryLock() { ::close(file_); }

Status DirectoryLock::check_present(const std::vector<std::string>& names) const {
  struct stat info = {};
  if (::fstat(file_, &info) != 0) return errno_status("look at", path_, errno);
  if (info.st_nlink == 0) return io_error(path_ + ": the directory was removed");
  for (const std::string& name : names) {
    if (::fstatat(file_, name.c_str(), &info, 0) == 0) continue;
    if (errno == ENOENT || errno == ENOTDIR) {
      return io_error(path_ + "/" + name + ": was removed");
    }
    return errno_status("look at", path_ + "/" + name, errno);
  }
  return {};
}

}  // namespace daybook::eventstore

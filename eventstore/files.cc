#include "eventstore/files.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace daybook::eventstore {

bool path_exists(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0;
}

Status sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno_status("open directory", path, errno);
  const int outcome = ::fsync(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  return outcome == 0 ? Status() : errno_status("sync directory", path, error_number);
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) return errno_status("statvfs", path, errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Status errno_status(const std::string& what, const std::string& path, int error_number) {
  return io_error(what + " " + path + ": " + std::generic_category().message(error_number));
}

}  // namespace daybook::eventstore

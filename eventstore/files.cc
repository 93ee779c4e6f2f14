#include "eventstore/files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace daybook::eventstore {

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

Result<Descriptor> open_regular(const std::string& path, int flags) {
  Descriptor file(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) return not_found(path + ": no such file");
  if (file.get() < 0) return errno_status("open", path, errno);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) return errno_status("look at", path, errno);
  if (!S_ISREG(info.st_mode)) return io_error(path + ": not a regular file");
  return file;
}

Status write_all(const Descriptor& file, std::string_view bytes, std::size_t offset,
                 const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return errno_status("write", path, written < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return {};
}

bool path_exists(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0;
}

bool lies_in(const std::string& path, const std::string& directory) {
  // Absolute first: nothing that is not there is followed of a relative path.
  std::error_code error;
  const auto whole = [&error](const std::string& name) {
    const auto from_root = std::filesystem::absolute(name, error);
    auto real = std::filesystem::weakly_canonical(from_root, error);
    return real.has_filename() ? real : real.parent_path();
  };
  const std::filesystem::path inner = whole(path);
  const std::filesystem::path outer = whole(directory);
  if (error) return false;  // Whoever opens it is told why.
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

Status check_reachable(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return errno_status("look for", path, errno);
}

Status check_changeable(const std::string& directory) {
  if (::faccessat(AT_FDCWD, directory.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) == 0) return {};
  return errno == ENOENT ? Status() : errno_status("change", directory, errno);
}

Status make_directories(const std::string& path) {
  std::vector<std::filesystem::path> missing;
  std::error_code error;
  std::filesystem::path at = std::filesystem::absolute(path, error);
  if (!at.has_filename()) at = at.parent_path();  // It ended with a slash.
  for (; !error && !std::filesystem::exists(at, error); at = at.parent_path()) {
    missing.push_back(at);
  }
  if (error) return errno_status("look for", path, error.value());
  for (auto next = missing.rbegin(); next != missing.rend(); ++next) {
    if (::mkdir(next->c_str(), 0700) != 0 && errno != EEXIST) {
      return errno_status("create directory", next->string(), errno);
    }
    if (Status status = sync_directory(next->parent_path().string()); !status.ok()) return status;
  }
  return {};
}

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return errno_status("open directory", path, errno);
  if (::fsync(directory.get()) != 0) return errno_status("sync directory", path, errno);
  return {};
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

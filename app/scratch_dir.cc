#include "app/scratch_dir.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "domain/base/result.h"
#include "eventstore/files.h"

namespace daybook::app {

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): the order of the path
Result<ScratchDir> ScratchDir::make(const std::string& parent, const std::string& what) {
  std::error_code error;
  const std::string base =
      parent.empty() ? std::filesystem::temp_directory_path(error).string() : parent;
  if (error) return io_error("no directory for temporary files: " + error.message());
  std::string path = base + "/daybook-" + what + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return eventstore::errno_status("create", path, errno);
  return ScratchDir(std::move(path));
}

ScratchDir::ScratchDir(ScratchDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

ScratchDir& ScratchDir::operator=(ScratchDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;  // Nobody is left to be told.
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace daybook::app

#pragma once

#include <string>

#include "domain/base/result.h"

namespace daybook::app {

/// A directory of our own that goes away with its object. A kill leaves it behind.
class ScratchDir {
 public:
  /// Makes `parent`/daybook-`what`-XXXXXX, mode 0700; an empty parent is the system's directory for
  /// temporary files. Errors: kIo.
  // NOLINTNEXTLINE(bugprone-easily-swappable-parameters): the order of the path
  static Result<ScratchDir> make(const std::string& parent, const std::string& what);

  ScratchDir(ScratchDir&& other) noexcept;
  ScratchDir& operator=(ScratchDir&& other) noexcept;
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir();

  const std::string& path() const { return path_; }

 private:
  explicit ScratchDir(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace daybook::app

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "domain/base/check.h"

namespace daybook::eventstore {

/// A directory of its own that goes away with the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "daybook-test-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A directory that the process of a death test (style threadsafe: the program is run anew) shares
/// with the test that started it.
class SharedTempDir {
 public:
  SharedTempDir() {
    if (const char* inherited = std::getenv(kVariable)) {
      path_ = inherited;
      return;
    }
    owned_ = std::make_unique<TempDir>();
    path_ = owned_->path();
    CHECK(::setenv(kVariable, path_.c_str(), 1) == 0);
  }
  ~SharedTempDir() {
    if (owned_ != nullptr) ::unsetenv(kVariable);
  }
  SharedTempDir(const SharedTempDir&) = delete;
  SharedTempDir& operator=(const SharedTempDir&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  static constexpr const char* kVariable = "DAYBOOK_TEST_DIR";

  std::unique_ptr<TempDir> owned_;
  std::string path_;
};

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// In place where the size stays: file systems sync a file that was cut to nothing and closed.
inline void write_file(const std::string& path, const std::string& bytes) {
  std::error_code missing;
  const bool in_place = std::filesystem::file_size(path, missing) == bytes.size() && !missing;
  std::ofstream file(path, std::ios::binary | (in_place ? std::ios::in : std::ios::trunc));
  file << bytes;
  CHECK(file.good());
}

}  // namespace daybook::eventstore

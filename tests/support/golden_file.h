#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

/// Files under tests/golden/, kept for ever: one is never changed, a new schema brings new ones.
/// Those that are missing are written by a run with DAYBOOK_WRITE_GOLDEN=1; existing ones never
/// are.
namespace daybook::test {

inline std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(DAYBOOK_SOURCE_DIR) / "tests" / "golden" / name;
}

/// What the file holds but for its last newline; `found` is what is written if it is missing and
/// may be.
inline std::string golden(const std::string& name, const std::string& found) {
  const auto path = golden_path(name);
  if (std::getenv("DAYBOOK_WRITE_GOLDEN") != nullptr && !std::filesystem::exists(path)) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << found << '\n';
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty() || text.back() != '\n') {
    ADD_FAILURE() << path << " is missing or does not end its line. What is new needs its golden "
                  << "files: run this test once with DAYBOOK_WRITE_GOLDEN=1";
    return "";
  }
  text.pop_back();
  return text;
}

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace daybook::test

#include "replay/file_list.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>

#include <openssl/evp.h>

#include "domain/base/check.h"
#include "eventstore/files.h"

namespace daybook::replay {
namespace {

using eventstore::Hash;

constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
constexpr std::size_t kHexBytes = 64;

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Result<Hash> file_sha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return eventstore::errno_status("open", path, errno);
  const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
  CHECK(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  std::string piece(kPieceBytes, '\0');
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    CHECK(EVP_DigestUpdate(context.get(), piece.data(), got) == 1);
  }
  if (file.bad()) return eventstore::errno_status("read", path, errno);
  Hash hash{};
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context.get(), hash.data(), &size) == 1 && size == hash.size());
  return hash;
}

Result<std::map<std::string, Hash>> digest_files(const std::string& dir) {
  namespace fs = std::filesystem;
  std::map<std::string, Hash> files;
  std::error_code error;
  fs::recursive_directory_iterator at(dir, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_directory(status)) continue;
    const std::string path = at->path().string();
    if (!fs::is_regular_file(status)) return invalid(path + ": neither a file nor a directory");
    auto hash = file_sha256(path);
    if (!hash.ok()) return hash.status();
    files.emplace(path.substr(dir.size() + 1), *hash);
  }
  if (error) return eventstore::errno_status("list", dir, error.value());
  return files;
}

std::string to_text(const std::map<std::string, Hash>& files) {
  std::string text;
  for (const auto& [path, hash] : files) text += eventstore::to_hex(hash) + "  " + path + "\n";
  return text;
}

Status compare_files(const std::string& listed, const std::map<std::string, Hash>& found) {
  auto unlisted = found;
  std::istringstream lines(listed);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.size() <= kHexBytes + 2) return corrupt("the list of files is malformed: " + line);
    const std::string path = line.substr(kHexBytes + 2);
    const std::string expected = line.substr(0, kHexBytes);
    const auto at = found.find(path);
    if (at == found.end()) return corrupt(path + ": expected SHA-256 " + expected + ", found none");
    if (eventstore::to_hex(at->second) != expected) {
      return corrupt(path + ": expected SHA-256 " + expected + ", found " +
                     eventstore::to_hex(at->second));
    }
    unlisted.erase(path);
  }
  if (!unlisted.empty()) {
    return corrupt(unlisted.begin()->first + ": expected no such file, found one");
  }
  return {};
}

}  // namespace daybook::replay

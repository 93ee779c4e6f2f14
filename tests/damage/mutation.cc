#include "tests/damage/mutation.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "domain/base/check.h"

namespace daybook::damage {
namespace {

using Kind = Mutation::Kind;

constexpr Kind kKinds[] = {Kind::kBit,    Kind::kCut,  Kind::kAppend, Kind::kZero,
                           Kind::kDelete, Kind::kSwap, Kind::kOlder,  Kind::kDeleteDirectory};

std::string base_name(const std::string& file) { return file.substr(file.rfind('/') + 1); }

std::string type_of(const std::string& file) {
  const std::string name = base_name(file);
  if (name.ends_with(".sst")) return "sst";
  if (name.ends_with(".log")) return "wal";
  if (name.starts_with("MANIFEST")) return "manifest";
  if (name.starts_with("OPTIONS")) return "options";
  if (name == "CURRENT" || name == "IDENTITY" || name == "LOCK") return name;
  return "";
}

std::vector<std::string> of_same_type_behind(const Image& image, const std::string& file) {
  std::vector<std::string> others;
  const std::string type = type_of(file);
  for (auto it = image.files.upper_bound(file); it != image.files.end() && !type.empty(); ++it) {
    if (type_of(it->first) == type && it->second != image.files.at(file)) {
      others.push_back(it->first);
    }
  }
  return others;
}

/// Which older moments hold another version of the file, each version once.
std::vector<std::string> older_of(const Image& image, const std::string& file) {
  std::vector<std::string> moments;
  std::set<std::string> seen{image.files.at(file)};
  for (std::size_t i = 0; i < image.older.size(); ++i) {
    const auto found = image.older[i].find(file);
    if (found != image.older[i].end() && seen.insert(found->second).second) {
      moments.push_back(std::to_string(i));
    }
  }
  return moments;
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number).ptr != end) return UINT64_MAX;
  return number;
}

/// `log` of `log/000009.log` and of its watermark.
std::string store_of(const std::string& file) { return file.substr(0, file.find_first_of("/.")); }

/// Whether an earlier image has the same files in the store of this file: it is judged there.
bool is_judged_before(const Ledger& ledger, const Image& image, const std::string& file) {
  const auto store = [&file](const Image& of) {
    Files files;
    for (const auto& [path, bytes] : of.files) {
      if (store_of(path) == store_of(file)) files.emplace(path, bytes);
    }
    return files;
  };
  for (const Image& earlier : ledger.images) {
    if (&earlier == &image) return false;
    if (store(earlier) == store(image)) return true;
  }
  return false;
}

/// Bytes that are added at the end: nothing, and everything.
constexpr std::uint64_t kAppended[] = {0x00, 0xFF};

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kBit:
      return "bit";
    case Kind::kCut:
      return "cut";
    case Kind::kAppend:
      return "append";
    case Kind::kZero:
      return "zero";
    case Kind::kDelete:
      return "delete";
    case Kind::kSwap:
      return "swap";
    case Kind::kOlder:
      return "older";
    case Kind::kDeleteDirectory:
      return "delete-directory";
  }
  CHECK(false);
}

std::string class_of(const std::string& file) {
  const std::string type = type_of(file);
  const std::size_t slash = file.find('/');
  const std::string store = file.substr(0, slash);
  if (slash == std::string::npos) return store;
  return store + " " + (type.empty() ? base_name(file) : type);
}

std::string Mutation::name() const {
  std::string text = image->name + "/" + file + ":" + name_of(kind);
  if (kind == Kind::kSwap) return text + ":" + other;
  if (kind == Kind::kDelete || kind == Kind::kDeleteDirectory) return text;
  return text + ":" + std::to_string(at);
}

std::vector<std::pair<std::string, std::optional<std::string>>> Mutation::changes() const {
  if (kind == Kind::kDeleteDirectory) {
    std::vector<std::pair<std::string, std::optional<std::string>>> gone;
    for (const auto& [path, bytes] : image->files) {
      if (path.starts_with(file + "/")) gone.emplace_back(path, std::nullopt);
    }
    return gone;
  }
  std::string bytes = image->files.at(file);
  switch (kind) {
    case Kind::kBit:
      bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << (at % 8)));
      break;
    case Kind::kCut:
      bytes.resize(at);
      break;
    case Kind::kAppend:
      bytes.push_back(static_cast<char>(at));
      break;
    case Kind::kZero: {
      const std::size_t end = std::min<std::size_t>(bytes.size(), (at + 1) * 512);
      bytes.replace(at * 512, end - at * 512, end - at * 512, '\0');
      break;
    }
    case Kind::kDelete:
      return {{file, std::nullopt}};
    case Kind::kSwap:
      return {{file, image->files.at(other)}, {other, bytes}};
    case Kind::kOlder:
      return {{file, image->older.at(at).at(file)}};
    case Kind::kDeleteDirectory:
      break;
  }
  return {{file, bytes}};
}

Mutation Mutations::at(std::uint64_t number) const {
  CHECK(number < tried());
  // Not the same bit of each byte.
  std::uint64_t which = number * stride;
  if (stride > 1) which += number * 7 % stride;
  if (which >= count) which = count - 1;
  Mutation mutation{image, kind, file, {}, which};
  if (kind == Kind::kAppend) mutation.at = kAppended[which];
  if (kind == Kind::kSwap) mutation.other = others[which];
  if (kind == Kind::kOlder) mutation.at = number_of(others[which]);
  return mutation;
}

std::vector<Mutations> all_mutations(const Ledger& ledger, const std::set<std::string>& unread,
                                     std::uint64_t stride) {
  std::vector<Mutations> all;
  for (const Image& image : ledger.images) {
    std::set<std::string> directories;
    const auto add = [&](Kind kind, const std::string& file, std::uint64_t count,
                         std::uint64_t every, std::vector<std::string> others = {}) {
      if (count > 0) all.push_back({&image, kind, file, std::move(others), count, every});
    };
    for (const auto& [file, bytes] : image.files) {
      if (file.find('/') != std::string::npos) directories.insert(file.substr(0, file.find('/')));
      if (is_judged_before(ledger, image, file)) continue;
      const bool is_unread = unread.contains(image.name + "/" + file);
      const std::uint64_t every = is_unread ? std::max(8 * stride, kUnreadStride) : stride;
      add(Kind::kBit, file, bytes.size() * 8, every);
      add(Kind::kCut, file, bytes.size(), every);
      add(Kind::kAppend, file, std::size(kAppended), 1);
      add(Kind::kZero, file, (bytes.size() + 511) / 512, is_unread ? 10 : 1);
      add(Kind::kDelete, file, 1, 1);
      auto others = of_same_type_behind(image, file);
      const std::uint64_t swaps = others.size();
      add(Kind::kSwap, file, swaps, 1, std::move(others));
      auto moments = older_of(image, file);
      const std::uint64_t versions = moments.size();
      add(Kind::kOlder, file, versions, 1, std::move(moments));
    }
    for (const std::string& directory : directories) {
      add(Kind::kDeleteDirectory, directory, 1, 1);
    }
  }
  return all;
}

std::optional<Mutation> find_mutation(const Ledger& ledger, const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::size_t first = name.find(':');
  if (slash == std::string::npos || first == std::string::npos || first < slash) return {};
  const std::size_t second = std::min(name.find(':', first + 1), name.size());
  const std::string kind = name.substr(first + 1, second - first - 1);
  const std::string last = second < name.size() ? name.substr(second + 1) : "";
  for (const Image& image : ledger.images) {
    if (name.substr(0, slash) != image.name) continue;
    for (const Kind candidate : kKinds) {
      if (kind != name_of(candidate)) continue;
      Mutation mutation{&image, candidate, name.substr(slash + 1, first - slash - 1), {}, 0};
      if (candidate == Kind::kSwap) {
        mutation.other = last;
        if (!image.files.contains(last)) return {};
      } else if (!last.empty()) {
        mutation.at = number_of(last);
      }
      const auto found = image.files.find(mutation.file);
      if (candidate == Kind::kDeleteDirectory) return mutation;
      if (found == image.files.end()) return {};
      const std::uint64_t size = found->second.size();
      if (candidate == Kind::kBit && mutation.at >= size * 8) return {};
      if (candidate == Kind::kCut && mutation.at > size) return {};
      if (candidate == Kind::kZero && mutation.at * 512 >= size) return {};
      if (candidate == Kind::kOlder && (mutation.at >= image.older.size() ||
                                        !image.older[mutation.at].contains(mutation.file))) {
        return {};
      }
      return mutation;
    }
  }
  return {};
}

}  // namespace daybook::damage

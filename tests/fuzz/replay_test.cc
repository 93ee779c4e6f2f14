#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuzz/plain_json.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 300;
constexpr std::uintmax_t kBytesMax = 1 << 20;  // of all corpora

fs::path corpora() { return fs::path(DAYBOOK_SOURCE_DIR) / "tests/fuzz/corpus"; }

std::vector<fs::path> files_of(const Target& target) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(corpora() / target.name)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A CHECK ends the process, so the file must be where a signal handler finds it.
const char* running = "";
void tell_file(int) { static_cast<void>(std::fprintf(stderr, "\nreplay: %s\n", running)); }

class FuzzReplayTest : public testing::TestWithParam<Target> {};

TEST_P(FuzzReplayTest, every_file_of_the_corpus_keeps_the_properties) {
  const auto files = files_of(GetParam());
  ASSERT_FALSE(files.empty());
  EXPECT_LE(files.size(), kFilesMax);
  static_cast<void>(std::signal(SIGABRT, tell_file));
  for (const fs::path& file : files) {
    running = file.c_str();
    const std::string bytes = read(file);
    try {
      GetParam().run(bytes);
    } catch (const Broken& broken) {
      ADD_FAILURE() << file << ": does not hold: " << broken.what();
    }
  }
  static_cast<void>(std::signal(SIGABRT, SIG_DFL));
}

/// Prefixes of what is well formed: the cheapest mutation, and the one that a torn write makes.
TEST_P(FuzzReplayTest, so_does_every_beginning_of_a_small_file) {
  constexpr std::size_t kSmall = 200;
  static_cast<void>(std::signal(SIGABRT, tell_file));
  for (const fs::path& file : files_of(GetParam())) {
    running = file.c_str();
    const std::string bytes = read(file);
    if (bytes.size() > kSmall) continue;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      try {
        GetParam().run(std::string_view(bytes).substr(0, size));
      } catch (const Broken& broken) {
        ADD_FAILURE() << file << ", " << size << " bytes: does not hold: " << broken.what();
      }
    }
  }
  static_cast<void>(std::signal(SIGABRT, SIG_DFL));
}

INSTANTIATE_TEST_SUITE_P(All, FuzzReplayTest, testing::ValuesIn(kTargets),
                         [](const auto& named) { return std::string(named.param.name); });

TEST(FuzzCorpusTest, all_corpora_together_stay_small) {
  std::uintmax_t bytes = 0;
  for (const Target& target : kTargets) {
    for (const fs::path& file : files_of(target)) bytes += fs::file_size(file);
  }
  EXPECT_LE(bytes, kBytesMax);
}

TEST(FuzzCorpusTest, every_corpus_has_a_target) {
  for (const auto& entry : fs::directory_iterator(corpora())) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(std::any_of(std::begin(kTargets), std::end(kTargets), [&](const Target& target) {
      return target.name == name;
    })) << name;
  }
}

TEST(FuzzPlantedTest, a_broken_property_is_told) {
  EXPECT_NO_THROW(planted("DBK1V\x05"));
  EXPECT_THROW(planted(std::string_view("DBK1V\x85\0", 7)), Broken);
}

TEST(FuzzPlainJsonTest, the_second_reader_knows_the_grammar) {
  for (const std::string_view good :
       {"{}", "[1,-0,0.10,1E400]", " \"a\\u00e4\\ud83d\\udcbe\" ", "{\"b\":1,\"a\":[null,true]}"}) {
    EXPECT_TRUE(read_plain_json(good, 32).has_value()) << good;
  }
  for (const std::string_view bad :
       {"", "01", "1.", ".5", "+1", "[1,]", "{\"a\":1,\"a\":2}", "\"\\ud800\"", "\"\\u0000\"",
        "tru", "\"\t\"", "\xEF\xBB\xBF{}", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "[[]]x", "{1:2}",
        "1 2"}) {
    EXPECT_FALSE(read_plain_json(bad, 32).has_value()) << bad;
  }
  EXPECT_FALSE(read_plain_json("[[1]]", 1).has_value());
  EXPECT_EQ(read_plain_json(" {\"\\uFB33\": 1, \"\xF0\x9F\x92\xBE\" :[ ]} ", 32)->canonical,
            "{\"\xF0\x9F\x92\xBE\":[],\"\xEF\xAC\xB3\":1}");
}

}  // namespace
}  // namespace daybook::fuzz

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "eventstore/public_json.h"
#include "tests/support/describe.h"
#include "tests/support/events.h"

/// The stored bytes and the public JSON of every event type, kept for ever. A file here is never
/// changed: a new schema brings new files. Missing ones are written by running this test once with
/// DAYBOOK_WRITE_GOLDEN=1; existing ones never are.
namespace daybook::eventstore {
namespace {

using domain::RecordedEvent;
using test::describe;
using test::representative_events;

const std::filesystem::path kSource = DAYBOOK_SOURCE_DIR;
const std::filesystem::path kFolder = kSource / "tests" / "golden" / "events";

std::string stem_of(const RecordedEvent& event) {
  return std::string(domain::name_of(event.event)) + "_v1";
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The one line of a golden file.
std::string golden(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text || text->empty() || text->back() != '\n') {
    ADD_FAILURE() << path << " is missing or does not end its line. A new event type or schema "
                  << "needs its golden files: run this test once with DAYBOOK_WRITE_GOLDEN=1";
    return "";
  }
  text->pop_back();
  return *text;
}

void write_if_missing(const std::filesystem::path& path, const std::string& line) {
  if (std::filesystem::exists(path)) return;
  std::ofstream(path, std::ios::binary) << line << '\n';
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

class EventGoldenTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (std::getenv("DAYBOOK_WRITE_GOLDEN") == nullptr) return;
    std::filesystem::create_directories(kFolder);
    for (const auto& event : representative_events()) {
      write_if_missing(kFolder / (stem_of(event) + ".hex"), to_hex(encode_event(event)));
      write_if_missing(kFolder / (stem_of(event) + ".json"), public_json(event));
    }
  }
};

TEST_F(EventGoldenTest, every_event_type_is_stored_as_it_always_was) {
  for (const auto& event : representative_events()) {
    EXPECT_EQ(to_hex(encode_event(event)), golden(kFolder / (stem_of(event) + ".hex")))
        << stem_of(event);
  }
}

TEST_F(EventGoldenTest, every_stored_event_still_means_what_it_meant) {
  for (const auto& event : representative_events()) {
    const auto stored = decode_event(from_hex(golden(kFolder / (stem_of(event) + ".hex"))));
    ASSERT_TRUE(stored.ok()) << stem_of(event) << ": " << stored.status().message();
    EXPECT_EQ(*stored, event) << describe(stored->event) << "\n" << describe(event.event);
    EXPECT_EQ(public_json(*stored), golden(kFolder / (stem_of(event) + ".json"))) << stem_of(event);
  }
}

TEST_F(EventGoldenTest, no_golden_file_stands_for_an_event_that_is_gone) {
  std::set<std::string> expected;
  for (const auto& event : representative_events()) {
    expected.insert(stem_of(event) + ".hex");
    expected.insert(stem_of(event) + ".json");
  }
  std::set<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(kFolder)) {
    found.insert(file.path().filename().string());
  }
  EXPECT_EQ(found, expected);
}

/// The fenced JSON under each `### Name` of docs/events.md.
std::map<std::string, std::string> documented_examples() {
  std::map<std::string, std::string> examples;
  std::istringstream lines(read_file(kSource / "docs" / "events.md").value_or(""));
  std::string line;
  std::string section;
  while (std::getline(lines, line)) {
    if (line.starts_with("### ")) section = line.substr(4);
    if (line == "```json" && std::getline(lines, line)) examples[section] = line;
  }
  return examples;
}

TEST_F(EventGoldenTest, the_document_shows_every_event_as_it_is) {
  const auto examples = documented_examples();
  const auto text = read_file(kSource / "docs" / "events.md").value_or("");
  for (const auto& event : representative_events()) {
    const std::string name(domain::name_of(event.event));
    const auto example = examples.find(name);
    ASSERT_NE(example, examples.end()) << name << " has no section with an example";
    EXPECT_EQ(example->second, golden(kFolder / (stem_of(event) + ".json"))) << name;
    const std::string number =
        "Type " + std::to_string(domain::type_of(event.event)) + ", schema 1";
    EXPECT_NE(text.find("### " + name + "\n\n" + number), std::string::npos)
        << name << " is not documented as " << number;
  }
  EXPECT_EQ(examples.size(), std::variant_size_v<domain::Event>);
}

}  // namespace
}  // namespace daybook::eventstore

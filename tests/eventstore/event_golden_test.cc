#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "eventstore/public_json.h"
#include "tests/support/describe.h"
#include "tests/support/events.h"
#include "tests/support/golden_file.h"

/// The stored bytes and the public JSON of every event type, kept for ever.
namespace daybook::eventstore {
namespace {

using domain::RecordedEvent;
using test::describe;
using test::from_hex;
using test::golden;
using test::golden_path;
using test::representative_events;

std::string file_of(const RecordedEvent& event, const std::string& extension) {
  return "events/" + std::string(domain::name_of(event.event)) + "_v1" + extension;
}

std::string stored_golden(const RecordedEvent& event) {
  return golden(file_of(event, ".hex"), to_hex(encode_event(event)));
}
std::string public_golden(const RecordedEvent& event) {
  return golden(file_of(event, ".json"), public_json(event));
}

std::string event_document() {
  std::ifstream file(std::filesystem::path(DAYBOOK_SOURCE_DIR) / "docs" / "events.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(EventGoldenTest, every_event_type_is_stored_as_it_always_was) {
  for (const auto& event : representative_events()) {
    EXPECT_EQ(to_hex(encode_event(event)), stored_golden(event)) << domain::name_of(event.event);
  }
}

TEST(EventGoldenTest, every_stored_event_still_means_what_it_meant) {
  for (const auto& event : representative_events()) {
    const auto stored = decode_event(from_hex(stored_golden(event)));
    ASSERT_TRUE(stored.ok()) << domain::name_of(event.event) << ": " << stored.status().message();
    EXPECT_EQ(*stored, event) << describe(stored->event) << "\n" << describe(event.event);
    EXPECT_EQ(public_json(*stored), public_golden(event)) << domain::name_of(event.event);
  }
}

TEST(EventGoldenTest, no_golden_file_stands_for_an_event_that_is_gone) {
  std::set<std::string> expected;
  for (const auto& event : representative_events()) {
    expected.insert(golden_path(file_of(event, ".hex")).string());
    expected.insert(golden_path(file_of(event, ".json")).string());
  }
  std::set<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(golden_path("events"))) {
    found.insert(file.path().string());
  }
  EXPECT_EQ(found, expected);
}

/// The fenced JSON under each `### Name` of docs/events.md.
std::map<std::string, std::string> documented_examples() {
  std::map<std::string, std::string> examples;
  std::istringstream lines(event_document());
  std::string line;
  std::string section;
  while (std::getline(lines, line)) {
    if (line.starts_with("### ")) section = line.substr(4);
    if (line == "```json" && std::getline(lines, line)) examples[section] = line;
  }
  return examples;
}

TEST(EventGoldenTest, the_document_shows_every_event_as_it_is) {
  const auto examples = documented_examples();
  const auto text = event_document();
  for (const auto& event : representative_events()) {
    const std::string name(domain::name_of(event.event));
    const auto example = examples.find(name);
    ASSERT_NE(example, examples.end()) << name << " has no section with an example";
    EXPECT_EQ(example->second, public_golden(event)) << name;
    const std::string number =
        "Type " + std::to_string(domain::type_of(event.event)) + ", schema 1";
    EXPECT_NE(text.find("### " + name + "\n\n" + number), std::string::npos)
        << name << " is not documented as " << number;
  }
  EXPECT_EQ(examples.size(), std::variant_size_v<domain::Event>);
}

}  // namespace
}  // namespace daybook::eventstore

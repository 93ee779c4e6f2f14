#include "eventstore/entry.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zstd.h>

#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

/// The worked example of docs/stored_format.md.
Entry example() {
  Entry entry;
  entry.partition = 0;
  entry.generation = 1;
  entry.entry_no = 7;
  entry.base_position = 300;
  entry.count = 2;
  entry.first_recorded_at = *parse_rfc3339("2026-01-31T10:00:00.000001Z");
  entry.last_recorded_at = *parse_rfc3339("2026-01-31T10:00:00.000200Z");
  entry.prev_chain = sha256({"abc"});
  append_event_bytes(entry.body, "first");
  append_event_bytes(entry.body, "second");
  return entry;
}

Entry random_entry(std::mt19937_64& random) {
  Entry entry;
  entry.kind = static_cast<EntryKind>(random() % 3);
  entry.partition = static_cast<std::uint32_t>(random() >> (random() % 32 + 32));
  entry.generation = static_cast<std::uint32_t>(random() >> (random() % 32 + 32));
  entry.entry_no = random() >> (random() % 64);
  entry.base_position = random() >> (random() % 63 + 1);
  const auto micros = static_cast<std::int64_t>(random() >> (random() % 62 + 2));
  entry.first_recorded_at.micros = random() % 2 == 0 ? micros : -micros;
  entry.last_recorded_at = entry.first_recorded_at;
  for (auto& byte : entry.prev_chain) byte = static_cast<std::uint8_t>(random());
  if (entry.kind != EntryKind::kEvents) return entry;
  entry.last_recorded_at.micros += static_cast<std::int64_t>(random() % 1'000'000);
  entry.count = static_cast<std::uint32_t>(random() % 20 + 1);
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    std::string event(random() % 100 + 1, 'x');
    if (random() % 2 == 0) {
      for (char& c : event) c = static_cast<char>(random());
    }
    append_event_bytes(entry.body, event);
  }
  return entry;
}

Entry incompressible(std::size_t event_size) {
  Entry entry = example();
  entry.body.clear();
  entry.count = 1;
  std::mt19937_64 random(1);
  std::string event(event_size, '\0');
  for (char& c : event) c = static_cast<char>(random());
  append_event_bytes(entry.body, event);
  return entry;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string without_space(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

/// An entry in stored form whose header fields may be anything.
std::string raw_entry(std::uint8_t flags, std::uint32_t count, std::uint64_t raw_size,
                      std::string_view stored_body) {
  std::string out;
  WireWriter writer(out);
  writer.fixed32(0x314B4244);
  writer.fixed8(1);
  writer.fixed8(0);
  writer.fixed8(flags);
  for (int i = 0; i < 4; ++i) writer.varint(0);
  writer.varint(count);
  writer.fixed64(5);
  writer.varint(0);
  writer.raw(bytes_of(Hash{}));
  writer.varint(raw_size);
  writer.text(stored_body);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 19));
  return out;
}

TEST(EntryTest, the_golden_bytes_of_format_1_never_change) {
  const std::string golden =
      without_space(read_file(DAYBOOK_SOURCE_DIR "/tests/golden/entry_v1.hex"));
  const std::string encoded = encode_entry(example());
  EXPECT_EQ(to_hex(encoded), golden);
  EXPECT_EQ(*decode_entry(encoded), example());
  EXPECT_EQ(to_hex(chain_of(example())),
            "3f5b75b24c8591ff07d14c2e98410a46342cdc9f666e95dbee3fe148b836a99a");
}

TEST(EntryTest, the_worked_example_in_the_documentation_is_the_golden_entry) {
  const std::string golden =
      without_space(read_file(DAYBOOK_SOURCE_DIR "/tests/golden/entry_v1.hex"));
  const std::string text = without_space(read_file(DAYBOOK_SOURCE_DIR "/docs/stored_format.md"));
  EXPECT_NE(text.find(golden), std::string::npos);
  EXPECT_NE(text.find(to_hex(chain_of(example()))), std::string::npos);
}

TEST(EntryTest, any_entry_comes_back_as_it_was) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 3'000; ++i) {
    const Entry entry = random_entry(random);
    const std::string encoded = encode_entry(entry);
    const Result<Entry> decoded = decode_entry(encoded);
    ASSERT_TRUE(decoded.ok()) << decoded.status().message();
    ASSERT_EQ(*decoded, entry);
    ASSERT_EQ(encode_entry(*decoded), encoded);
  }
}

TEST(EntryTest, a_compressible_body_is_stored_shorter_under_the_same_chain) {
  Entry entry = example();
  entry.body.clear();
  entry.count = kEntryEventsMax;
  for (std::uint32_t i = 0; i < entry.count; ++i) append_event_bytes(entry.body, "always the same");
  const std::string encoded = encode_entry(entry);
  EXPECT_LT(encoded.size(), entry.body.size() / 20);
  const Result<Entry> decoded = decode_entry(encoded);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(*decoded, entry);
  EXPECT_EQ(chain_of(*decoded), chain_of(entry));
}

TEST(EntryTest, the_largest_body_fits_the_largest_entry_with_the_largest_header) {
  Entry entry = incompressible(kEventBytesMax);
  entry.partition = entry.generation = std::numeric_limits<std::uint32_t>::max();
  entry.entry_no = std::numeric_limits<std::uint64_t>::max();
  entry.base_position = std::numeric_limits<std::uint64_t>::max() - kEntryEventsMax;
  entry.first_recorded_at.micros = std::numeric_limits<std::int64_t>::min();
  entry.last_recorded_at.micros = std::numeric_limits<std::int64_t>::max();
  entry.body.clear();
  entry.count = 0;
  std::mt19937_64 random(2);
  while (entry.body.size() < kEntryBodyBytesMax) {
    const std::size_t room = kEntryBodyBytesMax - entry.body.size();
    std::string event(std::min<std::size_t>(room - 1, 127), '\0');
    for (char& c : event) c = static_cast<char>(random());
    append_event_bytes(entry.body, event);
    ++entry.count;
  }
  ASSERT_EQ(entry.body.size(), kEntryBodyBytesMax);
  const std::string encoded = encode_entry(entry);
  EXPECT_LE(encoded.size(), kEntryBytesMax);
  EXPECT_EQ(*decode_entry(encoded), entry);
}

TEST(EntryTest, truncated_at_any_length_is_corrupt) {
  for (const Entry& entry : {example(), incompressible(3'000)}) {
    const std::string encoded = encode_entry(entry);
    for (std::size_t size = 0; size < encoded.size(); ++size) {
      ASSERT_EQ(decode_entry(encoded.substr(0, size)).status().code(), StatusCode::kCorrupt);
    }
    EXPECT_EQ(decode_entry(encoded + '\0').status().code(), StatusCode::kCorrupt);
  }
}

TEST(EntryTest, no_flipped_bit_gives_another_entry_under_the_same_chain) {
  Entry compressible = example();
  for (int i = 0; i < 40; ++i) append_event_bytes(compressible.body, "the same text each time");
  compressible.count += 40;
  const std::vector<Entry> entries = {example(), incompressible(500), compressible};
  for (const Entry& entry : entries) {
    const std::string encoded = encode_entry(entry);
    const Hash chain = chain_of(entry);
    for (std::size_t bit = 0; bit < 8 * encoded.size(); ++bit) {
      std::string flipped = encoded;
      flipped[bit / 8] =
          static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
      const Result<Entry> decoded = decode_entry(flipped);
      // Only a bit of the zstd frame may be without meaning; then the entry is still the same.
      if (!decoded.ok()) continue;
      ASSERT_EQ(*decoded == entry, chain_of(*decoded) == chain) << bit;
      if (&entry != &entries.back()) {
        ASSERT_NE(*decoded, entry) << bit;
      }
    }
  }
}

TEST(EntryTest, every_header_field_is_under_the_chain) {
  const Hash chain = chain_of(example());
  const auto changed = [](auto change) {
    Entry entry = example();
    change(entry);
    return chain_of(entry);
  };
  EXPECT_NE(changed([](Entry& e) { e.kind = EntryKind::kClaim; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.partition = 1; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.generation = 2; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.entry_no = 8; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.base_position = 301; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.count = 3; }), chain);
  EXPECT_NE(changed([](Entry& e) { --e.first_recorded_at.micros; }), chain);
  EXPECT_NE(changed([](Entry& e) { ++e.last_recorded_at.micros; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.prev_chain[31] ^= 1; }), chain);
  EXPECT_NE(changed([](Entry& e) { e.body.back() ^= 1; }), chain);
}

TEST(EntryTest, random_bytes_never_crash_the_decoder) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = encode_entry(random_entry(random));
    const std::size_t changes = random() % 8 + 1;
    for (std::size_t k = 0; k < changes; ++k) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const Result<Entry> decoded = decode_entry(bytes);
    if (decoded.ok()) {
      ASSERT_LE(decoded->body.size(), kEntryBodyBytesMax);
    }
  }
}

TEST(EntryTest, a_compression_bomb_is_refused_by_its_promised_size) {
  const std::string bomb = zstd(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 16'384U);
  for (const std::uint64_t promised :
       {std::uint64_t{64} << 20, std::uint64_t{kEntryBodyBytesMax}, std::uint64_t{1} << 62}) {
    EXPECT_EQ(decode_entry(raw_entry(1, 1, promised, bomb)).status().code(), StatusCode::kCorrupt);
  }
}

TEST(EntryTest, a_body_that_does_not_hold_its_events_is_refused) {
  std::string two;
  append_event_bytes(two, "a");
  append_event_bytes(two, "b");
  EXPECT_TRUE(decode_entry(raw_entry(0, 2, two.size(), two)).ok());
  for (const std::uint32_t count : {0U, 1U, 3U, kEntryEventsMax + 1}) {
    EXPECT_FALSE(decode_entry(raw_entry(0, count, two.size(), two)).ok()) << count;
  }
  EXPECT_FALSE(decode_entry(raw_entry(0, 1, 1, std::string(1, '\0'))).ok()) << "empty event";
  std::string large;
  WireWriter(large).text(std::string(kEventBytesMax + 1, 'x'));
  EXPECT_FALSE(decode_entry(raw_entry(0, 1, large.size(), large)).ok()) << "event too large";
  EXPECT_FALSE(decode_entry(raw_entry(0, 2, two.size() + 1, two)).ok()) << "length of another body";
  EXPECT_FALSE(decode_entry(raw_entry(2, 2, two.size(), two)).ok()) << "unknown flag";
}

TEST(EntryTest, a_compressed_body_that_is_not_shorter_is_not_canonical) {
  std::string body;
  append_event_bytes(body, "ab");
  const std::string packed = zstd(body);
  ASSERT_GE(packed.size(), body.size());
  EXPECT_FALSE(decode_entry(raw_entry(1, 1, body.size(), packed)).ok());
}

TEST(EntryTest, events_are_visited_with_their_positions_until_the_visitor_stops) {
  std::string seen;
  for_each_event(example(), [&seen](std::uint64_t position, std::string_view event) {
    seen += std::to_string(position) + "=" + std::string(event) + " ";
    return true;
  });
  EXPECT_EQ(seen, "300=first 301=second ");
  int visits = 0;
  for_each_event(example(), [&visits](std::uint64_t, std::string_view) { return ++visits < 1; });
  EXPECT_EQ(visits, 1);
}

using EntryDeathTest = ::testing::Test;

TEST(EntryDeathTest, encoding_what_breaks_the_rules_is_a_bug) {
  Entry claim = example();
  claim.kind = EntryKind::kClaim;
  EXPECT_DEATH(encode_entry(claim), "CHECK failed");
  Entry backwards = example();
  backwards.last_recorded_at.micros = 0;
  EXPECT_DEATH(encode_entry(backwards), "CHECK failed");
  std::string body;
  EXPECT_DEATH(append_event_bytes(body, ""), "CHECK failed");
}

}  // namespace
}  // namespace daybook::eventstore

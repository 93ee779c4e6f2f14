#include "eventstore/watermark.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "eventstore/files.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kSlot = 4096;

LogHead head_at(std::uint64_t position) {
  LogHead head;
  head.generation = 3;
  head.entry_count = position + 1;
  head.next_position = position;
  head.chain = sha256({std::to_string(position)});
  head.last_recorded_at.micros = -static_cast<std::int64_t>(position);
  return head;
}

/// A file that was stored to `stores` times, with heads 1, 2, ...
void write_watermark(const std::string& path, std::uint64_t stores) {
  ASSERT_TRUE(WatermarkFile::create(path, head_at(0)).ok());
  auto file = WatermarkFile::open(path);
  ASSERT_TRUE(file.ok());
  for (std::uint64_t i = 1; i <= stores; ++i) ASSERT_TRUE((*file)->store(head_at(i), {}).ok());
}

TEST(WatermarkTest, the_last_stored_head_is_loaded) {
  const TempDir dir;
  for (std::uint64_t stores = 0; stores < 5; ++stores) {
    write_watermark(dir.file("w"), stores);
    const auto loaded = WatermarkFile::load(dir.file("w"));
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    EXPECT_EQ(loaded->head, head_at(stores));
    EXPECT_FALSE(loaded->slot_damaged);
  }
}

TEST(WatermarkTest, storing_goes_on_where_the_file_was_left) {
  const TempDir dir;
  write_watermark(dir.file("w"), 2);
  for (std::uint64_t i = 3; i < 9; ++i) {
    auto file = WatermarkFile::open(dir.file("w"));
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->at_open().head, head_at(i - 1));
    ASSERT_TRUE((*file)->store(head_at(i), {}).ok());
    EXPECT_EQ(WatermarkFile::load(dir.file("w"))->head, head_at(i));
  }
}

TEST(WatermarkTest, the_closed_moment_is_kept_beside_the_head) {
  const TempDir dir;
  ASSERT_TRUE(WatermarkFile::create(dir.file("w"), head_at(0), {17}).ok());
  EXPECT_EQ(WatermarkFile::load(dir.file("w"))->closed, (Instant{17}));
  ASSERT_TRUE((*WatermarkFile::open(dir.file("w")))->store(head_at(0), {-18}).ok());
  EXPECT_EQ(WatermarkFile::load(dir.file("w"))->closed, (Instant{-18}));
  EXPECT_EQ(WatermarkFile::load(dir.file("w"))->head, head_at(0));
}

TEST(WatermarkTest, a_missing_file_is_told_apart_from_a_damaged_one) {
  const TempDir dir;
  EXPECT_EQ(WatermarkFile::load(dir.file("w")).status().code(), StatusCode::kNotFound);
  write_watermark(dir.file("w"), 3);
  const std::string bytes = file_bytes(dir.file("w"));
  for (const std::size_t size : {std::size_t{0}, kSlot, bytes.size() - 1}) {
    write_file(dir.file("w"), bytes.substr(0, size));
    EXPECT_EQ(WatermarkFile::load(dir.file("w")).status().code(), StatusCode::kCorrupt) << size;
  }
  write_file(dir.file("w"), bytes + "x");
  EXPECT_EQ(WatermarkFile::load(dir.file("w")).status().code(), StatusCode::kCorrupt);
}

TEST(WatermarkTest, a_write_torn_at_any_sector_leaves_the_head_before_it) {
  const TempDir dir;
  write_watermark(dir.file("w"), 4);
  const std::string before = file_bytes(dir.file("w"));
  {
    auto file = WatermarkFile::open(dir.file("w"));
    ASSERT_TRUE((*file)->store(head_at(5), {}).ok());
  }
  const std::string after = file_bytes(dir.file("w"));
  ASSERT_TRUE(before.substr(kSlot) == after.substr(kSlot)) << "the newest slot was overwritten";
  for (std::size_t torn = 512; torn < kSlot; torn += 512) {
    write_file(dir.file("w"), after.substr(0, torn) + before.substr(torn));
    const auto loaded = WatermarkFile::load(dir.file("w"));
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    EXPECT_EQ(loaded->head, head_at(4));
    EXPECT_TRUE(loaded->slot_damaged);
  }
}

TEST(WatermarkTest, any_flipped_bit_of_a_slot_is_noticed) {
  const TempDir dir;
  write_watermark(dir.file("w"), 3);
  const std::string bytes = file_bytes(dir.file("w"));
  for (std::size_t bit = 0; bit < 8 * kSlot; bit += 7) {
    std::string flipped = bytes;
    flipped[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    write_file(dir.file("w"), flipped);
    const auto loaded = WatermarkFile::load(dir.file("w"));
    ASSERT_TRUE(loaded.ok());
    ASSERT_EQ(loaded->head, head_at(2)) << bit;
    ASSERT_TRUE(loaded->slot_damaged);
  }
}

TEST(WatermarkTest, two_damaged_slots_are_corrupt) {
  const TempDir dir;
  write_watermark(dir.file("w"), 4);
  std::string bytes = file_bytes(dir.file("w"));
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  bytes[kSlot + 100] = static_cast<char>(bytes[kSlot + 100] ^ 1);
  write_file(dir.file("w"), bytes);
  const auto loaded = WatermarkFile::load(dir.file("w"));
  EXPECT_EQ(loaded.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(loaded.status().message().find("both slots"), std::string::npos);
}

TEST(WatermarkTest, a_store_heals_the_damaged_slot_and_not_the_good_one) {
  const TempDir dir;
  for (std::size_t damaged = 0; damaged < 2; ++damaged) {
    write_watermark(dir.file("w"), 4);
    std::string bytes = file_bytes(dir.file("w"));
    bytes[damaged * kSlot] = 'x';
    write_file(dir.file("w"), bytes);
    {
      auto file = WatermarkFile::open(dir.file("w"));
      ASSERT_TRUE((*file)->at_open().slot_damaged);
      ASSERT_TRUE((*file)->store(head_at(7), {}).ok());
    }
    const auto loaded = WatermarkFile::load(dir.file("w"));
    EXPECT_FALSE(loaded->slot_damaged);
    EXPECT_EQ(loaded->head, head_at(7));
  }
}

TEST(WatermarkTest, slots_in_each_others_place_are_damaged) {
  const TempDir dir;
  write_watermark(dir.file("w"), 4);
  const std::string bytes = file_bytes(dir.file("w"));
  write_file(dir.file("w"), bytes.substr(kSlot) + bytes.substr(0, kSlot));
  EXPECT_EQ(WatermarkFile::load(dir.file("w")).status().code(), StatusCode::kCorrupt);
}

TEST(WatermarkTest, confirming_writes_the_newest_slot_alone_and_changes_nothing) {
  const TempDir dir;
  for (std::uint64_t stores = 0; stores < 3; ++stores) {
    write_watermark(dir.file("w"), stores);
    std::string before = file_bytes(dir.file("w"));
    int syncs = 0;
    auto file = WatermarkFile::open(dir.file("w"), [&syncs](int) { return ++syncs, 0; });
    ASSERT_TRUE(file.ok());
    // What it does not touch is seen by what it leaves.
    const std::size_t newest = ((*file)->at_open().sequence % 2) * kSlot;
    for (char& byte : before) byte = 'x';
    write_file(dir.file("w"), before);
    ASSERT_TRUE((*file)->confirm().ok());
    EXPECT_EQ(syncs, 1);
    const std::string after = file_bytes(dir.file("w"));
    EXPECT_EQ(after.substr(kSlot - newest, kSlot), before.substr(0, kSlot));
    EXPECT_EQ(WatermarkFile::load(dir.file("w"))->head, head_at(stores));
    ASSERT_TRUE((*file)->store(head_at(9), {}).ok());
    EXPECT_EQ(WatermarkFile::load(dir.file("w"))->head, head_at(9));
    EXPECT_FALSE(WatermarkFile::load(dir.file("w"))->slot_damaged);
  }
}

TEST(WatermarkTest, a_failed_sync_is_final) {
  const TempDir dir;
  write_watermark(dir.file("w"), 1);
  int calls = 0;
  auto file = WatermarkFile::open(dir.file("w"), [&calls](int) {
    errno = EIO;
    return ++calls == 2 ? -1 : 0;
  });
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->store(head_at(2), {}).ok());
  EXPECT_EQ((*file)->store(head_at(3), {}).code(), StatusCode::kIo);
  EXPECT_EQ((*file)->store(head_at(4), {}).code(), StatusCode::kIo);
  EXPECT_EQ(calls, 2) << "a sync was tried again after it had failed";
}

TEST(FilesTest, free_space_is_known_for_what_exists) {
  const TempDir dir;
  EXPECT_GT(*free_bytes(dir.path()), 0U);
  EXPECT_EQ(free_bytes(dir.file("nothing")).status().code(), StatusCode::kIo);
}

TEST(FilesTest, syncing_a_directory_that_is_not_there_fails_with_its_name) {
  const TempDir dir;
  EXPECT_TRUE(sync_directory(dir.path()).ok());
  const Status status = sync_directory(dir.file("nothing"));
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("nothing"), std::string::npos);
}

}  // namespace
}  // namespace daybook::eventstore

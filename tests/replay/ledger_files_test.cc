#include "replay/ledger_files.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "eventstore/files.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::replay {
namespace {

using eventstore::TempDir;

void touch(const std::string& path) { std::ofstream(path) << "x"; }

TEST(CheckNewPlaceTest, an_empty_directory_and_what_file_systems_leave_are_places) {
  const TempDir dir;
  EXPECT_TRUE(check_new_place(dir.path()).ok());
  std::filesystem::create_directory(dir.file("lost+found"));
  touch(dir.file(".keep"));
  touch(dir.file("log.watermark.new"));
  EXPECT_TRUE(check_new_place(dir.path()).ok());
}

TEST(CheckNewPlaceTest, somebody_elses_directory_is_none) {
  const TempDir dir;
  touch(dir.file("thesis.tex"));
  const Status status = check_new_place(dir.path());
  EXPECT_EQ(status.code(), StatusCode::kConflict);
  EXPECT_NE(status.message().find("thesis.tex"), std::string::npos);
}

TEST(CheckNewPlaceTest, what_is_left_of_a_ledger_is_damage) {
  for (const char* part : {"proj", "private", "admin.key"}) {
    const TempDir dir;
    touch(dir.file(part));
    EXPECT_EQ(check_new_place(dir.path()).code(), StatusCode::kCorrupt) << part;
  }
}

TEST(MakeDirectoriesTest, all_that_are_missing_are_made_however_the_path_is_written) {
  const TempDir dir;
  for (const char* path : {"a", "a/b/c/", "d/./e/../f", "a"}) {
    EXPECT_TRUE(eventstore::make_directories(dir.file(path)).ok()) << path;
    EXPECT_TRUE(std::filesystem::is_directory(dir.file(path))) << path;
  }
  touch(dir.file("file"));
  EXPECT_FALSE(eventstore::make_directories(dir.file("file/below")).ok());
}

TEST(OpenProjectionsTest, damage_names_the_way_out) {
  const TempDir dir;
  ASSERT_TRUE(open_projections(dir.path(), {}).ok());
  std::ofstream(LedgerFiles(dir.path()).projections + "/CURRENT", std::ios::trunc) << "nonsense";
  const auto opened = open_projections(dir.path(), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(opened.status().message().find("daybook rebuild"), std::string::npos);
}

TEST(OpenProjectionsTest, a_file_that_is_missing_is_damage) {
  const TempDir dir;
  ASSERT_TRUE(open_projections(dir.path(), {}).ok());
  std::ofstream(LedgerFiles(dir.path()).projections + "/CURRENT", std::ios::trunc)
      << "MANIFEST-999999\n";
  const auto opened = open_projections(dir.path(), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt) << opened.status().message();
  EXPECT_NE(opened.status().message().find("daybook rebuild"), std::string::npos);
}

TEST(OpenProjectionsTest, damage_that_is_met_later_names_it_too) {
  const TempDir dir;
  {
    const auto store = open_projections(dir.path(), {});
    ASSERT_TRUE(store.ok());
    eventstore::KvBatch batch;
    batch.put(0, "key", "value");
    ASSERT_TRUE((*store)->write(batch).ok());
    ASSERT_TRUE((*store)->flush().ok());
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(LedgerFiles(dir.path()).projections)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << "nonsense";
  }
  const auto store = open_projections(dir.path(), {});
  ASSERT_TRUE(store.ok()) << store.status().message();
  const auto row = (*store)->get(0, "key");
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(row.status().message().find("daybook rebuild"), std::string::npos);
}

}  // namespace
}  // namespace daybook::replay

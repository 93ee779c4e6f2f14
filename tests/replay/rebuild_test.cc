#include "replay/rebuild.h"

#include <gtest/gtest.h>

#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

using eventstore::path_exists;

class RebuildTest : public testing::Test {
 protected:
  void SetUp() override {
    make_ledger(dir(), clock_, 300);
    rows_ = all_rows();
  }

  std::string dir() const { return temp_.file("ledger"); }
  LedgerFiles files() const { return LedgerFiles(dir()); }
  std::vector<std::vector<Row>> all_rows() const {
    std::vector<std::vector<Row>> tables;
    for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
      tables.push_back(rows_of(dir(), table));
    }
    return tables;
  }
  bool has_leftovers() const {
    return path_exists(files().fresh_projections) || path_exists(files().old_projections);
  }

  TempDir temp_;
  TickingClock clock_;
  std::vector<std::vector<Row>> rows_;
};

TEST_F(RebuildTest, all_tables_are_the_same_byte_for_byte) {
  const auto report = rebuild(dir(), clock_);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(all_rows(), rows_);
  EXPECT_EQ(report->events, open_log_for_reading(dir()).value()->head().next_position);
  EXPECT_FALSE(has_leftovers());
}

TEST_F(RebuildTest, damaged_tables_are_replaced) {
  write_row(dir(), projections::kBalancesTable, rows_[projections::kBalancesTable].back().first,
            "nonsense");
  write_row(dir(), projections::kStreamsTable, rows_[projections::kStreamsTable].back().first,
            std::nullopt);
  ASSERT_TRUE(rebuild(dir(), clock_).ok());
  EXPECT_EQ(all_rows(), rows_);
  EXPECT_TRUE(verify(dir())->ok());
}

TEST_F(RebuildTest, tables_that_are_gone_are_built) {
  std::filesystem::remove_all(files().projections);
  ASSERT_TRUE(rebuild(dir(), clock_).ok());
  EXPECT_EQ(all_rows(), rows_);
}

TEST_F(RebuildTest, a_ledger_that_is_being_served_is_refused) {
  {
    const LedgerRig rig(dir(), clock_);
    EXPECT_EQ(rebuild(dir(), clock_).status().code(), StatusCode::kConflict);
    EXPECT_FALSE(has_leftovers());
  }
  EXPECT_EQ(all_rows(), rows_);
}

TEST_F(RebuildTest, an_absent_ledger_is_not_found) {
  EXPECT_EQ(rebuild(temp_.file("absent"), clock_).status().code(), StatusCode::kNotFound);
}

TEST_F(RebuildTest, a_crash_while_building_leaves_the_old_tables) {
  copy_tree(files().projections, files().fresh_projections);
  std::filesystem::remove(files().fresh_projections + "/CURRENT");
  ASSERT_TRUE(settle_rebuild(dir()).ok());
  EXPECT_EQ(all_rows(), rows_);
  EXPECT_FALSE(has_leftovers());
}

TEST_F(RebuildTest, a_crash_between_the_renames_leaves_the_new_tables) {
  copy_tree(files().projections, files().fresh_projections);
  std::filesystem::rename(files().projections, files().old_projections);
  std::filesystem::remove(files().old_projections + "/CURRENT");
  ASSERT_TRUE(settle_rebuild(dir()).ok());
  EXPECT_EQ(all_rows(), rows_);
  EXPECT_FALSE(has_leftovers());
}

TEST_F(RebuildTest, a_crash_after_the_renames_leaves_the_new_tables) {
  copy_tree(files().projections, files().old_projections);
  std::filesystem::remove(files().old_projections + "/CURRENT");
  make_ledger(dir(), clock_, 1, 9);  // Opens, as a server would.
  EXPECT_FALSE(has_leftovers());
  EXPECT_TRUE(verify(dir())->ok());
}

}  // namespace
}  // namespace daybook::replay

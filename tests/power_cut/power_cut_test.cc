// Power cuts in process: a hundred in every run, and the proof that lost syncs are noticed.
#include <string>

#include <gtest/gtest.h>

#include "tests/eventstore/temp_dir.h"
#include "tests/power_cut/campaign.h"

namespace daybook::power_cut {
namespace {

CampaignResult run(std::uint64_t seed, std::uint64_t cuts, PowerCutDisk::Syncs syncs) {
  const eventstore::TempDir dir;
  CampaignOptions options;
  options.seed = seed;
  options.cuts = cuts;
  options.directory = dir.path();
  options.syncs = syncs;
  return run_campaign(options);
}

std::string told(const CampaignResult& result) {
  std::string text;
  for (const std::string& failure : result.first_failures) text += failure + "\n";
  return text;
}

class PowerCutTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PowerCutTest, what_was_acknowledged_is_there_and_the_read_models_are_its_fold) {
  const CampaignResult result = run(GetParam(), 25, {});
  EXPECT_EQ(result.failures(), 0U) << told(result);
  EXPECT_EQ(result.cuts, 25U);
  EXPECT_GT(result.acknowledged_events, 1'000U);
  EXPECT_GT(result.lost_bytes + result.lost_names, 0U)
      << "the cuts cost nothing and proved nothing";
  EXPECT_GT(result.folds_compared, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerCutTest, ::testing::Values(1, 2, 3, 4));

/// Runs until `counts` finds something: which thread comes first is the scheduler's, so that no
/// seed is sure to lose anything.
bool is_caught(PowerCutDisk::Syncs syncs, std::uint64_t (*counts)(const CampaignResult&)) {
  constexpr std::uint64_t kRuns = 15;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    if (counts(run(seed, 40, syncs)) > 0) return true;
  }
  return false;
}

std::uint64_t failures_of(const CampaignResult& result) { return result.failures(); }
std::uint64_t lost_of(const CampaignResult& result) { return result.lost; }

TEST(PowerCutSelfTest, a_disk_whose_syncs_do_nothing_is_caught) {
  EXPECT_TRUE(is_caught({false, false, false, false}, failures_of));
}

TEST(PowerCutSelfTest, acknowledged_entries_that_are_gone_with_their_watermark_are_missed) {
  EXPECT_TRUE(is_caught({false, false, true, true}, lost_of)) << "only the driver can know";
}

TEST(PowerCutSelfTest, a_log_whose_syncs_do_nothing_is_refused_by_its_watermark) {
  const auto refusals = [](const CampaignResult& result) {
    EXPECT_EQ(result.lost, 0U) << told(result);
    return result.refused;
  };
  EXPECT_TRUE(is_caught({false, true, true, true}, refusals));
}

TEST(PowerCutSelfTest, directories_whose_syncs_do_nothing_are_caught) {
  EXPECT_TRUE(is_caught({true, true, true, false}, failures_of));
}

}  // namespace
}  // namespace daybook::power_cut

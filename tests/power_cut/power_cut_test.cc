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

TEST(PowerCutSelfTest, a_disk_whose_syncs_do_nothing_is_caught) {
  EXPECT_GT(run(1, 40, {false, false, false, false}).failures(), 0U);
}

TEST(PowerCutSelfTest, acknowledged_entries_that_are_gone_with_their_watermark_are_missed) {
  const CampaignResult result = run(1, 40, {false, false, true, true});
  EXPECT_GT(result.lost, 0U) << "only the driver can know";
}

TEST(PowerCutSelfTest, a_log_whose_syncs_do_nothing_is_refused_by_its_watermark) {
  const CampaignResult result = run(1, 40, {false, true, true, true});
  EXPECT_GT(result.refused, 0U);
  EXPECT_EQ(result.lost, 0U) << told(result);
}

TEST(PowerCutSelfTest, directories_whose_syncs_do_nothing_are_caught) {
  EXPECT_GT(run(1, 40, {true, true, true, false}).failures(), 0U);
}

}  // namespace
}  // namespace daybook::power_cut

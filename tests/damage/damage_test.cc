// Single faults in the files of a small ledger: a sample in every run, and the proof that an oracle
// that looks away is noticed. All of them: scripts/damage.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/damage/campaign.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::damage {
namespace {

CampaignResult run(const std::string& match, std::uint64_t stride, Weakness weakness) {
  const eventstore::TempDir dir;
  CampaignOptions options;
  options.directory = dir.file("campaign");
  options.match = match;
  options.stride = stride;
  options.jobs = 2;
  options.weakness = weakness;
  options.hang_seconds = weakness == Weakness::kHangs ? 1 : 60;
  return run_campaign(options);
}

std::string told(const CampaignResult& result) {
  std::string text;
  for (const std::string& finding : result.findings) text += finding + "\n";
  return text;
}

TEST(DamageTest, a_single_fault_is_noticed_or_harmless) {
  const CampaignResult result = run("", 5'003, Weakness::kNone);
  EXPECT_EQ(result.of(Verdict::kSilent), 0U) << told(result);
  EXPECT_EQ(result.of(Verdict::kCrash), 0U) << told(result);
  EXPECT_EQ(result.of(Verdict::kHang), 0U) << told(result);
  EXPECT_EQ(result.of(Verdict::kRefusedOtherwise), 0U) << told(result);
  EXPECT_LT(result.of(Verdict::kAssertion), 5U) << told(result);
  EXPECT_GT(result.of(Verdict::kRefused), 500U) << "the faults cost nothing and proved nothing";
  EXPECT_GT(result.of(Verdict::kHarmless), 100U);
  EXPECT_GT(result.of(Verdict::kFoundByVerify), 0U);
}

TEST(DamageSelfTest, a_log_that_is_believed_without_its_watermark_is_caught) {
  EXPECT_GT(run("clean/log/0", 1'499, Weakness::kNoWatermark).of(Verdict::kSilent), 0U);
}

TEST(DamageSelfTest, private_values_that_only_verify_misses_are_caught) {
  EXPECT_GT(run("clean/private/0", 1'499, Weakness::kNoVerify).of(Verdict::kSilent), 0U);
}

TEST(DamageSelfTest, a_fault_that_ends_the_process_is_found_and_the_others_are_judged) {
  const CampaignResult result = run("clean/log.watermark:", 4'001, Weakness::kAborts);
  EXPECT_EQ(result.of(Verdict::kCrash), 1U) << told(result);
  ASSERT_EQ(result.findings.size(), 1U) << told(result);
  EXPECT_NE(result.findings[0].find("clean/log.watermark:delete"), std::string::npos);
  EXPECT_GT(result.of(Verdict::kHarmless) + result.of(Verdict::kRefused), 5U);
}

TEST(DamageSelfTest, a_fault_without_an_answer_is_found_and_the_others_are_judged) {
  const CampaignResult result = run("clean/log.watermark:", 4'001, Weakness::kHangs);
  EXPECT_EQ(result.of(Verdict::kHang), 1U) << told(result);
  EXPECT_GT(result.of(Verdict::kHarmless) + result.of(Verdict::kRefused), 5U);
}

TEST(DamageSelfTest, a_fault_is_found_again_by_its_name) {
  const eventstore::TempDir dir;
  const std::string root = dir.file("ledger");
  std::filesystem::create_directory(root);
  const pid_t child = ::fork();  // RocksDB's threads are not for this process.
  ASSERT_GE(child, 0);
  if (child == 0) {
    make_ledger(root);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const Ledger ledger = load_ledger(root);
  std::uint64_t kinds = 0;
  for (const Mutations& some : all_mutations(ledger, {}, 97)) {
    const Mutation last = some.at(some.tried() - 1);
    const auto found = find_mutation(ledger, last.name());
    ASSERT_TRUE(found) << last.name();
    EXPECT_EQ(found->name(), last.name());
    EXPECT_EQ(found->changes(), last.changes()) << last.name();
    kinds |= std::uint64_t{1} << static_cast<unsigned>(last.kind);
    if (last.kind == Mutation::Kind::kZero || last.changes().empty()) continue;
    const auto& [file, bytes] = last.changes().front();
    EXPECT_TRUE(!bytes || *bytes != last.image->files.at(file)) << last.name() << " is no fault";
  }
  EXPECT_EQ(kinds, 0xFFU) << "of a kind there is none";
  EXPECT_FALSE(find_mutation(ledger, "clean/log.watermark:bit:99999999"));
  EXPECT_FALSE(find_mutation(ledger, "clean/nothing:delete"));
}

}  // namespace
}  // namespace daybook::damage

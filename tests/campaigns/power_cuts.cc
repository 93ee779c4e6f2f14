// Power cuts under the store, in process (tests/power_cut/campaign.h): as many as one likes.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "tests/power_cut/campaign.h"

namespace daybook::power_cut {
namespace {

constexpr const char* kUsage =
    "usage: power_cuts [--cuts N] [--seed S] [--history H]\n"
    "                  [--sync all|none|no-commit|no-wal|no-watermark|no-directories]\n"
    "  cuts the power N times (1000) under a log and its read models; --history H begins with that "
    "history of the seed.\n"
    "  Exit 0: nothing acknowledged was lost, nothing is there that was not appended, and all else "
    "holds.\n"
    "  With syncs that do nothing it must fail: exit 1.\n";

bool parse(const char* text, std::uint64_t& value) {
  const char* end = text + std::strlen(text);
  return std::from_chars(text, end, value).ptr == end && end != text;
}

bool parse_syncs(const std::string& text, PowerCutDisk::Syncs& syncs) {
  if (text == "all") return true;
  if (text == "none") {
    syncs = {false, false, false, false};
  } else if (text == "no-commit") {
    syncs.wal = syncs.watermark = false;
  } else if (text == "no-wal") {
    syncs.wal = false;
  } else if (text == "no-watermark") {
    syncs.watermark = false;
  } else if (text == "no-directories") {
    syncs.directories = false;
  } else {
    return false;
  }
  return true;
}

bool parse(int count, char** arguments, CampaignOptions& options) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const std::string name = arguments[i];
    const char* value = arguments[i + 1];
    const bool good = name == "--cuts"      ? parse(value, options.cuts)
                      : name == "--seed"    ? parse(value, options.seed)
                      : name == "--history" ? parse(value, options.first_history)
                      : name == "--sync"    ? parse_syncs(value, options.syncs)
                                            : false;
    if (!good) return false;
  }
  return true;
}

void print(const char* name, std::uint64_t value) {
  std::printf("%-24s %llu\n", name, static_cast<unsigned long long>(value));
}

int run(int count, char** arguments) {
  CampaignOptions options;
  options.cuts = 1000;
  if (!parse(count, arguments, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  options.directory = (std::filesystem::temp_directory_path() /
                       ("daybook-power-cuts-" + std::to_string(options.seed)))
                          .string();
  std::printf("power cuts: %llu cuts, seed %llu\n", static_cast<unsigned long long>(options.cuts),
              static_cast<unsigned long long>(options.seed));
  const CampaignResult result = run_campaign(options);
  std::printf("the power went at:\n");
  for (const auto& [where, times] : result.cut_at) {
    std::printf("  %6llu  %s\n", static_cast<unsigned long long>(times), where.c_str());
  }
  print("histories", result.histories);
  print("cuts", result.cuts);
  print("acknowledged entries", result.acknowledged_entries);
  print("acknowledged events", result.acknowledged_events);
  print("unknown, kept", result.unknown_kept);
  print("unknown, gone", result.unknown_gone);
  print("folds compared", result.folds_compared);
  print("unsynced bytes lost", result.lost_bytes);
  print("unsynced names lost", result.lost_names);
  print("LOST entries", result.lost);
  print("PHANTOM entries", result.phantom);
  print("BROKEN logs", result.broken);
  print("REFUSED to open", result.refused);
  print("DIFFERING read models", result.differing);
  for (const std::string& failure : result.first_failures) std::printf("! %s\n", failure.c_str());
  std::error_code ignored;
  if (result.failures() == 0) std::filesystem::remove_all(options.directory, ignored);
  return result.failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace daybook::power_cut

int main(int count, char** arguments) { return daybook::power_cut::run(count, arguments); }

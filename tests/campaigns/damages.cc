// Every single fault in the files of a small ledger (tests/damage/campaign.h).
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include <unistd.h>

#include "tests/damage/campaign.h"

namespace daybook::damage {
namespace {

constexpr const char* kUsage =
    "usage: damages [--directory D] [--keep yes] [--stride N] [--jobs N] [--match PREFIX]\n"
    "               [--only MUTATION] [--weakness no-watermark|no-verify|aborts|hangs]\n"
    "  Damages copies of a small ledger, one fault each: every bit, every length, every file\n"
    "  deleted, swapped, older. --keep yes leaves the ledger in D, and --only takes a fault from\n"
    "  the list of such a run. --stride N: of bits and lengths one in N.\n"
    "  Exit 0: every fault was noticed or harmless. With a weakness it must fail: exit 1.\n";

bool parse(const char* text, std::uint64_t& value) {
  const char* end = text + std::strlen(text);
  return std::from_chars(text, end, value).ptr == end && end != text && value > 0;
}

bool parse_weakness(const std::string& text, Weakness& weakness) {
  if (text == "no-watermark") {
    weakness = Weakness::kNoWatermark;
  } else if (text == "no-verify") {
    weakness = Weakness::kNoVerify;
  } else if (text == "aborts") {
    weakness = Weakness::kAborts;
  } else if (text == "hangs") {
    weakness = Weakness::kHangs;
  } else {
    return false;
  }
  return true;
}

bool parse(int count, char** arguments, CampaignOptions& options) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    bool good = true;
    if (name == "--directory") {
      options.directory = value;
    } else if (name == "--keep") {
      options.keep = good = value == "yes";
    } else if (name == "--match") {
      options.match = value;
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--stride") {
      good = parse(arguments[i + 1], options.stride);
    } else if (name == "--jobs") {
      good = parse(arguments[i + 1], options.jobs) && options.jobs <= 16;
    } else if (name == "--weakness") {
      good = parse_weakness(value, options.weakness);
    } else {
      good = false;
    }
    if (!good) return false;
  }
  return true;
}

std::string directory_in_memory() {
  constexpr const char* kMemory = "/dev/shm";
  const std::filesystem::path base = ::access(kMemory, W_OK) == 0
                                         ? std::filesystem::path(kMemory)
                                         : std::filesystem::temp_directory_path();
  return (base / ("daybook-damages-" + std::to_string(::getpid()))).string();
}

void print_row(const std::string& name, const Counts& counts) {
  std::printf("%-32s", name.c_str());
  for (std::size_t i = 1; i < counts.size(); ++i) {
    std::printf(" %14llu", static_cast<unsigned long long>(counts[i]));
  }
  std::printf("\n");
}

int run(int count, char** arguments) {
  CampaignOptions options;
  options.progress = true;
  if (!parse(count, arguments, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options.directory.empty()) options.directory = directory_in_memory();
  std::printf("damages: %s\n", options.directory.c_str());
  const CampaignResult result = run_campaign(options);
  if (result.faults == 0) {
    std::fputs("damages: there is no such fault\n", stderr);
    return 2;
  }
  for (const std::string& finding : result.findings) std::printf("! %s\n", finding.c_str());
  std::printf("%-32s", "");
  for (std::size_t i = 1; i < result.totals.size(); ++i) {
    std::printf(" %14s", name_of(static_cast<Verdict>(i)));
  }
  std::printf("\n");
  for (const auto& [name, counts] : result.by_class) print_row(name, counts);
  print_row("all", result.totals);
  std::printf("%llu faults, %llu tried in %.0f s; %llu in files that no opening reads\n",
              static_cast<unsigned long long>(result.faults),
              static_cast<unsigned long long>(result.tried()), result.seconds,
              static_cast<unsigned long long>(result.unread));
  const std::uint64_t bad =
      result.of(Verdict::kSilent) + result.of(Verdict::kCrash) + result.of(Verdict::kHang);
  return bad == 0 ? 0 : 1;
}

}  // namespace
}  // namespace daybook::damage

int main(int count, char** arguments) { return daybook::damage::run(count, arguments); }

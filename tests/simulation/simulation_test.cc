#include "tests/simulation/simulation.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace daybook::simulation {
namespace {

#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeeds = 2'000;
#else
constexpr std::uint64_t kSeeds = 150;
#endif
/// Fewer seeds than this may miss a path by chance.
constexpr std::uint64_t kSeedsForAllPaths = 500;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread.
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A CHECK ends the process, so the seed must be where a signal handler finds it.
volatile std::uint64_t running_seed = 0;
void tell_seed(int) {
  char text[96];
  const int size = std::snprintf(text, sizeof(text), "\nreplay: DAYBOOK_SIM_SEED=%llu\n",
                                 static_cast<unsigned long long>(running_seed));
  static_cast<void>(std::fwrite(text, 1, static_cast<std::size_t>(size), stderr));
}

struct Outcome {
  std::string failure;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t steps = 0;
  std::map<std::string, std::uint64_t> marks;
};

Outcome run(std::uint64_t seed, bool print = false) {
  running_seed = seed;
  static_cast<void>(std::signal(SIGABRT, tell_seed));
  Trace trace(print);
  Simulation simulation(seed, trace);
  Outcome outcome;
  try {
    simulation.run();
  } catch (const Violation& violation) {
    outcome.failure = "seed " + std::to_string(seed) + ", step " +
                      std::to_string(simulation.step()) + ": " + violation.what() +
                      "\nlast lines:\n" + trace.last_lines() +
                      "replay: DAYBOOK_SIM_SEED=" + std::to_string(seed);
  }
  static_cast<void>(std::signal(SIGABRT, SIG_DFL));
  outcome.hash = trace.hash();
  outcome.events = simulation.events();
  outcome.steps = simulation.step();
  outcome.marks = trace.marks();
  return outcome;
}

/// Paths that any few hundred seeds must walk: a run that misses one tests less than it says.
constexpr const char* kPaths[] = {
    "append unknown",
    "unknown append was kept",
    "unknown append was lost",
    "crash between append and on_committed",
    "crash with an entry in flight",
    "crash between two tables of a batch",
    "look-up in the middle of a batch",
    "proper end",
    "restored under the next generation",
    "offered after the store failed",
    "duplicate joined in the open entry",
    "duplicate joined in flight",
    "duplicate found in the tail",
    "duplicate found by the index",
    "duplicate after a restart",
    "duplicate of a repeated payment",
    "bounced: floor",
    "bounced: missing account",
    "named an event in the window",
    "named an event while a newer reference was in the window",
    "waited behind an older command",
    "decided with newer look-ups",
    "state evicted",
    "indexed before the sequencer knew of the commit",
    "entry sealed because it was full",
    "hold expired before another command",
    "more was due than one decision settles",
    "frozen account closed and reopened",
    "claim conflict",
    "payment repeated under another key",
    "nothing changed, with a key",
    "answer: limited",
    "answer: key-reused",
    "answer: unchanged",
    "answer: rejected",
    "answer: version-mismatch",
    "If-Match right",
    "effective in the past",
    "clock went back",
    "started with the clock behind a closed moment",
    "a read of the log failed",
    "a moment could not be closed",
    "append to a failed log",
    "an opening failed and was repeated",
    "opened with an unproven tail",
    "a torn entry is put aside",
    "a torn watermark is healed",
    "opened after a failed sync",
    "the power went after a failed sync",
    "refused: damaged",
    "harmless: damaged",
    "refused: rows rolled back",
    "harmless: watermark rolled back",
};

TEST(SimulationTest, seeds) {
  if (const std::uint64_t seed = number_from("DAYBOOK_SIM_SEED", 0); seed != 0) {
    const Outcome outcome = run(seed, true);
    ASSERT_EQ(outcome.failure, "");
    return;
  }
  const std::uint64_t first = number_from("DAYBOOK_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("DAYBOOK_SIM_SEEDS", kSeeds);
  const auto begin = std::chrono::steady_clock::now();
  std::map<std::string, std::uint64_t> marks;
  std::uint64_t events = 0;
  std::uint64_t steps = 0;
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < 3; ++seed) {
    const Outcome outcome = run(seed);
    if (!outcome.failure.empty()) {
      ADD_FAILURE() << outcome.failure;
      ++failures;
    }
    events += outcome.events;
    steps += outcome.steps;
    for (const auto& [path, times] : outcome.marks) marks[path] += times;
  }
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  std::printf("%llu seeds from %llu: %llu steps, %llu events, %lld ms\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(steps), static_cast<unsigned long long>(events),
              static_cast<long long>(spent.count()));
  for (const auto& [path, times] : marks) {
    std::printf("  %8llu  %s\n", static_cast<unsigned long long>(times), path.c_str());
  }
  if (failures > 0 || count < kSeedsForAllPaths) return;
  for (const char* path : kPaths) EXPECT_GT(marks[path], 0U) << "never reached: " << path;
}

TEST(SimulationTest, the_same_seed_twice_is_the_same_run) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Outcome first = run(seed);
    const Outcome second = run(seed);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.events, second.events) << "seed " << seed;
  }
  EXPECT_NE(run(1).hash, run(2).hash);
}

}  // namespace
}  // namespace daybook::simulation

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/bench_load.h"
#include "app/node.h"
#include "app/stop_signal.h"
#include "domain/base/result.h"

/// What `daybook bench` measures and on what. Everything is measured with the settings that `serve`
/// has: each group commit is in the synced WAL and the synced watermark before it is answered.
namespace daybook::app {

/// The machine that a figure belongs to.
struct BenchMachine {
  std::string cpu;
  unsigned cores = 0;
  std::string kernel;
  std::string filesystem;               ///< Of the directory that is written to.
  std::uint64_t sync_microseconds = 0;  ///< Median of writing 4 KiB and fdatasync.
};

/// Errors: kIo.
Result<BenchMachine> describe_machine(const std::string& dir);

struct BenchLoad {
  std::size_t batch = 1'000;  ///< Commands of one batch.
  std::size_t batches = 4;    ///< Batches in flight: a client that pipelines.
  std::size_t accounts = 10'000;
  BenchAccounts distribution = BenchAccounts::kUniform;
  BenchKeys keys = BenchKeys::kOrdered;
  std::uint64_t milliseconds = 5'000;  ///< Of one run.
};

/// What one run did.
struct BenchRun {
  std::uint64_t events_per_second = 0;
  /// Of the whole process, its load included; says more than the rate where others use the cores.
  std::uint64_t cpu_nanoseconds_per_event = 0;
};

/// Opens the accounts that the load charges; those that an earlier bench opened may be there.
/// Errors: a command was not taken.
Status open_bench_accounts(Node& node, const BenchLoad& load, const StopSignal& stop);

/// One run: charges (`record`) in a closed loop of batches, from one thread. kIo if asked to stop.
Result<BenchRun> run_charges(Node& node, const BenchLoad& load, const StopSignal& stop);

/// Charges as fast as it can until `events` are in the ledger, whatever put them there, and the
/// read models have them. Errors: as run_charges.
Status preload(Node& node, const BenchLoad& load, std::uint64_t events, const StopSignal& stop);

/// The events of a ledger that is closed, packed anew at `batch` events a body, at most
/// `events_max`, the last ones. Errors: those of the log.
struct BenchBodies {
  struct Body {
    std::string bytes;
    std::uint32_t count = 0;
  };
  std::vector<Body> bodies;
  std::uint64_t events = 0;
};
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): both count events, in the order of the text
Result<BenchBodies> read_bodies(const std::string& dir, std::size_t batch,
                                std::uint64_t events_max);

/// One run of the bare Entry layout: the bodies, round and round, appended to a new log in `dir`
/// and nothing else. Gives events/s. kIo if asked to stop.
Result<std::uint64_t> run_bare_log(const std::string& dir, const BenchBodies& bodies,
                                   std::uint64_t milliseconds, const StopSignal& stop);

/// Reads the whole log of a ledger that is closed, its chain computed anew. Gives events/s.
/// Errors: those of the log; kIo if asked to stop.
Result<std::uint64_t> read_log_rate(const std::string& dir, const StopSignal& stop);

/// REQUIRES: not empty.
std::uint64_t median_of(std::vector<std::uint64_t> values);

/// Events per second.
std::uint64_t rate_of(std::uint64_t events, std::uint64_t microseconds);

}  // namespace daybook::app

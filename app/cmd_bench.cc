#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/bench_parts.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/node.h"
#include "app/progress.h"
#include "app/scratch_dir.h"
#include "app/stop_signal.h"
#include "domain/base/result.h"
#include "eventstore/json_text.h"

namespace daybook::app {
namespace {

using eventstore::JsonObject;

constexpr int kRuns = 3;
/// Of one ledger's events, what the bare log writes again: enough to fill no cache by itself.
constexpr std::uint64_t kBareEventsMax = 300'000;
constexpr const char* kSyncMode =
    "every group commit: WAL fdatasync, then watermark fdatasync, then the answer";

struct Options {
  std::string data;
  std::vector<std::size_t> batches = {1'000};
  std::uint64_t seconds = 3;
  std::size_t pipeline = 4;
  bool json = false;
};

/// One line of the result.
struct Figure {
  BenchLoad load;
  std::vector<std::uint64_t> ledger;  ///< events/s of each run
  std::vector<std::uint64_t> bare;
};

/// Parts per thousand, as "0.123".
std::string ratio_text(std::uint64_t part, std::uint64_t whole) {
  const std::uint64_t thousandths = whole == 0 ? 0 : part * 1'000 / whole;
  std::string digits = std::to_string(thousandths % 1'000);
  digits.insert(0, 3 - digits.size(), '0');
  return std::to_string(thousandths / 1'000) + "." + digits;
}

/// Runs of one batch size: the ledger on a new directory, then the bare log beside it with what the
/// ledger has written.
Result<Figure> measure(const std::string& parent, const BenchLoad& load, StopSignal& stop) {
  Figure figure{load, {}, {}};
  auto dir = ScratchDir::make(parent, "ledger");
  if (!dir.ok()) return dir.status();
  {
    Config config;
    config.data_dir = dir->path();
    auto node = Node::open(config);
    if (!node.ok()) return node.status();
    (*node)->on_failure([&stop] { stop.fail(); });
    Status status = open_bench_accounts(**node, load);
    for (int run = 0; run < kRuns && status.ok(); ++run) {
      auto rate = run_charges(**node, load, run, stop);
      if (!rate.ok()) return rate.status();
      figure.ledger.push_back(*rate);
      std::cerr << "  run " << run + 1 << ": " << with_commas(*rate) << " events/s\n";
      status = (*node)->catch_up();  // Each run begins with read models that are up to date.
    }
    if (!status.ok()) return status;
    (*node)->stop();
  }
  auto bodies = read_bodies(dir->path(), load.batch, kBareEventsMax);
  if (!bodies.ok()) return bodies.status();
  for (int run = 0; run < kRuns && !stop.stopping(); ++run) {
    auto bare_dir = ScratchDir::make(parent, "bare");
    if (!bare_dir.ok()) return bare_dir.status();
    auto rate = run_bare_log(bare_dir->path(), *bodies, load.milliseconds);
    if (!rate.ok()) return rate.status();
    figure.bare.push_back(*rate);
    std::cerr << "  bare " << run + 1 << ": " << with_commas(*rate) << " events/s\n";
  }
  if (stop.stopping()) return io_error("stopped");
  return figure;
}

std::string json_of(const BenchMachine& machine, const std::vector<Figure>& figures) {
  std::vector<std::string> rows;
  for (const Figure& figure : figures) {
    const std::uint64_t ledger = median_of(figure.ledger);
    const std::uint64_t bare = median_of(figure.bare);
    rows.push_back(JsonObject()
                       .number("batch", figure.load.batch)
                       .number("batches_in_flight", figure.load.batches)
                       .number("accounts", figure.load.accounts)
                       .number("run_milliseconds", figure.load.milliseconds)
                       .number("ledger_events_per_second", ledger)
                       .number("bare_entry_events_per_second", bare)
                       .string("ratio", ratio_text(ledger, bare))
                       .text());
  }
  return JsonObject()
      .string("cpu", machine.cpu)
      .number("cores", machine.cores)
      .string("kernel", machine.kernel)
      .string("filesystem", machine.filesystem)
      .number("fdatasync_4kib_microseconds", machine.sync_microseconds)
      .string("sync_mode", kSyncMode)
      .number("runs", kRuns)
      .raw("in_process", eventstore::json_array(rows))
      .text();
}

std::string text_of(const BenchMachine& machine, const std::vector<Figure>& figures) {
  std::string text = "machine    " + machine.cpu + ", " + std::to_string(machine.cores) +
                     " cores, Linux " + machine.kernel + ", " + machine.filesystem +
                     "\nfdatasync  " + with_commas(machine.sync_microseconds) +
                     " us (4 KiB, median)\nsync mode  " + kSyncMode + "\n\n" +
                     "charges in process: median of " + std::to_string(kRuns) +
                     " runs; bare = the same events as Entries to the log alone\n\n" +
                     "batch  in flight  events/s   bare events/s  ratio\n";
  const auto column = [&text](const std::string& value, std::size_t width) {
    text += value;
    text.append(width > value.size() ? width - value.size() : 1, ' ');
  };
  for (const Figure& figure : figures) {
    const std::uint64_t ledger = median_of(figure.ledger);
    const std::uint64_t bare = median_of(figure.bare);
    column(with_commas(figure.load.batch), 7);
    column(std::to_string(figure.load.batches) + " batches", 11);
    column(with_commas(ledger), 11);
    column(with_commas(bare), 15);
    text += ratio_text(ledger, bare) + "\n";
  }
  return text;
}

int run(const Options& options) {
  StopSignal stop;
  auto scratch = ScratchDir::make(options.data, "bench");
  if (!scratch.ok()) return report(scratch.status());
  auto machine = describe_machine(scratch->path());
  if (!machine.ok()) return report(machine.status());
  std::vector<Figure> figures;
  for (const std::size_t batch : options.batches) {
    BenchLoad load;
    load.batch = batch;
    load.batches = options.pipeline;
    load.milliseconds = options.seconds * 1'000;
    std::cerr << with_commas(batch) << " charges a batch, " << options.pipeline
              << " batches in flight, " << options.seconds << " s a run\n";
    auto figure = measure(scratch->path(), load, stop);
    if (!figure.ok()) return report(figure.status());
    figures.push_back(std::move(*figure));
  }
  std::cout << (options.json ? json_of(*machine, figures) + "\n" : text_of(*machine, figures));
  return kExitOk;
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("bench", "Measure durable charges against the bare log");
  auto options = std::make_shared<Options>();
  command->add_option("--data", options->data,
                      "Directory to make a scratch directory in, on the disk to be measured");
  command->add_option("--seconds", options->seconds, "Of one run [3]")->check(CLI::Range(1, 600));
  command
      ->add_option("--batch", options->batches, "Charges of one batch; several are allowed [1000]")
      ->check(CLI::Range(1, 8'192));
  command->add_option("--pipeline", options->pipeline, "Batches in flight [4]")
      ->check(CLI::Range(1, 64));
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([&chosen, options] { chosen = [options] { return run(*options); }; });
}

}  // namespace daybook::app

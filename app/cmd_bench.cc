#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/bench_load.h"
#include "app/bench_parts.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/node.h"
#include "app/progress.h"
#include "app/scratch_dir.h"
#include "app/stop_signal.h"
#include "app/trouble_lines.h"
#include "domain/base/check.h"
#include "domain/base/result.h"
#include "eventstore/json_text.h"
#include "replay/backup.h"

namespace daybook::app {
namespace {

using eventstore::JsonObject;

/// Of one ledger's events, what the bare log writes again: enough to fill no cache by itself.
constexpr std::uint64_t kBareEventsMax = 300'000;
constexpr const char* kSyncMode =
    "every group commit: WAL fdatasync, then watermark fdatasync, then the answer";

struct Options {
  std::string data;
  std::string ledger;
  std::vector<std::size_t> batches = {1'000};
  std::string accounts = "uniform";
  std::string keys = "ordered";
  std::size_t account_count = 10'000;
  std::uint64_t preload = 0;
  std::uint64_t seconds = 3;
  std::size_t runs = 3;
  std::size_t pipeline = 4;
  bool no_bare = false;
  bool read_log = false;
  bool json = false;
};

/// One line of the result.
struct Figure {
  BenchLoad load;
  std::uint64_t events_before = 0;    ///< In the ledger when the first run began.
  std::vector<std::uint64_t> ledger;  ///< events/s of each run
  std::vector<std::uint64_t> cpu;     ///< ns an event of each run
  std::vector<std::uint64_t> bare;
};

/// Parts per thousand, as "0.123".
std::string ratio_text(std::uint64_t part, std::uint64_t whole) {
  const std::uint64_t thousandths = whole == 0 ? 0 : part * 1'000 / whole;
  std::string digits = std::to_string(thousandths % 1'000);
  digits.insert(0, 3 - digits.size(), '0');
  return std::to_string(thousandths / 1'000) + "." + digits;
}

/// The runs on a whole node in `dir`, which is made if it is not there.
Status run_ledger(const std::string& dir, const Options& options, Figure& figure,
                  StopSignal& stop) {
  Config config;
  config.data_dir = dir;
  TroubleOnStderr trouble;
  auto node = Node::open(config, &trouble.lines);
  if (!node.ok()) return node.status();
  (*node)->on_failure([&stop] { stop.fail(); });
  Status status = open_bench_accounts(**node, figure.load, stop);
  if (status.ok()) status = preload(**node, figure.load, options.preload, stop);
  figure.events_before = (*node)->committed();
  for (std::size_t i = 0; i < options.runs && status.ok(); ++i) {
    const auto run = run_charges(**node, figure.load, stop);
    status = run.status();
    if (!status.ok()) break;
    figure.ledger.push_back(run->events_per_second);
    figure.cpu.push_back(run->cpu_nanoseconds_per_event);
    std::cerr << "  run " << i + 1 << ": " << with_commas(run->events_per_second) << " events/s, "
              << with_commas(run->cpu_nanoseconds_per_event) << " ns of CPU each\n";
    status = (*node)->catch_up();  // Each run begins with read models that are up to date.
  }
  return (*node)->stop_after(status);
}

/// Runs of one batch size: the ledger, then the bare log beside it with what the ledger has
/// written.
Result<Figure> measure(const std::string& scratch, const BenchLoad& load, const Options& options,
                       StopSignal& stop) {
  Figure figure;
  figure.load = load;
  auto own = ScratchDir::make(scratch, "ledger");
  if (!own.ok()) return own.status();
  const std::string dir = options.ledger.empty() ? own->path() : options.ledger;
  const Status status = run_ledger(dir, options, figure, stop);
  if (!status.ok()) return status;
  if (options.no_bare || options.runs == 0) return figure;
  auto bodies = read_bodies(dir, load.batch, kBareEventsMax);
  if (!bodies.ok()) return bodies.status();
  for (std::size_t run = 0; run < options.runs; ++run) {
    auto bare_dir = ScratchDir::make(scratch, "bare");
    if (!bare_dir.ok()) return bare_dir.status();
    auto rate = run_bare_log(bare_dir->path(), *bodies, load.milliseconds, stop);
    if (!rate.ok()) return rate.status();
    figure.bare.push_back(*rate);
    std::cerr << "  bare " << run + 1 << ": " << with_commas(*rate) << " events/s\n";
  }
  return figure;
}

std::string json_numbers(const std::vector<std::uint64_t>& numbers) {
  std::vector<std::string> texts;
  for (const std::uint64_t number : numbers) texts.push_back(std::to_string(number));
  return eventstore::json_array(texts);
}

std::string json_of(const Figure& figure) {
  JsonObject row;
  row.number("batch", figure.load.batch)
      .number("batches_in_flight", figure.load.batches)
      .number("accounts", figure.load.accounts)
      .string("distribution", to_text(figure.load.distribution))
      .string("keys", to_text(figure.load.keys))
      .number("run_milliseconds", figure.load.milliseconds)
      .number("events_before", figure.events_before);
  if (figure.ledger.empty()) return row.text();
  const std::uint64_t ledger = median_of(figure.ledger);
  row.number("ledger_events_per_second", ledger)
      .raw("ledger_runs", json_numbers(figure.ledger))
      .number("cpu_nanoseconds_per_event", median_of(figure.cpu));
  if (figure.bare.empty()) return row.text();
  const std::uint64_t bare = median_of(figure.bare);
  return row.number("bare_entry_events_per_second", bare)
      .raw("bare_runs", json_numbers(figure.bare))
      .string("ratio", ratio_text(ledger, bare))
      .text();
}

struct Report {
  BenchMachine machine;
  std::size_t runs = 0;
  std::vector<Figure> figures;
  std::optional<std::uint64_t> log_read;  ///< events/s
};

std::string json_of(const Report& report) {
  std::vector<std::string> rows;
  for (const Figure& figure : report.figures) rows.push_back(json_of(figure));
  JsonObject json;
  json.string("cpu", report.machine.cpu)
      .number("cores", report.machine.cores)
      .string("kernel", report.machine.kernel)
      .string("filesystem", report.machine.filesystem)
      .number("fdatasync_4kib_microseconds", report.machine.sync_microseconds)
      .string("sync_mode", kSyncMode)
      .number("runs", report.runs)
      .raw("in_process", eventstore::json_array(rows));
  if (report.log_read) json.number("log_read_events_per_second", *report.log_read);
  return json.text();
}

std::string text_of(const Report& report) {
  const BenchMachine& machine = report.machine;
  std::string text = "machine    " + machine.cpu + ", " + std::to_string(machine.cores) +
                     " cores, Linux " + machine.kernel + ", " + machine.filesystem +
                     "\nfdatasync  " + with_commas(machine.sync_microseconds) +
                     " us (4 KiB, median)\nsync mode  " + kSyncMode + "\n\n";
  const auto column = [&text](const std::string& value, std::size_t width) {
    text += value;
    text.append(width > value.size() ? width - value.size() : 1, ' ');
  };
  if (report.runs > 0) {
    text += "charges in process: medians of " + std::to_string(report.runs) +
            " runs; bare = the same events as Entries to the log alone\n\n" +
            "batch  in flight  events/s   CPU ns  bare events/s  ratio\n";
  }
  for (const Figure& figure : report.figures) {
    if (figure.ledger.empty()) continue;
    column(with_commas(figure.load.batch), 7);
    column(std::to_string(figure.load.batches) + " batches", 11);
    column(with_commas(median_of(figure.ledger)), 11);
    column(with_commas(median_of(figure.cpu)), 8);
    const bool has_bare = !figure.bare.empty();
    column(has_bare ? with_commas(median_of(figure.bare)) : "-", 15);
    text += has_bare ? ratio_text(median_of(figure.ledger), median_of(figure.bare)) : "-";
    text += '\n';
  }
  if (report.log_read) {
    text += "the whole log read, chain checked: " + with_commas(*report.log_read) + " events/s\n";
  }
  return text;
}

/// On the disk that is to be measured.
std::string scratch_parent(const Options& options) {
  if (!options.data.empty() || options.ledger.empty()) return options.data;
  std::error_code error;
  auto ledger = std::filesystem::absolute(options.ledger, error);
  if (!error) ledger = std::filesystem::weakly_canonical(ledger, error);
  if (!ledger.has_filename()) ledger = ledger.parent_path();  // It ended with a slash.
  return ledger.parent_path().string();
}

int run(const Options& options) {
  const auto distribution = parse_bench_accounts(options.accounts);
  const auto keys = parse_bench_keys(options.keys);
  CHECK(distribution && keys);  // The command line takes no others.
  StopSignal stop;
  const std::string place = scratch_parent(options);
  // What is left in one by a bench that is killed would spoil it.
  if (!place.empty()) {
    if (Status status = replay::check_outside_backups(place); !status.ok()) return report(status);
  }
  auto scratch = ScratchDir::make(place, "bench");
  if (!scratch.ok()) return report(scratch.status());
  auto machine = describe_machine(scratch->path());
  if (!machine.ok()) return report(machine.status());
  Report all{std::move(*machine), options.runs, {}, {}};
  for (const std::size_t batch : options.batches) {
    BenchLoad load;
    load.batch = batch;
    load.batches = options.pipeline;
    load.accounts = options.account_count;
    load.distribution = *distribution;
    load.keys = *keys;
    load.milliseconds = options.seconds * 1'000;
    std::cerr << with_commas(batch) << " charges a batch, " << options.pipeline
              << " batches in flight, " << options.seconds << " s a run\n";
    auto figure = measure(scratch->path(), load, options, stop);
    if (!figure.ok()) return report(figure.status());
    all.figures.push_back(std::move(*figure));
  }
  if (options.read_log) {
    const auto rate = read_log_rate(options.ledger, stop);
    if (!rate.ok()) return report(rate.status());
    all.log_read = *rate;
  }
  std::cout << (options.json ? json_of(all) + "\n" : text_of(all));
  return kExitOk;
}

void add_load_options(CLI::App& command, Options& options) {
  command
      .add_option("--batch", options.batches, "Charges of one batch; several are allowed [1000]")
      ->check(CLI::Range(1, 8'192));
  command.add_option("--pipeline", options.pipeline, "Batches in flight [4]")
      ->check(CLI::Range(1, 64));
  command.add_option("--accounts", options.account_count, "Accounts that are charged [10000]")
      ->check(CLI::Range(1, 10'000'000));
  command
      .add_option("--distribution", options.accounts,
                  "Which of them: uniform, zipf (theta 0.99) or hot (one takes all) [uniform]")
      ->check(CLI::IsMember({"uniform", "zipf", "hot"}));
  command.add_option("--keys", options.keys, "Idempotency keys: ordered or random [ordered]")
      ->check(CLI::IsMember({"ordered", "random"}));
  command
      .add_option("--preload", options.preload,
                  "Charges, at 8,190 a batch and not measured, until the ledger has so many events "
                  "[0]")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000'000}));
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("bench", "Measure durable charges against the bare log");
  auto options = std::make_shared<Options>();
  command->add_option("--data", options->data,
                      "Directory to make a scratch directory in, on the disk to be measured");
  auto* ledger = command->add_option(
      "--ledger", options->ledger,
      "Ledger to measure on: made if it is not there, and kept; without it a scratch one a batch");
  command->add_option("--seconds", options->seconds, "Of one run [3]")->check(CLI::Range(1, 600));
  command->add_option("--runs", options->runs, "Runs; 0 only preloads [3]")
      ->check(CLI::Range(0, 100));
  add_load_options(*command, *options);
  command->add_flag("--no-bare", options->no_bare, "Leave the bare log out");
  command
      ->add_flag("--read-log", options->read_log,
                 "Afterwards read the whole log, its chain computed anew")
      ->needs(ledger);
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([&chosen, options] { chosen = [options] { return run(*options); }; });
}

}  // namespace daybook::app

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/countdown.h"
#include "app/demo_data.h"
#include "app/node.h"
#include "app/progress.h"
#include "app/scratch_dir.h"
#include "app/settings.h"
#include "app/stop_signal.h"
#include "app/trouble_lines.h"
#include "domain/base/result.h"
#include "eventstore/command.h"
#include "eventstore/files.h"
#include "eventstore/system_ports.h"
#include "replay/ledger_files.h"

namespace daybook::app {
namespace {

constexpr std::uint64_t kSeed = 20'260'131;
/// Says that a directory is the demo's own, so that no real ledger gets made-up customers.
constexpr const char* kMarker = "/demo";

struct Options {
  std::string listen = "127.0.0.1:0";
  std::string data;
};

bool is_demo(const std::string& dir) { return eventstore::path_exists(dir + kMarker); }

Status not_the_demos(const std::string& dir) {
  return conflict(dir + " holds a ledger that is not the demo's");
}

/// Whether a directory may be used for the demo: it has none but demo data.
Status check_place(const std::string& dir) {
  const replay::LedgerFiles files(dir);
  const bool is_ledger =
      eventstore::path_exists(files.log) || eventstore::path_exists(files.watermark);
  return is_ledger && !is_demo(dir) ? not_the_demos(dir) : Status();
}

/// Marks a ledger that was just made: one that could not be made is nobody's, and one that somebody
/// else has made meanwhile is theirs.
Status claim(const Node& node, const std::string& dir) {
  if (is_demo(dir)) return {};
  if (node.new_admin_key().empty()) return not_the_demos(dir);
  return replay::write_file_durably(dir + kMarker, "This ledger was made by daybook demo.\n", 0600);
}

/// Runs the rounds until they are done or somebody asks to stop. Errors: what a command met that
/// cannot happen to one that is sound.
Status fill(Node& node, DemoData& data, const StopSignal& stop) {
  Progress progress("events", DemoData::kAccounts * DemoData::kRounds);
  for (auto commands = data.next_round(); !commands.empty() && !stop.stopping();
       commands = data.next_round()) {
    std::vector<eventstore::Answer> answers(commands.size());
    const auto countdown = std::make_shared<Countdown>(commands.size());
    for (std::size_t i = 0; i < commands.size(); ++i) {
      commands[i].tenant = TenantId(kFirstTenant);
      node.submit(std::move(commands[i]), [&answers, countdown, i](eventstore::Answer answer) {
        answers[i] = std::move(answer);
        countdown->arrive();
      });
    }
    countdown->wait();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      switch (answers[i].kind) {
        case eventstore::AnswerKind::kRecorded:
        case eventstore::AnswerKind::kReplayed:
        case eventstore::AnswerKind::kUnchanged:
        case eventstore::AnswerKind::kRefusalsLimited:
          break;
        case eventstore::AnswerKind::kRejected:
          return invalid("a command of the demo was rejected: " + answers[i].rejection.detail);
        case eventstore::AnswerKind::kKeyReused:
        case eventstore::AnswerKind::kVersionMismatch:
        case eventstore::AnswerKind::kOverloaded:
        case eventstore::AnswerKind::kUnknown:
          return io_error("a command of the demo was not taken");
      }
      data.learn(i, answers[i]);
    }
    progress.update(node.committed());
  }
  return stop.stopping() ? Status() : node.catch_up();
}

/// The key of a demo that was kept may have been put elsewhere.
std::string read_key(const Node& node, const std::string& dir) {
  if (!node.new_admin_key().empty()) return node.new_admin_key();
  std::ifstream file(replay::LedgerFiles(dir).admin_key);
  std::string key;
  std::getline(file, key);
  return key.empty() ? "THE_KEY_OF_THIS_DEMO" : key;
}

/// `position` is the end of the log: it makes the charge to try a new one each time.
void print_guide(const std::string& url, const std::string& key, const DemoData& data,
                 std::uint64_t position, bool is_new) {
  const std::string bearer = "curl -sS -w '\\n' -H 'Authorization: Bearer " + key + "' ";
  const std::string account = url + "/v1/accounts/" + data.account_id(0);
  std::cout
      << "daybook serves on " << url << "\nadmin key: " << key
      << "\n\nFor a second terminal:\n\nexport URL=" << url << " KEY=" << key
      << "\n\nThe balance of an account, a charge on it, and its latest transactions:\n\n"
      << bearer << "'" << account << "/balance'\n"
      << bearer << "-H 'Idempotency-Key: try-" << position
      << "' -H 'Content-Type: application/json' -d '"
      << R"({"amount":{"amount":"1.25","currency":")" << data.currency(0).code()
      << R"("},"description":"My first charge"})"
      << "' '" << account << "/charges'\n"
      << bearer << "'" << account << "/transactions?limit=5'\n"
      << (is_new ? "\nAll of it was recorded just now; its month lies in effective_at. So\n"
                   "balance?effective_at=... goes back into it, and as_of=... of last week is 404 "
                   "not-yet.\n"
                 : "\nIts month lies in effective_at; recorded it was when this demo was made.\n")
      << "\nThe contract to read: " << url << "/docs\n"
      << std::flush;
}

Status serve_demo(const Config& config, StopSignal& stop) {
  TroubleOnStderr trouble;
  const bool is_new = !is_demo(config.data_dir);
  auto opened = Node::open(config, &trouble.lines);
  if (!opened.ok()) return opened.status();
  const std::unique_ptr<Node> node = std::move(*opened);
  node->on_failure([&stop] { stop.fail(); });
  DemoData data(kSeed, eventstore::SystemClock().now());
  Status filled = claim(*node, config.data_dir);
  if (filled.ok()) filled = fill(*node, data, stop);
  if (!filled.ok()) return node->stop_after(filled);
  if (!stop.stopping()) {
    auto url = node->serve();
    if (!url.ok()) return node->stop_after(url.status());
    print_guide(*url, read_key(*node, config.data_dir), data, node->committed(), is_new);
    std::cerr << with_commas(node->committed()) << " events of " << DemoData::kAccounts
              << " made-up customers in " << config.data_dir << ". Ctrl-C ends the demo.\n";
  }
  stop.wait();
  return node->stop_after({});
}

int run(const Options& options) {
  StopSignal stop;
  std::optional<ScratchDir> scratch;
  SettingLayers layers;
  layers.flags = {{"listen", options.listen}, {"data", options.data}};
  if (options.data.empty()) {
    auto made = ScratchDir::make("", "demo");
    if (!made.ok()) return report(made.status());
    layers.flags["data"] = made->path();
    scratch.emplace(std::move(*made));
  }
  auto settings = resolve_settings(layers);
  if (!settings.ok()) return report_usage(settings.status().message());
  Status begun = Node::check_new(settings->config);
  if (begun.ok()) begun = check_place(settings->config.data_dir);
  if (!begun.ok()) return report(begun);
  const Status ended = serve_demo(settings->config, stop);
  if (!ended.ok()) return report(ended);
  std::cerr << "The demo has ended; its ledger " << (scratch ? "is removed.\n" : "stays.\n");
  return kExitOk;
}

}  // namespace

void add_demo(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand(
      "demo", "Serve a scratch ledger with made-up customers and a month of activity");
  auto options = std::make_shared<Options>();
  command->add_option("--listen", options->listen,
                      std::string(kListenHelp) + " [" + options->listen + "]");
  command->add_option("--data", options->data,
                      "Keep the ledger here, instead of in a temporary directory");
  command->callback([&chosen, options] { chosen = [options] { return run(*options); }; });
}

}  // namespace daybook::app

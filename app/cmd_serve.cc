#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/line_writer.h"
#include "app/message_lines.h"
#include "app/node.h"
#include "app/settings.h"
#include "app/stop_signal.h"
#include "app/trouble_lines.h"
#include "app/version.h"
#include "domain/base/result.h"
#include "eventstore/json_text.h"
#include "eventstore/system_ports.h"

namespace daybook::app {
namespace {

using eventstore::JsonObject;

struct Options {
  SettingValues flags;
  std::string config_file;
  bool witness_new = false;
};

int fail(MessageLines& messages, const Status& status) {
  messages.write(MessageLevel::kError, "failed", JsonObject().string("reason", status.message()));
  messages.say("daybook: " + status.message());
  return exit_code_of(status.code());
}

int serve(const Config& config, const std::vector<std::string>& unknown_variables) {
  StopSignal stop;
  MessageLines messages;
  // Opening may take long and loses nothing when it is cut off.
  stop.end_at_once(true);
  messages.write(MessageLevel::kInfo, "opening",
                 JsonObject().string("data", config.data_dir).string("version", version_text()));
  for (const std::string& name : unknown_variables) {
    messages.write(MessageLevel::kWarning, "unknown environment variable",
                   JsonObject().string("name", name));
  }
  const eventstore::SystemClock clock;
  TroubleLines trouble(messages, clock);
  if (Status status = Node::check_new(config); !status.ok()) return fail(messages, status);
  auto opened = Node::open(config, &trouble);
  if (!opened.ok()) return fail(messages, opened.status());
  const std::unique_ptr<Node> node = std::move(*opened);
  node->on_failure([&stop] { stop.fail(); });
  if (!node->new_admin_key().empty()) {
    std::cout << "admin key: " << node->new_admin_key() << "  (kept in " << config.data_dir
              << "/admin.key)\n"
              << std::flush;
  }
  auto url = node->serve();
  if (!url.ok()) return fail(messages, url.status());
  stop.end_at_once(false);
  messages.write(MessageLevel::kInfo, "serving",
                 JsonObject().string("url", *url).number("events", node->committed()));
  std::cout << "daybook serves on " << *url << '\n' << std::flush;

  const StopSignal::Reason reason = stop.wait();
  if (reason == StopSignal::Reason::kFailed) {
    const std::string why = node->failure().message();
    messages.write(MessageLevel::kError, "failed", JsonObject().string("reason", why));
    messages.say("daybook: " + config.data_dir + " cannot go on: " + why +
                 "\nNothing more is acknowledged. What was acknowledged is safe.");
  } else {
    messages.write(MessageLevel::kInfo, "stopping");
  }
  node->stop();
  // What failed on the way out, as the last telling of a witness, is a failure like any other.
  if (const Status failure = node->failure(); !failure.ok()) {
    if (reason != StopSignal::Reason::kFailed) messages.say("daybook: " + failure.message());
    // Without closing the stores, which would write and sync once more on a disk that lost
    // something.
    static_cast<void>(messages.flush(LineWriter::kEndTime));
    std::_Exit(kExitFailed);
  }
  messages.write(MessageLevel::kInfo, "stopped", JsonObject().number("events", node->committed()));
  return kExitOk;
}

int run(const Options& options) {
  auto settings = load_settings(options.flags, options.config_file, process_environment);
  if (!settings.ok()) return report_usage(settings.status().message());
  if (settings->log == "kafka" || !settings->kafka_brokers.empty()) {
    return report_usage("the kafka log is not available in this build; use --log rocksdb");
  }
  if (options.witness_new && settings->config.witness_file.empty()) {
    return report_usage("--witness-new needs --witness-file");
  }
  settings->config.witness_new = options.witness_new;
  return serve(settings->config, unknown_variables(process_environment_names()));
}

}  // namespace

void add_serve(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("serve", "Serve the ledger in a directory over HTTP");
  auto options = std::make_shared<Options>();
  add_setting_flags(*command, options->flags, options->config_file);
  command->add_flag("--witness-new", options->witness_new,
                    "Make the witness file anew though the ledger has events, where it is not "
                    "there; for one start, after a restore or with the first witness");
  command->callback([&chosen, options, command] {
    forget_absent_flags(*command, options->flags);
    chosen = [options] { return run(*options); };
  });
}

}  // namespace daybook::app

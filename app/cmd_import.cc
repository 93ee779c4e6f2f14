#include <cerrno>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>  // IWYU pragma: keep
#include <sys/stat.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/config.h"
#include "app/focus_import.h"
#include "app/http_client.h"
#include "app/import_target.h"
#include "app/node.h"
#include "app/settings.h"
#include "app/stop_signal.h"
#include "app/trouble_lines.h"
#include "domain/base/result.h"
#include "eventstore/files.h"
#include "eventstore/system_ports.h"

namespace daybook::app {
namespace {

struct Options {
  std::string file;
  std::string data;
  std::string url;
  std::string key_file;
  std::string config_file;
  bool keep_going = false;
  bool json = false;
};

/// The node of an import into a directory, and what it is imported through.
struct Destination {
  std::unique_ptr<TroubleOnStderr> trouble;
  std::unique_ptr<Node> node;
  std::unique_ptr<ImportTarget> target;
};

Result<Destination> open_destination(const Options& options, const Config& config) {
  Destination destination;
  if (!options.url.empty()) {
    auto target = HttpTarget::open(options.url, options.key_file);
    if (!target.ok()) return target.status();
    destination.target = std::move(*target);
    return destination;
  }
  destination.trouble = std::make_unique<TroubleOnStderr>();
  auto node = Node::open(config, &destination.trouble->lines);
  if (!node.ok()) return node.status();
  destination.node = std::move(*node);
  if (!destination.node->new_admin_key().empty()) {
    std::cerr << "A new ledger; its admin key is in " << config.data_dir << "/admin.key\n";
  }
  destination.target = std::make_unique<NodeTarget>(*destination.node);
  return destination;
}

/// A pipe gives its bytes once, and the import reads them twice.
Status check_file(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return {};  // Opening it says why.
  if (S_ISREG(info.st_mode)) return {};
  return invalid("import focus: " + path + " is not a regular file; it is read twice");
}

/// Opens the file anew: the import reads it twice.
Result<std::ifstream> open_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (file) return file;
  const int reason = errno;
  return reason == ENOENT ? not_found(path + ": no such file")
                          : eventstore::errno_status("open", path, reason);
}

Status book(FocusImport& import, const std::string& path, Destination& destination,
            StopSignal& stop) {
  Node* node = destination.node.get();
  if (node != nullptr) node->on_failure([&stop] { stop.fail(); });
  auto file = open_file(path);
  const Status status = file.ok() ? import.book(*file, *destination.target, stop) : file.status();
  return node == nullptr ? status : node->stop_after(status);
}

int import_focus(const Options& options, const Config& config) {
  StopSignal stop;
  FocusImport import({options.keep_going, eventstore::SystemClock().now()}, std::cerr);
  auto file = open_file(options.file);
  if (!file.ok()) return report(file.status());
  Status status = import.check(*file, stop);
  if (status.ok() && import.may_book()) {
    auto destination = open_destination(options, config);
    if (!destination.ok()) return report(destination.status());
    status = book(import, options.file, *destination, stop);
  }
  std::cout << (options.json ? import.summary_json() + "\n" : import.summary_text());
  if (!status.ok()) return report(status);
  return import.complete() ? kExitOk : kExitFailed;
}

int run(const Options& options) {
  constexpr const char* kOneLedger =
      "import focus: give --data DIR (or DAYBOOK_DATA, or `data` in the --config file) or --url "
      "URL";
  if (!options.url.empty() && !options.data.empty()) return report_usage(kOneLedger);
  if (options.url.empty() != options.key_file.empty()) {
    return report_usage("import focus: --url and --key-file go together");
  }
  const Status file = check_file(options.file);
  if (!file.ok()) return report_usage(file.message());
  if (!options.url.empty()) return import_focus(options, {});
  SettingValues flags;
  if (!options.data.empty()) flags["data"] = options.data;
  const auto layers = load_layers(flags, options.config_file, process_environment);
  if (!layers.ok()) return report_usage(layers.status().message());
  // No ledger is meant by saying nothing.
  if (!layers->name("data")) return report_usage(kOneLedger);
  const auto settings = resolve_settings(*layers);
  if (!settings.ok()) return report_usage(settings.status().message());
  for (const std::string& name : unknown_variables(process_environment_names())) {
    std::cerr << "daybook: warning: there is no setting for " << printable(name) << '\n';
  }
  return import_focus(options, settings->config);
}

}  // namespace

void add_import(CLI::App& app, Command& chosen) {
  auto* import = app.add_subcommand("import", "Import charges from a file");
  import->require_subcommand(1);
  auto* focus = import->add_subcommand(
      "focus", "Import a FinOps FOCUS 1.x cost-and-usage CSV; importing it twice changes nothing");
  auto options = std::make_shared<Options>();
  focus->add_option("file", options->file, "The CSV file; it is read twice")->required();
  focus->add_option("--data", options->data,
                    "Directory of a ledger that is not being served (DAYBOOK_DATA)");
  focus->add_option("--url", options->url, "URL of a served ledger")
      ->check([](const std::string& url) { return check_url(url).message(); });
  focus->add_option("--key-file", options->key_file, "File with a key for --url, bare");
  focus->add_option("--config", options->config_file, "TOML file with settings, for --data");
  focus->add_flag("--keep-going", options->keep_going,
                  "Import the rows that are right even though others are wrong");
  focus->add_flag("--json", options->json,
                  "Print the summary as one JSON object; rows = imported + already_there + refused "
                  "+ wrong + not_tried");
  focus->callback([&chosen, options] { chosen = [options] { return run(*options); }; });
}

}  // namespace daybook::app

#include "app/cli.h"

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/commands.h"
#include "app/settings.h"
#include "app/version.h"
#include "domain/base/check.h"
#include "domain/base/result.h"

namespace daybook::app {
namespace {

/// CLI11 says "A subcommand is required" where one was given that does not exist.
std::string unknown_command(const CLI::App& app) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  const auto left = last->remaining();
  const bool has_commands = !last->get_subcommands([](const CLI::App*) { return true; }).empty();
  if (!has_commands || left.empty()) return {};
  const bool is_option = left.front().starts_with('-');
  return "there is no " + std::string(is_option ? "option" : "command") + " \"" + left.front() +
         "\"";
}

/// An empty text is a variable that was never set: taken for "not given", it would widen what a
/// command does.
void refuse_empty_texts(CLI::App& app) {
  const CLI::Validator not_empty(
      [](const std::string& text) {
        return text.empty() ? std::string("expected a text that is not empty") : std::string();
      },
      "");
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) option->check(not_empty);
  }
  for (CLI::App* command : app.get_subcommands(nullptr)) refuse_empty_texts(*command);
}

}  // namespace

int exit_code_of(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kInvalid:
    case StatusCode::kIo:
      return kExitFailed;
    case StatusCode::kNotFound:
      return kExitNotFound;
    case StatusCode::kConflict:
      return kExitConflict;
    case StatusCode::kCorrupt:
      return kExitVerification;
    case StatusCode::kUnavailable:
      return kExitUnreachable;
  }
  CHECK(false);
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto at = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  // U+0080 to U+009F are controls, too; in UTF-8 they are C2 80 to C2 9F.
  const auto is_c1 = [&at](std::size_t i) {
    return at(i) == 0xc2U && at(i + 1) >= 0x80U && at(i + 1) < 0xa0U;
  };
  std::string safe;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = at(i);
    const bool is_c0 = (byte < 0x20U && byte != '\n') || byte == 0x7fU;
    if (is_c0 || is_c1(i) || (i > 0 && is_c1(i - 1))) {
      safe += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    } else {
      safe.push_back(text[i]);
    }
  }
  return safe;
}

int report(const Status& status) {
  std::cerr << "daybook: " << printable(status.message()) << '\n';
  return exit_code_of(status.code());
}

int report_usage(const std::string& message) {
  std::cerr << "daybook: " << printable(message) << '\n';
  return kExitUsage;
}

void add_setting_flags(CLI::App& app, SettingValues& flags, std::string& config_file) {
  app.add_option("--config", config_file, "TOML file with settings (DAYBOOK_CONFIG)")
      ->type_name("FILE");
  for (const SettingInfo& setting : all_settings()) {
    std::string help(setting.help);
    if (!setting.default_text.empty()) help += " [" + setting.default_text + "]";
    app.add_option(flag_of(setting.name), flags[std::string(setting.name)], help)
        ->type_name("VALUE");
  }
}

void forget_absent_flags(const CLI::App& app, SettingValues& flags) {
  std::erase_if(flags, [&app](const auto& flag) { return app.count(flag_of(flag.first)) == 0; });
}

void add_version(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("version", "Print which build this is");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([&chosen, json] {
    chosen = [json] {
      if (*json) {
        std::cout << version_json() << '\n';
      } else {
        std::cout << "daybook " << version_text() << '\n';
      }
      return kExitOk;
    };
  });
}

int run_command_line(int argc, const char* const* argv) {
  CLI::App app("Daybook: an event-sourced billing ledger.", "daybook");
  app.require_subcommand(1);
  app.set_version_flag("--version", "daybook " + std::string(version_text()),
                       "Print which build this is and exit");
  app.footer(
      "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 verification failed,\n"
      "6 unreachable. Settings: flags, then DAYBOOK_..., then --config, then defaults.");
  Command chosen;
  add_serve(app, chosen);
  add_demo(app, chosen);
  add_keys(app, chosen);
  add_import(app, chosen);
  add_offline_verbs(app, chosen);
  add_export(app, chosen);
  add_bench(app, chosen);
  add_version(app, chosen);
  refuse_empty_texts(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help asked for is data; everything else is a mistake, whatever CLI11's own numbers say.
    if (error.get_exit_code() == 0) return app.exit(error, std::cout, std::cerr);
    const std::string unknown = unknown_command(app);
    return report_usage((unknown.empty() ? error.what() : unknown) + "\nTry: daybook --help");
  }
  CHECK(chosen != nullptr);
  const int status = chosen();
  std::cout.flush();
  if (std::cout.good()) return status;
  std::cerr << "daybook: stdout cannot be written\n";
  return status == kExitOk ? kExitFailed : status;
}

}  // namespace daybook::app

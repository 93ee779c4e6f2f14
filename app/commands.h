#pragma once

#include <functional>
#include <string>

#include "app/settings.h"

namespace CLI {
class App;
}

/// The verbs of the command line, one file each (app/cmd_*.cc). Parsing only fills in; the chosen
/// command runs when all of it was understood.
namespace daybook::app {

/// What the command line turned out to ask for; gives the exit code.
using Command = std::function<int()>;

void add_serve(CLI::App& app, Command& chosen);
void add_demo(CLI::App& app, Command& chosen);
void add_keys(CLI::App& app, Command& chosen);
void add_import(CLI::App& app, Command& chosen);
/// Facts out of the log as files; works on a directory, needs no server.
void add_export(CLI::App& app, Command& chosen);
void add_bench(CLI::App& app, Command& chosen);
/// verify, replay, rebuild, inspect, backup and restore: work on a directory, need no server.
void add_offline_verbs(CLI::App& app, Command& chosen);
void add_version(CLI::App& app, Command& chosen);

/// The settings as flags of a command, to be read into `flags` and `config_file`, which outlive the
/// parsing.
void add_setting_flags(CLI::App& app, SettingValues& flags, std::string& config_file);
/// Once parsed: leaves those that were given.
void forget_absent_flags(const CLI::App& app, SettingValues& flags);

}  // namespace daybook::app

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "domain/base/result.h"

/// Where the settings of a node come from: flags beat the environment, which beats the TOML file,
/// which beats the defaults of Config. Pure functions; any thread.
namespace daybook::app {

/// A Config and what decides which kind of node it is for.
struct Settings {
  Config config;
  std::string log = "rocksdb";
  std::string kafka_brokers;
};

/// Texts by the name of the setting (`queue_commands_max`).
using SettingValues = std::map<std::string, std::string, std::less<>>;

struct SettingInfo {
  std::string_view name;  ///< Its key in the TOML file.
  std::string_view help;
  std::string default_text;
};

/// An IP address without brackets or the name of a host, and a port; 0 takes any free one.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;

  /// As it stands in a URL: an IPv6 address in brackets.
  std::string host_in_url() const;
};

/// Splits `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080` (letters, digits, `-`, `.` and `_`,
/// the last label no number); empty for anything else. Whether a name is known: app/resolve_host.h.
std::optional<ListenAddress> parse_listen(std::string_view text);

/// What `--listen` means, in the words of help.
inline constexpr std::string_view kListenHelp = "HOST:PORT to serve on; port 0 takes any free one";

/// Every setting, in the order in which help shows them.
std::vector<SettingInfo> all_settings();

/// `--queue-commands-max`; `DAYBOOK_QUEUE_COMMANDS_MAX`.
std::string flag_of(std::string_view name);
std::string environment_name_of(std::string_view name);

/// What the environment says; an empty variable counts as absent.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;
SettingValues settings_in_environment(const EnvironmentLookup& lookup);
/// The environment of this process.
std::optional<std::string> process_environment(const std::string& name);
std::vector<std::string> process_environment_names();
/// Those that begin with DAYBOOK_ and are none of ours: a setting that was misspelt, perhaps.
std::vector<std::string> unknown_variables(const std::vector<std::string>& names);

/// Reads a TOML 1.0 file's text. kInvalid, naming the place: no TOML, a key that is no setting, a
/// value of another type than the setting has. `origin` names the file in the messages.
Result<SettingValues> settings_in_toml(std::string_view text, const std::string& origin);

/// The three layers above the defaults.
struct SettingLayers {
  SettingValues flags;
  SettingValues environment;
  SettingValues file;

  /// Whether any of them says something of it: the default is not meant.
  bool name(const std::string& setting) const;
};

/// The settings in force. kInvalid, naming the setting in the words of the layer that it came from:
/// a number outside its bounds, an address that is none, half a TLS pair, an unknown kind of log.
Result<Settings> resolve_settings(const SettingLayers& layers);

/// Reads the file that `config_file` or DAYBOOK_CONFIG names, if any. Errors: those of
/// settings_in_toml; kInvalid too where the file cannot be read, since the command was wrong.
Result<SettingLayers> load_layers(SettingValues flags, std::string config_file,
                                  const EnvironmentLookup& lookup);
/// All of it for a command. Errors: those of both.
Result<Settings> load_settings(SettingValues flags, std::string config_file,
                               const EnvironmentLookup& lookup);

}  // namespace daybook::app

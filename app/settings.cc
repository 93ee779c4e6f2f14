#include "app/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <toml++/toml.h>  // IWYU pragma: keep
#include <unistd.h>

#include "app/config.h"
#include "domain/base/result.h"
#include "replay/ledger_files.h"

namespace daybook::app {
namespace {

using Member = std::variant<std::string Settings::*, std::string Config::*, std::uint64_t Config::*,
                            std::uint32_t Config::*, std::int64_t Config::*>;

struct Bounds {
  std::uint64_t minimum = 0;
  std::uint64_t maximum = 0;
};

/// One setting: where it goes and, for a number, between which bounds.
struct Setting {
  std::string_view name;
  std::string_view help;
  Member member;
  Bounds bounds = {};

  bool is_number() const { return member.index() >= 2; }
};

constexpr std::string_view kVariablePrefix = "DAYBOOK_";
constexpr const char* kConfigVariable = "DAYBOOK_CONFIG";
constexpr std::uint64_t kMillisecondsMax = 3'600'000;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;

// NOLINTNEXTLINE(readability-function-size): one table.
const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table = {
      {"data", "Directory of the ledger", &Config::data_dir},
      {"witness_file",
       "File elsewhere that remembers how far the log was, so that a rollback shows",
       &Config::witness_file},
      {"listen", kListenHelp, &Config::listen},
      {"log", "Log of record: rocksdb (kafka is not available in this build)", &Settings::log},
      {"kafka_brokers", "HOST:PORT,... of the brokers, for --log kafka", &Settings::kafka_brokers},
      {"tls_certificate_file", "PEM file with the certificate chain; turns HTTPS on",
       &Config::tls_certificate_file},
      {"tls_key_file", "PEM file with the certificate's key", &Config::tls_key_file},
      {"queue_commands_max",
       "Commands that may wait; beyond it 503",
       &Config::queue_commands_max,
       {1, 10'000'000}},
      {"queue_bytes_max",
       "Memory of the commands that wait; beyond it 503",
       &Config::queue_bytes_max,
       {1, kBytesMax}},
      {"index_lag_events_max",
       "Events that read models may be behind; beyond it 503",
       &Config::index_lag_events_max,
       {1, 1'000'000'000}},
      {"window_bytes_max",
       "Memory of events that the index has not got yet; beyond it 503",
       &Config::window_bytes_max,
       {1, kBytesMax}},
      {"resident_streams_max",
       "Accounts whose state stays in memory",
       &Config::resident_streams_max,
       {1, 100'000'000}},
      {"resident_bytes_max",
       "Memory of the states that stay",
       &Config::resident_bytes_max,
       {1, kBytesMax}},
      {"refusals_burst",
       "Recorded refusals that an account may have at once",
       &Config::refusals_burst,
       {1, 1'000'000}},
      {"refusals_per_second",
       "Recorded refusals that an account may have per second",
       &Config::refusals_per_second,
       {1, 1'000'000}},
      {"reader_threads", "Threads for reads", &Config::reader_threads, {1, 256}},
      {"reader_queue_max",
       "Reads that may wait; beyond it 503",
       &Config::reader_queue_max,
       {1, 10'000'000}},
      {"batch_queue_max",
       "Batches that may wait; beyond it 503",
       &Config::batch_queue_max,
       {1, 10'000'000}},
      {"read_wait_ms",
       "How long a read waits for the position it must see, in milliseconds",
       &Config::read_wait_ms,
       {0, kMillisecondsMax}},
      {"duplicate_wait_ms",
       "How long a request waits for one with the same idempotency key, in milliseconds",
       &Config::duplicate_wait_ms,
       {1, 25'000}},
      {"event_stream_max_ms",
       "How long one text/event-stream lasts until its client must come again, in milliseconds",
       &Config::event_stream_max_ms,
       {1, 24 * kMillisecondsMax}},
      {"connections_max", "Connections at once", &Config::connections_max, {1, 1'000'000}},
      {"disk_reserve_bytes",
       "Free disk space below which commands get 507, in bytes",
       &Config::disk_reserve_bytes,
       {0, std::uint64_t{1} << 60}},
      {"drain_ms",
       "How long running requests may take once the node stops, in milliseconds",
       &Config::drain_ms,
       {0, 8'000}},
      {"settle_interval_ms",
       "Between two looks at what is due, in milliseconds",
       &Config::settle_interval_ms,
       {1, kMillisecondsMax}},
  };
  return table;
}

const Setting* find_setting(std::string_view name) {
  const auto& table = settings_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [name](const Setting& setting) { return setting.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

/// Why the text cannot be the setting's value; empty if it can.
std::string assign(Settings& settings, const Setting& setting, const std::string& text) {
  if (const auto* own = std::get_if<std::string Settings::*>(&setting.member)) {
    settings.** own = text;
    return {};
  }
  Config& config = settings.config;
  if (const auto* string = std::get_if<std::string Config::*>(&setting.member)) {
    config.** string = text;
    return {};
  }
  const auto number = parse_number(text);
  if (!number || *number < setting.bounds.minimum || *number > setting.bounds.maximum) {
    return "expected a number from " + std::to_string(setting.bounds.minimum) + " to " +
           std::to_string(setting.bounds.maximum) + ", found \"" + text + "\"";
  }
  if (const auto* wide = std::get_if<std::uint64_t Config::*>(&setting.member)) {
    config.** wide = *number;
  } else if (const auto* narrow = std::get_if<std::uint32_t Config::*>(&setting.member)) {
    config.** narrow = static_cast<std::uint32_t>(*number);
  } else if (const auto* whole = std::get_if<std::int64_t Config::*>(&setting.member)) {
    config.** whole = static_cast<std::int64_t>(*number);
  }
  return {};
}

/// What is wrong with a value that has the right type; empty if nothing is.
std::string objection(const Setting& setting, const std::string& text) {
  if (text.find('\0') != std::string::npos) return "expected a text without a NUL";
  if (setting.name == "listen" && !parse_listen(text)) {
    return "expected HOST:PORT, as in 127.0.0.1:8080, [::1]:8080 or localhost:8080, found \"" +
           text + "\"";
  }
  if (setting.name == "data" && text.empty()) return "expected a directory";
  if (setting.name == "log" && text != "rocksdb" && text != "kafka") {
    return "expected rocksdb or kafka, found \"" + text + "\"";
  }
  return {};
}

std::string default_text(const Setting& setting) {
  const Settings defaults;
  if (const auto* own = std::get_if<std::string Settings::*>(&setting.member)) {
    return defaults.**own;
  }
  return std::visit(
      [&defaults](auto member) -> std::string {
        if constexpr (std::is_same_v<decltype(member), std::string Settings::*>) {
          return defaults.*member;
        } else if constexpr (std::is_same_v<decltype(member), std::string Config::*>) {
          return defaults.config.*member;
        } else {
          return std::to_string(defaults.config.*member);
        }
      },
      setting.member);
}

/// The grammar of RFC 1123, section 2.1, and the underscore that hosts of containers have. A name
/// whose last label is a number would be taken for an address, in whatever old form.
bool is_host_name(std::string_view name) {
  constexpr std::size_t kNameMax = 253;
  constexpr std::size_t kLabelMax = 63;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_plain = [&is_digit](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
  };
  if (name.empty() || name.size() > kNameMax) return false;
  for (;;) {
    const std::size_t end = std::min(name.find('.'), name.size());
    const std::string_view label = name.substr(0, end);
    if (label.empty() || label.size() > kLabelMax) return false;
    if (!is_plain(label.front()) || !is_plain(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(),
                     [&is_plain](char c) { return is_plain(c) || c == '-'; })) {
      return false;
    }
    if (end == name.size()) {
      return !label.starts_with("0x") && !label.starts_with("0X") &&
             !std::all_of(label.begin(), label.end(), is_digit);
    }
    name.remove_prefix(end + 1);
  }
}

Status wrong_type(const std::string& where, const Setting& setting) {
  return invalid(where + (setting.is_number() ? ": expected a whole number" : ": expected a text"));
}

}  // namespace

std::optional<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = parse_number(digits);
  if (!port || *port > std::numeric_limits<std::uint16_t>::max() || digits.size() > 5) {
    return std::nullopt;
  }
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  ListenAddress address{std::string(host), static_cast<std::uint16_t>(*port)};
  // The system's functions would read no further than to a NUL.
  if (host.find('\0') != std::string_view::npos) return std::nullopt;
  if (!in_brackets && is_host_name(host)) return address;
  in6_addr parsed{};
  const int family = in_brackets ? AF_INET6 : AF_INET;
  if (::inet_pton(family, address.host.c_str(), &parsed) != 1) return std::nullopt;
  return address;
}

std::string ListenAddress::host_in_url() const {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::vector<SettingInfo> all_settings() {
  std::vector<SettingInfo> all;
  for (const Setting& setting : settings_table()) {
    all.push_back({setting.name, setting.help, default_text(setting)});
  }
  return all;
}

std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string environment_name_of(std::string_view name) {
  std::string variable = std::string(kVariablePrefix) + std::string(name);
  std::transform(variable.begin(), variable.end(), variable.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return variable;
}

SettingValues settings_in_environment(const EnvironmentLookup& lookup) {
  SettingValues values;
  for (const Setting& setting : settings_table()) {
    auto text = lookup(environment_name_of(setting.name));
    if (text && !text->empty()) values.emplace(setting.name, std::move(*text));
  }
  return values;
}

std::optional<std::string> process_environment(const std::string& name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the environment is read only, and nothing changes it.
  const char* text = std::getenv(name.c_str());
  return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

std::vector<std::string> process_environment_names() {
  std::vector<std::string> names;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

std::vector<std::string> unknown_variables(const std::vector<std::string>& names) {
  std::vector<std::string> unknown;
  for (const std::string& name : names) {
    if (!name.starts_with(kVariablePrefix) || name == kConfigVariable) continue;
    const auto& table = settings_table();
    const bool is_known = std::any_of(table.begin(), table.end(), [&name](const Setting& setting) {
      return environment_name_of(setting.name) == name;
    });
    if (!is_known) unknown.push_back(name);
  }
  std::sort(unknown.begin(), unknown.end());
  return unknown;
}

Result<SettingValues> settings_in_toml(std::string_view text, const std::string& origin) {
  toml::table table;
  try {
    table = toml::parse(text, origin);
  } catch (const toml::parse_error& error) {
    return invalid(origin + ", line " + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  }
  SettingValues values;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string where =
        origin + ", line " + std::to_string(node.source().begin.line) + ", key " + name;
    const Setting* setting = find_setting(name);
    if (setting == nullptr) return invalid(where + ": there is no such setting");
    if (setting->is_number()) {
      const auto* number = node.as_integer();
      if (number == nullptr) return wrong_type(where, *setting);
      values.emplace(name, std::to_string(number->get()));
    } else {
      const auto* string = node.as_string();
      if (string == nullptr) return wrong_type(where, *setting);
      values.emplace(name, string->get());
    }
  }
  return values;
}

Result<Settings> resolve_settings(const SettingLayers& layers) {
  Settings settings;
  for (const Setting& setting : settings_table()) {
    std::string where;
    const SettingValues* layer = nullptr;
    if (layers.flags.contains(setting.name)) {
      layer = &layers.flags;
      where = flag_of(setting.name);
    } else if (layers.environment.contains(setting.name)) {
      layer = &layers.environment;
      where = environment_name_of(setting.name);
    } else if (layers.file.contains(setting.name)) {
      layer = &layers.file;
      where = "configuration file, key " + std::string(setting.name);
    } else {
      continue;
    }
    const std::string& text = layer->find(setting.name)->second;
    std::string wrong = assign(settings, setting, text);
    if (wrong.empty()) wrong = objection(setting, text);
    if (!wrong.empty()) return invalid(where + ": " + wrong);
  }
  if (settings.config.tls_certificate_file.empty() != settings.config.tls_key_file.empty()) {
    return invalid("tls_certificate_file and tls_key_file: give both or none");
  }
  return settings;
}

bool SettingLayers::name(const std::string& setting) const {
  return flags.contains(setting) || environment.contains(setting) || file.contains(setting);
}

Result<SettingLayers> load_layers(SettingValues flags, std::string config_file,
                                  const EnvironmentLookup& lookup) {
  SettingLayers layers;
  layers.flags = std::move(flags);
  layers.environment = settings_in_environment(lookup);
  if (config_file.empty()) config_file = lookup(kConfigVariable).value_or("");
  if (!config_file.empty()) {
    const auto text = replay::read_small_file(config_file);
    if (!text.ok()) return invalid("configuration file: " + text.status().message());
    auto values = settings_in_toml(*text, config_file);
    if (!values.ok()) return values.status();
    layers.file = std::move(*values);
  }
  return layers;
}

Result<Settings> load_settings(SettingValues flags, std::string config_file,
                               const EnvironmentLookup& lookup) {
  const auto layers = load_layers(std::move(flags), std::move(config_file), lookup);
  return layers.ok() ? resolve_settings(*layers) : layers.status();
}

}  // namespace daybook::app

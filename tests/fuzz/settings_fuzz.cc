#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

void check_listen(std::string_view text) {
  const auto parsed = app::parse_listen(text);
  if (!parsed) return;
  const auto again = app::parse_listen(parsed->host_in_url() + ":" + std::to_string(parsed->port));
  require(again && again->host == parsed->host && again->port == parsed->port,
          "an address is written as it was read");
}

void check_resolved(const app::SettingLayers& layers) {
  const auto settings = app::resolve_settings(layers);
  if (!settings.ok()) {
    require(
        settings.status().code() == StatusCode::kInvalid && !settings.status().message().empty(),
        "a wrong setting is named");
    return;
  }
  const app::Config& config = settings->config;
  require(app::parse_listen(config.listen).has_value(), "a node can listen");
  require(!config.data_dir.empty(), "a node has a directory");
  for (const std::string* text :
       {&config.data_dir, &config.listen, &config.tls_certificate_file, &config.tls_key_file}) {
    require(text->find('\0') == std::string::npos, "no text ends before its end");
  }
  require(config.queue_commands_max > 0 && config.connections_max > 0 &&
              config.reader_threads >= 1 && config.reader_threads <= 256 && config.drain_ms >= 0 &&
              config.drain_ms <= 8'000 && config.settle_interval_ms > 0,
          "every number is within its bounds");
  require(config.tls_certificate_file.empty() == config.tls_key_file.empty(),
          "a certificate has its key");
}

}  // namespace

/// A configuration file; then each of its lines as a flag `name = value` and as an address.
void settings(std::string_view bytes) {
  const auto values = app::settings_in_toml(bytes, "file");
  if (values.ok()) {
    app::SettingLayers layers;
    layers.file = *values;
    check_resolved(layers);
    app::SettingLayers flags;
    flags.flags = *values;
    require(app::resolve_settings(flags).ok() == app::resolve_settings(layers).ok(),
            "a layer does not change what a value means");
  } else {
    require(values.status().code() == StatusCode::kInvalid, "what is no configuration is invalid");
  }
  app::SettingLayers layers;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    check_listen(line);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    layers.flags[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  check_resolved(layers);
}

}  // namespace daybook::fuzz

#include "app/settings.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace daybook::app {
namespace {

using testing::HasSubstr;

EnvironmentLookup environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string wrong(const SettingLayers& layers) {
  const auto settings = resolve_settings(layers);
  return settings.ok() ? "" : settings.status().message();
}

TEST(SettingsTest, each_layer_beats_the_ones_below_it) {
  // Which of the three layers are there, and who wins.
  struct Case {
    bool flag, environment, file;
    std::size_t expected;
  };
  const std::size_t otherwise = Config().reader_threads;
  ASSERT_NE(otherwise, 11U);
  for (const Case& c :
       {Case{false, false, false, otherwise}, Case{false, false, true, 13},
        Case{false, true, false, 12}, Case{false, true, true, 12}, Case{true, false, false, 11},
        Case{true, false, true, 11}, Case{true, true, false, 11}, Case{true, true, true, 11}}) {
    SettingLayers layers;
    if (c.flag) layers.flags["reader_threads"] = "11";
    if (c.environment) {
      layers.environment = settings_in_environment(environment({{"DAYBOOK_READER_THREADS", "12"}}));
    }
    if (c.file) layers.file = *settings_in_toml("reader_threads = 13", "f");
    const auto settings = resolve_settings(layers);
    ASSERT_TRUE(settings.ok());
    EXPECT_EQ(settings->config.reader_threads, c.expected) << c.flag << c.environment << c.file;
  }
}

TEST(SettingsTest, without_any_layer_the_defaults_of_the_config_hold) {
  const auto settings = resolve_settings({});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->config.listen, Config().listen);
  EXPECT_EQ(settings->config.drain_ms, Config().drain_ms);
  EXPECT_EQ(settings->log, "rocksdb");
}

TEST(SettingsTest, every_setting_takes_its_own_default_back_and_no_two_are_one) {
  SettingLayers layers;
  std::set<std::string> variables;
  for (const SettingInfo& setting : all_settings()) {
    layers.flags[std::string(setting.name)] = setting.default_text;
    EXPECT_TRUE(variables.insert(environment_name_of(setting.name)).second) << setting.name;
    EXPECT_FALSE(setting.help.empty());
  }
  const auto settings = resolve_settings(layers);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->config.disk_reserve_bytes, Config().disk_reserve_bytes);
}

TEST(SettingsTest, every_number_reaches_its_own_field) {
  SettingLayers layers;
  std::uint64_t value = 100;
  std::size_t numbers = 0;
  for (const SettingInfo& setting : all_settings()) {
    if (setting.default_text.find_first_not_of("0123456789") != std::string::npos) continue;
    if (setting.default_text.empty()) continue;
    layers.flags[std::string(setting.name)] = std::to_string(value++);
    ++numbers;
  }
  const auto settings = resolve_settings(layers);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  const Config& c = settings->config;
  const std::set<std::uint64_t> seen = {c.queue_commands_max,
                                        c.queue_bytes_max,
                                        c.index_lag_events_max,
                                        c.window_bytes_max,
                                        c.resident_streams_max,
                                        c.resident_bytes_max,
                                        c.refusals_burst,
                                        c.refusals_per_second,
                                        c.reader_threads,
                                        c.reader_queue_max,
                                        c.batch_queue_max,
                                        static_cast<std::uint64_t>(c.read_wait_ms),
                                        static_cast<std::uint64_t>(c.duplicate_wait_ms),
                                        static_cast<std::uint64_t>(c.event_stream_max_ms),
                                        c.connections_max,
                                        c.disk_reserve_bytes,
                                        static_cast<std::uint64_t>(c.drain_ms),
                                        static_cast<std::uint64_t>(c.settle_interval_ms)};
  EXPECT_EQ(seen.size(), numbers);
  EXPECT_EQ(*seen.begin(), 100U);
  EXPECT_EQ(*seen.rbegin(), 100U + numbers - 1);
}

TEST(SettingsTest, flags_and_variables_are_named_after_the_setting) {
  EXPECT_EQ(flag_of("queue_commands_max"), "--queue-commands-max");
  EXPECT_EQ(environment_name_of("queue_commands_max"), "DAYBOOK_QUEUE_COMMANDS_MAX");
}

TEST(SettingsTest, an_empty_variable_counts_as_absent) {
  EXPECT_TRUE(settings_in_environment(environment({{"DAYBOOK_LISTEN", ""}})).empty());
}

TEST(SettingsTest, an_unknown_key_of_the_file_is_named_with_its_line) {
  const auto values = settings_in_toml("listen = \"127.0.0.1:1\"\nlisten_port = 3\n", "x.toml");
  ASSERT_FALSE(values.ok());
  EXPECT_EQ(values.status().code(), StatusCode::kInvalid);
  EXPECT_THAT(values.status().message(), HasSubstr("x.toml, line 2, key listen_port"));
}

TEST(SettingsTest, a_value_of_the_wrong_type_is_refused) {
  EXPECT_FALSE(settings_in_toml("reader_threads = \"2\"", "f").ok());
  EXPECT_FALSE(settings_in_toml("reader_threads = 2.0", "f").ok());
  EXPECT_FALSE(settings_in_toml("listen = 8080", "f").ok());
  EXPECT_FALSE(settings_in_toml("[listen]\nport = 1", "f").ok());
}

TEST(SettingsTest, text_that_is_no_toml_is_refused_with_its_line) {
  const auto values = settings_in_toml("\nlisten = \n", "x.toml");
  ASSERT_FALSE(values.ok());
  EXPECT_THAT(values.status().message(), HasSubstr("x.toml, line 2"));
}

TEST(SettingsTest, numbers_outside_their_bounds_are_refused_in_the_words_of_their_layer) {
  for (const std::string text :
       {"0", "-1", "257", "1.5", "many", "", "18446744073709551616", " 2"}) {
    EXPECT_THAT(wrong({{{"reader_threads", text}}, {}, {}}), HasSubstr("--reader-threads")) << text;
  }
  EXPECT_THAT(wrong({{}, {{"reader_threads", "0"}}, {}}), HasSubstr("DAYBOOK_READER_THREADS"));
  EXPECT_THAT(wrong({{}, {}, {{"reader_threads", "0"}}}), HasSubstr("key reader_threads"));
  EXPECT_EQ(wrong({{{"reader_threads", "256"}}, {}, {}}), "");
}

TEST(SettingsTest, a_listen_address_must_be_one) {
  for (const std::string text :
       {"nowhere",          "127.0.0.1",      ":8080",          "127.0.0.1:",
        "127.0.0.1:65536",  "127.0.0.1:-1",   "::1:80",         "a b:80",
        "http://h:80",      "[localhost]:80", "[127.0.0.1]:80", "1.2.3:80",
        "127.0.0.1:000080", "[]:80",          "-h:80",          "h-:80",
        "a..b:80",          "h.:80",          "h.1:80",         "256.0.0.1:80",
        "0x7f.1:80",        "0x7f:80",        "1:80",           "h\u00e9:80"}) {
    EXPECT_THAT(wrong({{{"listen", text}}, {}, {}}), HasSubstr("--listen")) << text;
  }
  for (const std::string text :
       {"127.0.0.1:0", "127.0.0.1:65535", "[::1]:8080", "0.0.0.0:80", "localhost:0",
        "Ledger-1.example.com:80", "my_ledger:80", "3com.example:80", "3f2a9c:80"}) {
    EXPECT_EQ(wrong({{{"listen", text}}, {}, {}}), "") << text;
  }
}

TEST(SettingsTest, a_listen_address_stands_in_a_url_with_the_brackets_that_it_needs) {
  EXPECT_EQ(parse_listen("[::1]:80")->host_in_url(), "[::1]");
  EXPECT_EQ(parse_listen("127.0.0.1:80")->host_in_url(), "127.0.0.1");
  EXPECT_EQ(parse_listen("localhost:80")->host_in_url(), "localhost");
}

TEST(SettingsTest, variables_that_name_no_setting_are_unknown) {
  EXPECT_THAT(unknown_variables({"DAYBOOK_REDER_THREADS", "DAYBOOK_READER_THREADS", "PATH",
                                 "DAYBOOK_CONFIG", "DAYBOOK_", "daybook_x", "DAYBOOK_LISTEN"}),
              testing::ElementsAre("DAYBOOK_", "DAYBOOK_REDER_THREADS"));
}

TEST(SettingsTest, half_a_tls_pair_is_refused) {
  EXPECT_THAT(wrong({{{"tls_key_file", "k"}}, {}, {}}), HasSubstr("both or none"));
  EXPECT_THAT(wrong({{{"tls_certificate_file", "c"}}, {}, {}}), HasSubstr("both or none"));
  EXPECT_EQ(wrong({{{"tls_certificate_file", "c"}, {"tls_key_file", "k"}}, {}, {}}), "");
}

TEST(SettingsTest, an_unknown_log_is_refused) {
  EXPECT_THAT(wrong({{{"log", "sqlite"}}, {}, {}}), HasSubstr("--log"));
}

TEST(SettingsTest, the_file_is_found_by_flag_or_by_variable_and_must_be_there) {
  const std::string path = testing::TempDir() + "settings_test.toml";
  std::ofstream(path) << "data = \"from file\"\n";
  const auto by_flag = load_settings({}, path, environment({}));
  ASSERT_TRUE(by_flag.ok());
  EXPECT_EQ(by_flag->config.data_dir, "from file");
  const auto by_variable = load_settings({}, "", environment({{"DAYBOOK_CONFIG", path}}));
  ASSERT_TRUE(by_variable.ok());
  EXPECT_EQ(by_variable->config.data_dir, "from file");
  std::filesystem::remove(path);
  EXPECT_FALSE(load_settings({}, path, environment({})).ok());
}

TEST(SettingsTest, a_text_with_a_nul_is_refused_since_systems_read_no_further) {
  EXPECT_FALSE(parse_listen(std::string_view("127.0.0.1\0x:80", 14)).has_value());
  EXPECT_FALSE(parse_listen(std::string_view("[::1\0]:80", 9)).has_value());
  for (const std::string_view line :
       {R"(data = "a\u0000b")", R"(listen = "127.0.0.1\u0000:80")", R"(log = "rocksdb\u0000")"}) {
    SettingLayers layers;
    const auto values = settings_in_toml(line, "f");
    ASSERT_TRUE(values.ok()) << line;
    layers.file = *values;
    EXPECT_FALSE(resolve_settings(layers).ok()) << line;
  }
}

}  // namespace
}  // namespace daybook::app

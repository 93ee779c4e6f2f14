#pragma once

#include <cstdint>
#include <string>

namespace daybook::app {

/// Every setting of a node with its default and unit. Flags beat the environment (DAYBOOK_...),
/// which beats the TOML file, which beats these defaults (app/settings.h).
struct Config {
  std::string data_dir = "daybook-data";
  std::string witness_file;               ///< replay/witness.h; empty: none.
  bool witness_new = false;               ///< Made anew if it is gone; a flag alone, for one start.
  std::string listen = "127.0.0.1:8080";  ///< HOST:PORT; port 0 takes any free one.
  std::string tls_certificate_file;       ///< PEM; empty: plain HTTP.
  std::string tls_key_file;

  std::size_t queue_commands_max = 65'536;              ///< Submitted and not decided.
  std::size_t queue_bytes_max = std::size_t{64} << 20;  ///< Of those.
  std::uint64_t index_lag_events_max = 500'000;
  std::size_t window_bytes_max = std::size_t{192} << 20;  ///< Of events that are not indexed.
  std::size_t resident_streams_max = 200'000;
  std::size_t resident_bytes_max = std::size_t{128} << 20;
  std::uint32_t refusals_burst = 200;      ///< Per account.
  std::uint32_t refusals_per_second = 20;  ///< Likewise.
  std::size_t reader_threads = 2;
  std::size_t reader_queue_max = 4'096;
  std::size_t batch_queue_max = 256;  ///< Batches that wait; their bodies are bounded apart.
  std::int64_t read_wait_ms = 5'000;
  std::int64_t duplicate_wait_ms = 10'000;       ///< For the running command with the same key.
  std::int64_t event_stream_max_ms = 3'600'000;  ///< Of one text/event-stream.
  std::size_t connections_max = 10'000;
  std::uint64_t disk_reserve_bytes = std::uint64_t{256} << 20;  ///< Below it commands get 507.
  std::int64_t drain_ms = 5'000;          ///< For running requests when the node stops.
  std::int64_t settle_interval_ms = 500;  ///< Between two looks at what is due.
};

}  // namespace daybook::app

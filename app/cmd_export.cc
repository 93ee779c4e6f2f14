#include <cerrno>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>  // IWYU pragma: keep
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/progress.h"
#include "domain/base/result.h"
#include "eventstore/files.h"
#include "eventstore/position.h"
#include "replay/backup.h"
#include "replay/export_events.h"
#include "replay/ledger_files.h"

namespace daybook::app {
namespace {

struct Options {
  std::string data;
  std::string account;
  std::string tenant;
  std::string from;
  std::string to;
  std::string output;
};

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

/// Where the lines go: stdout, or a file that is there as a whole and durable, or not at all.
class Output {
 public:
  explicit Output(std::string path) : path_(std::move(path)), fresh_(path_ + ".new") {}
  ~Output() {
    if (file_ < 0) return;
    ::close(file_);
    ::unlink(fresh_.c_str());
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  Output(Output&&) = delete;
  Output& operator=(Output&&) = delete;

  Status open() {
    if (path_.empty()) return {};
    if (eventstore::path_exists(path_)) {
      return conflict(path_ + ": exists; an export never writes over anything");
    }
    if (Status status = replay::check_outside_backups(path_); !status.ok()) return status;
    constexpr mode_t kOwnerOnly = 0600;
    file_ = ::open(fresh_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly);
    return file_ < 0 ? failure("create") : Status();
  }

  Status write(std::string_view line) {
    buffer_ += line;
    return buffer_.size() < kBufferBytes ? Status() : flush();
  }

  /// All of it is there now.
  Status finish() {
    if (Status status = flush(); !status.ok() || file_ < 0) return status;
    if (::fsync(file_) != 0) return failure("sync");
    if (Status status = replay::rename_durably(fresh_, path_); !status.ok()) return status;
    ::close(file_);
    file_ = -1;
    return {};
  }

 private:
  Status flush() {
    const int file = file_ < 0 ? STDOUT_FILENO : file_;
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t count = ::write(file, rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failure("write");
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    buffer_.clear();
    return {};
  }

  Status failure(const std::string& what) const {
    return eventstore::errno_status(what, path_.empty() ? "stdout" : path_, errno);
  }

  std::string path_;
  std::string fresh_;
  std::string buffer_;
  int file_ = -1;
};

/// A bound of the range as the API prints positions.
Result<std::optional<eventstore::PublicPosition>> read_bound(const std::string& flag,
                                                             const std::string& text) {
  if (text.empty()) return std::optional<eventstore::PublicPosition>();
  const auto position = eventstore::parse_position(text);
  if (!position || position->partition != 0) {
    return invalid(flag + ": expected a position like 0:17, found \"" + text + "\"");
  }
  return position;
}

int export_events(const Options& options) {
  replay::ExportQuery query;
  if (!options.account.empty()) query.account = AccountId(options.account);
  if (!options.tenant.empty()) query.tenant = TenantId(options.tenant);
  const auto from = read_bound("--from-position", options.from);
  if (!from.ok()) return report_usage(from.status().message());
  const auto to = read_bound("--to-position", options.to);
  if (!to.ok()) return report_usage(to.status().message());
  if (*from) query.from = (*from)->position;
  if (*to) query.to = (*to)->position;
  auto log = replay::open_log_for_reading(options.data);
  if (!log.ok()) return report(log.status());
  const std::uint32_t generation = (*log)->head().generation;
  for (const auto& bound : {*from, *to}) {
    if (!bound || bound->generation == generation) continue;
    return report(not_found("position " + to_text(*bound) +
                            " is of another generation: the ledger was restored and is at " +
                            std::to_string(generation)));
  }
  Output output(options.output);
  if (Status status = output.open(); !status.ok()) return report(status);
  std::optional<Progress> shown;
  const auto done = replay::export_events(
      **log, query, [&](std::string_view line) { return output.write(line); },
      [&](std::uint64_t count, std::uint64_t total) {
        if (!shown) shown.emplace("events", total);
        shown->update(count);
      });
  shown.reset();
  if (!done.ok()) return report(done.status());
  if (Status status = output.finish(); !status.ok()) return report(status);
  std::cerr << "exported " << with_commas(done->events) << " events, up to position "
            << to_text(eventstore::PublicPosition{generation, 0, done->end}) << " (not included)\n";
  return kExitOk;
}

}  // namespace

void add_export(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("export", "Write out what the ledger holds");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* events = command->add_subcommand(
      "events",
      "Events in their canonical form, one JSON object a line, oldest first; also while "
      "the ledger is served");
  events->add_option("--data", options->data, "Directory of the ledger")
      ->envname("DAYBOOK_DATA")
      ->required();
  events->add_option("--account", options->account, "Only the events of this account");
  events->add_option("--tenant", options->tenant, "Only the events of this tenant");
  events->add_option("--from-position", options->from, "From this position on, included");
  events->add_option("--to-position", options->to, "Up to this position, not included");
  events->add_option("-o,--output", options->output,
                     "File to make, whole or not at all; must not be there. Else stdout");
  events->callback([&chosen, options] { chosen = [options] { return export_events(*options); }; });
}

}  // namespace daybook::app

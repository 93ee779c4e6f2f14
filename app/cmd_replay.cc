#include <charconv>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "app/cli.h"
#include "app/commands.h"
#include "app/progress.h"
#include "domain/base/result.h"
#include "domain/base/strong_id.h"
#include "domain/base/time.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "eventstore/system_ports.h"
#include "replay/account_replay.h"
#include "replay/backup.h"
#include "replay/inspect.h"
#include "replay/rebuild.h"
#include "replay/verify.h"

namespace daybook::app {
namespace {

struct Options {
  std::string data;
  bool json = false;
  std::string scratch;
  std::string witness;
  std::string account;
  std::string tenant;
  std::string as_of;
  std::string as_of_position;
  std::string entry;
  std::string position;
  std::string backup;
  bool hex = false;
};

void print(const Options& options, const std::string& json, const std::string& text) {
  std::cout << (options.json ? json : text);
  if (options.json || (!text.empty() && text.back() != '\n')) std::cout << '\n';
}

/// Shows what a long command of replay/ has done. The total is known only once it runs.
class Shown {
 public:
  replay::Progress callback() {
    return [this](std::uint64_t done, std::uint64_t total) {
      if (!progress_) progress_.emplace("events", total);
      progress_->update(done);
    };
  }
  void clear() { progress_.reset(); }

 private:
  std::optional<Progress> progress_;
};

int verify(const Options& options) {
  replay::VerifyOptions how;
  how.scratch_dir = options.scratch;
  how.witness_file = options.witness;
  Shown shown;
  const auto report_of = replay::verify(options.data, how, shown.callback());
  shown.clear();
  if (!report_of.ok()) return report(report_of.status());
  print(options, to_json(*report_of), to_text(*report_of));
  if (report_of->ok()) return kExitOk;
  std::cerr << "daybook: verification failed; docs/operations.md says what to do\n";
  return kExitVerification;
}

Status of_another_generation(const std::string& position, std::uint32_t generation) {
  return not_found("position " + position +
                   " is of another generation: the ledger was restored and is at " +
                   std::to_string(generation));
}

/// A place in the log as the API prints it; positions alone, without a partition, are no such.
Result<eventstore::PublicPosition> read_position(const std::string& text) {
  const auto position = eventstore::parse_position(text);
  if (!position || position->partition != 0) {
    return invalid("expected a position like 0:17, found \"" + text + "\"");
  }
  return *position;
}

int replay_account(const Options& options) {
  replay::ReplayQuery query;
  query.account = AccountId(options.account);
  if (!options.tenant.empty()) query.tenant = TenantId(options.tenant);
  std::optional<eventstore::PublicPosition> asked;
  if (!options.as_of.empty()) {
    const auto time = parse_rfc3339(options.as_of);
    if (!time) return report_usage("--as-of: expected a time like 2026-01-31T10:00:00Z");
    query.as_of = time;
  }
  if (!options.as_of_position.empty()) {
    auto position = read_position(options.as_of_position);
    if (!position.ok()) return report_usage("--as-of-position: " + position.status().message());
    asked = *position;
    query.as_of_position = asked->position;
  }
  const auto folded = replay::replay_account(options.data, query);
  if (!folded.ok()) return report(folded.status());
  if (asked && asked->generation != folded->generation) {
    return report(of_another_generation(options.as_of_position, folded->generation));
  }
  // After a clock was set back the log may be closed up to later than now.
  if (!folded->is_final() && *query.as_of > eventstore::SystemClock().now()) {
    return report_usage("--as-of: lies in the future");
  }
  print(options, to_json(*folded), to_text(*folded));
  if (!folded->is_final()) {
    std::cerr << "daybook: not final: the log is closed up to " << to_rfc3339(folded->closed)
              << "; if the ledger is served, or was when it crashed, more may yet be recorded by "
              << options.as_of << ". A read of the API with that as_of closes it.\n";
  }
  return kExitOk;
}

int rebuild(const Options& options) {
  Shown shown;
  const auto done = replay::rebuild(
      options.data, eventstore::SystemClock(), shown.callback(),
      [](const std::string& found) { std::cerr << "daybook: repaired: " << found << '\n'; });
  shown.clear();
  if (!done.ok()) return report(done.status());
  const std::uint64_t rate = done->events_per_second();
  print(options,
        eventstore::JsonObject()
            .number("events", done->events)
            .number("microseconds", static_cast<std::uint64_t>(done->micros))
            .number("events_per_second", rate)
            .text(),
        "rebuilt the read models from " + with_commas(done->events) + " events, " +
            with_commas(rate) + "/s");
  return kExitOk;
}

template <class View>
int show(const Options& options, const Result<View>& view) {
  if (!view.ok()) return report(view.status());
  print(options, to_json(*view), to_text(*view));
  return kExitOk;
}

int inspect(const Options& options) {
  if (!options.entry.empty()) {
    std::uint64_t number = 0;
    const char* const end = options.entry.data() + options.entry.size();
    const auto [stop, error] = std::from_chars(options.entry.data(), end, number);
    if (stop != end || error != std::errc()) {
      return report_usage("--entry: expected a number, found \"" + options.entry + "\"");
    }
    return show(options, replay::inspect_entry(options.data, number));
  }
  if (options.position.empty()) return show(options, replay::inspect_stats(options.data));
  const auto position = read_position(options.position);
  if (!position.ok()) return report_usage("--position: " + position.status().message());
  const auto view = replay::inspect_event(options.data, position->position);
  if (view.ok() && view->generation != position->generation) {
    return report(of_another_generation(options.position, view->generation));
  }
  if (!view.ok()) return report(view.status());
  print(options, to_json(*view), to_text(*view, options.hex));
  return kExitOk;
}

int backup(const Options& options) {
  const auto made = replay::backup(options.data, options.backup, eventstore::SystemClock());
  if (!made.ok()) return report(made.status());
  for (const std::string& note : made->notes) std::cerr << "daybook: note: " << note << '\n';
  print(options, to_json(*made),
        "backed up " + with_commas(made->head.next_position) + " events to " + options.backup);
  std::cerr << "The backup holds the secrets of the ledger: keep it as you keep the ledger.\n";
  return kExitOk;
}

int restore(const Options& options) {
  Shown shown;
  const auto made =
      replay::restore(options.backup, options.data, eventstore::SystemClock(), shown.callback());
  shown.clear();
  if (!made.ok()) return report(made.status());
  print(options, to_json(*made),
        "restored " + with_commas(made->head.next_position) + " events to " + options.data +
            ", generation " + std::to_string(made->head.generation));
  std::cerr << "daybook: warning: private values that were erased and keys that were revoked after "
               "the backup was taken are there again as they were then; erase and revoke them "
               "again. docs/operations.md, \"Erasure\", says how.\n";
  return kExitOk;
}

/// A verb on a directory, with what all of them have.
CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& help,
                   const std::shared_ptr<Options>& options) {
  auto* command = app.add_subcommand(name, help);
  command->add_option("--data", options->data, "Directory of the ledger")
      ->envname("DAYBOOK_DATA")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  return command;
}

void run_as(CLI::App* command, Command& chosen, const std::shared_ptr<Options>& options,
            int (*verb)(const Options&)) {
  command->callback(
      [&chosen, options, verb] { chosen = [options, verb] { return verb(*options); }; });
}

}  // namespace

void add_offline_verbs(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<Options>();
  auto* verb =
      add_verb(app, "verify",
               "Prove the ledger: chain, watermark, sums, read models; exit 5 otherwise", options);
  verb->add_option("--scratch", options->scratch, "Directory for temporary files");
  verb->add_option("--witness", options->witness, "File that remembers how far the log was");
  run_as(verb, chosen, options, verify);

  verb = add_verb(app, "replay", "Fold an account from the log alone", options);
  verb->add_option("--account", options->account, "Id of the account")->required();
  verb->add_option("--tenant", options->tenant, "Its tenant, where several have such an account");
  auto* as_of =
      verb->add_option("--as-of", options->as_of,
                       "As it was recorded by this time; says when that is not final, because "
                       "a server may yet record something by then");
  verb->add_option("--as-of-position", options->as_of_position, "As of this position, inclusive")
      ->excludes(as_of);
  run_as(verb, chosen, options, replay_account);

  verb = add_verb(app, "rebuild", "Build the read models anew; the ledger must not be served",
                  options);
  run_as(verb, chosen, options, rebuild);

  verb = add_verb(app, "inspect", "Show what is stored: sizes, an entry or an event", options);
  auto* entry = verb->add_option("--entry", options->entry, "Number of the entry");
  auto* position = verb->add_option("--position", options->position, "Position of the event");
  position->excludes(entry);
  verb->add_flag("--hex", options->hex, "Show the stored bytes of the event, too")->needs(position);
  run_as(verb, chosen, options, inspect);

  verb = add_verb(app, "backup", "Copy the ledger, also while it is served", options);
  verb->add_option("-o,--output", options->backup, "Directory to make; must not be there")
      ->required();
  run_as(verb, chosen, options, backup);

  verb = add_verb(app, "restore", "Make a ledger of a backup, once all of it is verified", options);
  verb->add_option("backup", options->backup, "Directory of the backup")->required();
  run_as(verb, chosen, options, restore);
}

}  // namespace daybook::app

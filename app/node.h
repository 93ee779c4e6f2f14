#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/api_key.h"
#include "api/fingerprint.h"
#include "app/config.h"
#include "domain/base/operator_log.h"
#include "domain/base/result.h"
#include "eventstore/command.h"

namespace daybook::api {
class Metrics;
}

namespace daybook::app {

/// The tenant that a new ledger begins with.
inline constexpr const char* kFirstTenant = "main";

/// A ledger on one machine: log, projections, write side and, if wanted, the HTTP edge, wired in
/// the order in which a fact flows. The one place where the parts meet.
///
/// Thread rule: open, serve and stop by one thread; submit by any.
/// Crash: as EventLog. One process has a data directory at a time.
class Node {
 public:
  /// Opens (or creates) the ledger in config.data_dir, verifies its log's tail, and catches up the
  /// read models; no network yet. A new ledger gets its first tenant with an admin key, written to
  /// DIR/admin.key with mode 0600.
  /// `operator_log` is told why something failed; it outlives the node. Null: nobody is.
  static Result<std::unique_ptr<Node>> open(const Config& config,
                                            OperatorLog* operator_log = nullptr);

  /// Before a ledger is created to be served: whether serve() may open files enough, would find its
  /// TLS files and may have its address. OK for a ledger that is there.
  static Status check_new(const Config& config);

  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Listens; answers the URL.
  Result<std::string> serve();

  /// Stops listening, lets requests end and, unless a store has failed, flushes. Idempotent.
  void stop();

  /// stop() after a piece of work in this process. Answers how the work ended, and what failed in
  /// the node, if anything has: kIo then.
  Status stop_after(Status work);

  /// The key that open() made for a new ledger; empty for one that existed.
  const std::string& new_admin_key() const;

  /// Called when a store has failed, from a thread of the node or, if it has already, at once:
  /// nothing is acknowledged any more and the process should end with an error. May come again.
  void on_failure(std::function<void()> callback);

  /// kIo: what failed and why, for the operator; OK as long as nothing has.
  Status failure() const;

  /// A command from within the process (import, demo, bench). See eventstore::Ledger::submit.
  void submit(eventstore::Command command, eventstore::Completion complete);

  /// What an idempotency key of that request stands for in this ledger.
  std::uint64_t fingerprint(const api::RequestIdentity& request) const;

  /// Waits until the read models have everything committed.
  Status catch_up();

  std::uint64_t committed() const;
  std::uint32_t generation() const;

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace daybook::app

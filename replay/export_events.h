#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "domain/base/result.h"
#include "domain/base/strong_id.h"
#include "eventstore/event_log.h"
#include "replay/verify.h"

namespace daybook::replay {

/// Which events an export has; without a name or bound: all of the ledger's.
struct ExportQuery {
  std::optional<AccountId> account;
  std::optional<TenantId> tenant;
  std::uint64_t from = 0;           ///< The first position.
  std::optional<std::uint64_t> to;  ///< The first position that is not in it any more.
};

struct ExportDone {
  std::uint64_t events = 0;
  std::uint64_t end = 0;  ///< The log was read up to here.
  std::uint32_t generation = 0;
};

/// Takes the canonical JSON of one event and a line feed. A status that is not OK ends the export.
using ExportSink = std::function<Status(std::string_view line)>;

/// Gives the sink the canonical public form of each event, in the order of the log: the bytes that
/// its hash covers and that `GET /v1/events` prints as NDJSON. Reads the log of `dir` alone, also
/// beside a server, up to what was acknowledged when it began.
/// Memory: one entry. Thread rule: any thread.
/// Errors: kNotFound: no such ledger, account or tenant, or a position that the log does not have;
/// kConflict: several tenants have such an account and none was named; kInvalid: it would end
/// before it begins; kCorrupt; kIo; the sink's own. What the sink got before an error stays with
/// it.
Result<ExportDone> export_events(const std::string& dir, const ExportQuery& query,
                                 const ExportSink& sink, const Progress& progress = {});
/// The same of an open log.
Result<ExportDone> export_events(const eventstore::EventLog& log, const ExportQuery& query,
                                 const ExportSink& sink, const Progress& progress = {});

}  // namespace daybook::replay

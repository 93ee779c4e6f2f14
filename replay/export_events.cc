#include "replay/export_events.h"

#include <algorithm>
#include <utility>

#include "eventstore/event_codec.h"
#include "eventstore/position.h"
#include "eventstore/public_json.h"
#include "replay/ledger_files.h"

namespace daybook::replay {
namespace {

using domain::StreamId;
using domain::StreamKind;
using eventstore::Entry;

bool is_wanted(const ExportQuery& query, const StreamId& stream) {
  if (query.tenant && stream.tenant != *query.tenant) return false;
  return !query.account ||
         (stream.kind == StreamKind::kAccount && stream.id == query.account->value());
}

/// Calls `visit` with the entries from that position on, up to `head`, until it says no.
template <class Visit>
Status for_each_entry(const eventstore::EventLog& log, const eventstore::LogHead& head,
                      std::uint64_t from, const Visit& visit) {
  auto cursor = log.read(from);
  if (!cursor.ok()) return cursor.status();
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry || (*entry)->entry_no >= head.entry_count) return {};
    auto goes_on = visit(**entry);
    if (!goes_on.ok()) return goes_on.status();
    if (!*goes_on) return {};
  }
}

/// The tenant whose events are meant, if only one's are. One look at the whole log, so that a name
/// that is nowhere, or an account that two tenants have, is said before anything is given out.
Result<std::optional<TenantId>> meant_tenant(const eventstore::EventLog& log,
                                             const eventstore::LogHead& head,
                                             const ExportQuery& query) {
  using Tenant = std::optional<TenantId>;
  if (!query.account && !query.tenant) return Tenant();
  Tenant found;
  const std::string what =
      query.account ? "account " + query.account->value() : "tenant " + query.tenant->value();
  const Status status = for_each_entry(log, head, 0, [&](const Entry& entry) -> Result<bool> {
    Status failure;
    eventstore::for_each_event(entry, [&](std::uint64_t, std::string_view bytes) {
      const auto event = eventstore::decode_event_head(bytes);
      if (!event.ok()) {
        failure = event.status();
      } else if (is_wanted(query, event->stream)) {
        if (found && *found != event->stream.tenant) {
          failure = conflict(what + ": several tenants have one; name the tenant");
        }
        found = event->stream.tenant;
      }
      return failure.ok();
    });
    if (!failure.ok()) return failure;
    return !(found && query.tenant);
  });
  if (!status.ok()) return status;
  if (!found) return not_found(what + ": not found");
  return found;
}

/// The events of one entry that are wanted. False: the end of the range was reached.
Result<bool> export_entry(const Entry& entry, const ExportQuery& query, std::uint64_t to,
                          const ExportSink& sink, ExportDone& done) {
  Status failure;
  eventstore::for_each_event(entry, [&](std::uint64_t position, std::string_view bytes) {
    if (position < query.from) return true;
    if (position >= to) return false;
    const auto head = eventstore::decode_event_head(bytes);
    if (!head.ok()) {
      failure = head.status();
    } else if (is_wanted(query, head->stream)) {
      auto event = eventstore::decode_event(bytes);
      failure = event.ok() ? sink(eventstore::public_json(*event) + "\n") : event.status();
      if (failure.ok()) ++done.events;
    }
    return failure.ok();
  });
  if (!failure.ok()) return failure;
  return entry.end_position() < to;
}

}  // namespace

Result<ExportDone> export_events(const eventstore::EventLog& log, const ExportQuery& query,
                                 const ExportSink& sink, const Progress& progress) {
  const eventstore::LogHead head = log.head();
  const std::uint64_t to = query.to.value_or(head.next_position);
  const auto text_of = [&head](std::uint64_t position) {
    return to_text(eventstore::PublicPosition{head.generation, 0, position});
  };
  if (const std::uint64_t last = std::max(query.from, to); last > head.next_position) {
    return not_found("position " + text_of(last) + ": the log has " +
                     std::to_string(head.next_position) + " events");
  }
  if (query.from > to) {
    return invalid("position " + text_of(query.from) + " lies behind the end of the export, " +
                   text_of(to));
  }
  auto tenant = meant_tenant(log, head, query);
  if (!tenant.ok()) return tenant.status();
  ExportQuery meant = query;
  meant.tenant = std::move(*tenant);
  ExportDone done{0, to, head.generation};
  const Status status =
      for_each_entry(log, head, query.from, [&](const Entry& entry) -> Result<bool> {
        auto goes_on = export_entry(entry, meant, to, sink, done);
        if (progress) {
          const std::uint64_t end = std::clamp(entry.end_position(), query.from, to);
          progress(end - query.from, to - query.from);
        }
        return goes_on;
      });
  if (!status.ok()) return status;
  return done;
}

Result<ExportDone> export_events(const std::string& dir, const ExportQuery& query,
                                 const ExportSink& sink, const Progress& progress) {
  auto log = open_log_for_reading(dir);
  if (!log.ok()) return log.status();
  return export_events(**log, query, sink, progress);
}

}  // namespace daybook::replay

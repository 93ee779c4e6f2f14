#include "projections/due.h"

#include <optional>

#include "domain/base/check.h"
#include "domain/event.h"
#include "eventstore/stream_key.h"
#include "eventstore/wire.h"
#include "projections/row_codec.h"

namespace daybook::projections {
namespace {

constexpr char kOrder = 'D';
constexpr char kHold = 'H';
constexpr std::size_t kNumberBytes = sizeof(std::uint64_t);

std::string hold_key(const domain::StreamId& stream, std::uint64_t version) {
  return kHold + eventstore::version_key(eventstore::stream_key(stream), version);
}

std::string order_key(Instant due_at, const domain::StreamId& stream, std::uint64_t version) {
  std::string key(1, kOrder);
  append_sortable(key, due_at.micros);
  return key + eventstore::version_key(eventstore::stream_key(stream), version);
}

/// The inverse of order_key; empty if it did not write this.
std::optional<DueHold> read_order_key(std::string_view key) {
  if (key.size() < 1 + 2 * kNumberBytes) return std::nullopt;
  DueHold hold;
  hold.due_at = {read_sortable(key.substr(1, kNumberBytes))};
  hold.hold_version = eventstore::version_of_key(key);
  const std::string_view stream = key.substr(1 + kNumberBytes, key.size() - 1 - 2 * kNumberBytes);
  const std::size_t tenant_end = stream.find('\0');
  // `tenant NUL kind id NUL`: a kind byte may itself be NUL.
  if (tenant_end == std::string_view::npos || tenant_end + 2 >= stream.size()) return std::nullopt;
  if (stream.back() != '\0') return std::nullopt;
  hold.stream.kind = static_cast<domain::StreamKind>(stream[tenant_end + 1]);
  hold.stream.tenant = TenantId(std::string(stream.substr(0, tenant_end)));
  hold.stream.id = stream.substr(tenant_end + 2, stream.size() - tenant_end - 3);
  return hold;
}

/// The hold that an event ends; none for other events.
std::optional<domain::EventRef> ended_hold(const domain::Event& event) {
  return std::visit(domain::Overloaded{
                        [](const domain::HoldCaptured& body) { return std::optional(body.hold); },
                        [](const domain::HoldReleased& body) { return std::optional(body.hold); },
                        [](const domain::HoldExpired& body) { return std::optional(body.hold); },
                        [](const auto&) { return std::optional<domain::EventRef>(); },
                    },
                    event);
}

}  // namespace

std::string encode_row(const DueTime& row) {
  std::string bytes;
  append_sortable(bytes, row.due_at.micros);
  return bytes;
}

bool decode_row(std::string_view bytes, DueTime& row) {
  if (bytes.size() != kNumberBytes) return false;
  row.due_at = {read_sortable(bytes)};
  return true;
}

Status Due::apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) {
  for (const domain::RecordedEvent& event : entry.events) {
    if (Status status = apply_event(event, batch); !status.ok()) return status;
  }
  return {};
}

Status Due::apply_event(const domain::RecordedEvent& event, eventstore::KvBatch& batch) {
  if (const auto* placed = std::get_if<domain::HoldPlaced>(&event.event)) {
    if (!placed->expires_at) return {};
    auto time = rows().edit(hold_key(event.stream, event.version));
    if (!time.ok()) return time.status();
    **time = DueTime{*placed->expires_at};
    batch.put(table(), order_key(*placed->expires_at, event.stream, event.version), "");
    return {};
  }
  const auto ended = ended_hold(event.event);
  if (!ended) return {};
  const std::string key = hold_key(event.stream, ended->version);
  auto time = rows().read(key);
  if (!time.ok()) return time.status();
  if (!**time) return {};  // It had no expiry.
  batch.erase(table(), order_key((**time)->due_at, event.stream, ended->version));
  auto gone = rows().edit(key);
  if (!gone.ok()) return gone.status();
  (*gone)->reset();
  return {};
}

Result<std::vector<DueHold>> due_by(const eventstore::KvReader& reader, eventstore::Table table,
                                    Instant time, std::size_t limit) {
  CHECK(limit > 0);
  const std::string from(1, kOrder);
  std::string to(1, kOrder);
  if (time.micros == INT64_MAX) {
    to[0] = kOrder + 1;
  } else {
    append_sortable(to, time.micros + 1);
  }
  std::vector<DueHold> holds;
  const auto cursor = reader.scan(table, from, to);
  for (; cursor->valid() && holds.size() < limit; cursor->next()) {
    auto hold = read_order_key(cursor->key());
    if (!hold) return corrupt("due: not a row of a hold: " + eventstore::to_hex(cursor->key()));
    holds.push_back(std::move(*hold));
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  return holds;
}

}  // namespace daybook::projections

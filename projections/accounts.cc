#include "projections/accounts.h"

#include <algorithm>
#include <tuple>

#include "domain/base/check.h"
#include "eventstore/wire.h"
#include "projections/row_codec.h"

namespace daybook::projections {
namespace {

using domain::AccountStatus;
using eventstore::WireReader;
using eventstore::WireWriter;

auto order_of(const TagRow& tag) { return std::tie(tag.service, tag.name); }

void set_tag(AccountRow& row, TagRow tag) {
  const auto at = std::lower_bound(
      row.tags.begin(), row.tags.end(), tag,
      [](const TagRow& left, const TagRow& right) { return order_of(left) < order_of(right); });
  if (at != row.tags.end() && order_of(*at) == order_of(tag)) {
    *at = std::move(tag);
  } else {
    row.tags.insert(at, std::move(tag));
  }
}

/// Mirrors domain::evolve for what a list shows.
class RowEvolution {
 public:
  RowEvolution(AccountRow& row, Instant recorded_at) : row_(row), recorded_at_(recorded_at) {}

  void operator()(const domain::AccountOpened& event) {
    row_.status = AccountStatus::kOpen;
    row_.mode = event.mode;
    row_.currency = event.currency;
    row_.opened_at = recorded_at_;
    for (const auto& tag : event.tags) set_tag(row_, {std::nullopt, tag.name, tag.value});
  }
  void operator()(const domain::AccountFrozen&) { row_.status = AccountStatus::kFrozen; }
  void operator()(const domain::AccountUnfrozen&) { row_.status = AccountStatus::kOpen; }
  void operator()(const domain::AccountClosed&) { row_.status = AccountStatus::kClosed; }
  void operator()(const domain::AccountReopened& event) { row_.status = event.status_after; }
  void operator()(const domain::TagSet& event) {
    set_tag(row_, {event.service, event.tag, event.value});
  }
  void operator()(const domain::TagRemoved& event) {
    if (event.tag == domain::kAutoCreditTag) {
      set_tag(row_, {event.service, event.tag, std::nullopt});
      return;
    }
    std::erase_if(row_.tags, [&](const TagRow& tag) {
      return tag.service == event.service && tag.name == event.tag;
    });
  }
  template <class Other>
  void operator()(const Other&) {}

 private:
  AccountRow& row_;
  Instant recorded_at_;
};

}  // namespace

bool matches(const AccountRow& row, const AccountFilter& filter) {
  if (filter.status && row.status != *filter.status) return false;
  return std::all_of(filter.tags.begin(), filter.tags.end(), [&](const auto& wanted) {
    return std::any_of(row.tags.begin(), row.tags.end(), [&](const TagRow& tag) {
      return !tag.service && tag.name == wanted.first && tag.value == wanted.second;
    });
  });
}

std::string encode_row(const AccountRow& row) {
  std::string bytes;
  WireWriter wire(bytes);
  wire.varint(row.currency.packed());
  wire.fixed8(static_cast<std::uint8_t>(row.mode));
  wire.fixed8(static_cast<std::uint8_t>(row.status));
  wire.varint(row.version);
  wire.fixed64(static_cast<std::uint64_t>(row.opened_at.micros));
  wire.varint(row.tags.size());
  for (const TagRow& tag : row.tags) {
    write_optional_text(wire, tag.service);
    wire.text(tag.name);
    write_optional_text(wire, tag.value);
  }
  wire.varint(row.position);
  return bytes;
}

std::size_t held_bytes(const AccountRow& row) {
  std::size_t bytes = row.tags.size() * sizeof(TagRow);
  for (const TagRow& tag : row.tags) {
    bytes += tag.name.size() + (tag.service ? tag.service->size() : 0) +
             (tag.value ? tag.value->size() : 0);
  }
  return bytes;
}

bool decode_row(std::string_view bytes, AccountRow& row) {
  WireReader wire(bytes);
  const std::uint64_t packed = wire.varint();
  if (packed > UINT16_MAX) return false;
  const auto currency = domain::Currency::unpack(static_cast<std::uint16_t>(packed));
  const std::uint8_t mode = wire.fixed8();
  const std::uint8_t status = wire.fixed8();
  if (!currency || mode > static_cast<std::uint8_t>(domain::AccountMode::kPostpaid) ||
      status > static_cast<std::uint8_t>(AccountStatus::kClosed)) {
    return false;
  }
  row.currency = *currency;
  row.mode = static_cast<domain::AccountMode>(mode);
  row.status = static_cast<AccountStatus>(status);
  row.version = wire.varint();
  row.opened_at = {static_cast<std::int64_t>(wire.fixed64())};
  const std::uint64_t count = wire.varint();
  if (count > wire.remaining()) return false;
  row.tags.clear();
  for (std::uint64_t i = 0; i < count && wire.ok(); ++i) {
    TagRow& tag = row.tags.emplace_back();
    tag.service = read_optional_text(wire);
    tag.name = wire.text();
    tag.value = read_optional_text(wire);
  }
  row.position = wire.varint();
  return wire.ok() && wire.at_end();
}

Status Accounts::apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch&) {
  for (std::size_t i = 0; i < entry.events.size(); ++i) {
    const domain::RecordedEvent& event = entry.events[i];
    if (event.stream.kind != domain::StreamKind::kAccount) continue;
    // Its tags are what may become large.
    const bool may_grow = std::holds_alternative<domain::TagSet>(event.event) ||
                          std::holds_alternative<domain::AccountOpened>(event.event);
    auto found = rows().edit_of(entry, i, "", may_grow ? entry.bytes[i].size() : 0);
    if (!found.ok()) return found.status();
    std::optional<AccountRow>& row = **found;
    if (!row) row.emplace();
    if (event.version != row->version + 1) {
      return corrupt("account " + event.stream.id + ": version " + std::to_string(event.version) +
                     " follows " + std::to_string(row->version));
    }
    std::visit(RowEvolution(*row, event.recorded_at), event.event);
    row->version = event.version;
    row->position = entry.entry.base_position + i;
  }
  return {};
}

Result<std::optional<AccountRow>> account_of(const eventstore::KvReader& reader,
                                             eventstore::Table table, const TenantId& tenant,
                                             const AccountId& account) {
  auto bytes = reader.get(table, account_prefix(tenant, account.value()));
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<AccountRow>();
  std::optional<AccountRow> row(std::in_place);
  if (!decode_row(**bytes, *row)) {
    return corrupt("account " + account.value() + ": not an account row");
  }
  return row;
}

Result<AccountPage> list_accounts(const eventstore::KvReader& reader, eventstore::Table table,
                                  const TenantId& tenant, const AccountFilter& filter,
                                  const std::optional<AccountId>& after, std::size_t limit,
                                  std::size_t looked_at_max) {
  CHECK(limit > 0 && looked_at_max > 0);
  const std::string prefix = tenant_prefix(tenant);
  const std::string from = after ? end_of_prefix(account_prefix(tenant, after->value())) : prefix;
  AccountPage page;
  std::size_t looked_at = 0;
  std::optional<AccountId> last_looked_at;
  const auto cursor = reader.scan(table, from, end_of_prefix(prefix));
  for (; cursor->valid(); cursor->next()) {
    if (looked_at++ == looked_at_max) {
      page.next = last_looked_at;
      return page;
    }
    std::string_view id = cursor->key().substr(prefix.size());
    id.remove_suffix(1);
    AccountRow row;
    if (!decode_row(cursor->value(), row)) {
      return corrupt("account " + std::string(id) + ": not an account row");
    }
    if (matches(row, filter)) {
      if (page.rows.size() == limit) {
        page.next = page.rows.back().first;
        return page;
      }
      page.rows.emplace_back(AccountId(std::string(id)), std::move(row));
    }
    last_looked_at = AccountId(std::string(id));
  }
  if (Status status = cursor->status(); !status.ok()) return status;
  return page;
}

}  // namespace daybook::projections

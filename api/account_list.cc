#include "api/account_list.h"

#include <algorithm>
#include <utility>

#include "api/account_view.h"
#include "api/body_reader.h"
#include "api/paging.h"
#include "eventstore/json_text.h"
#include "projections/accounts.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using eventstore::JsonObject;
using projections::AccountFilter;
using projections::AccountPage;
using projections::AccountRow;

/// Rows that one page of the past looks at: each may cost a fold.
constexpr std::size_t kPastLookedAtMax = 10'000;

AccountRow row_of(const domain::AccountState& state) {
  AccountRow row;
  row.currency = state.currency;
  row.mode = state.mode;
  row.status = state.status;
  row.version = state.version;
  row.opened_at = state.opened_at;
  for (const auto& tag : state.tags) row.tags.push_back({tag.service, tag.name, tag.value});
  return row;
}

/// The accounts of a tenant at a position.
class AccountsAt {
 public:
  AccountsAt(const Reading& reading, TenantId tenant, std::uint64_t position)
      : reading_(reading), tenant_(std::move(tenant)), position_(position) {}

  Result<AccountPage> all(const AccountFilter& filter, std::optional<AccountId> after,
                          std::size_t limit) const {
    AccountPage page;
    for (std::size_t looked_at = 0; looked_at < kPastLookedAtMax;) {
      // Without the filter: what a row says now is not what it said then.
      auto rows = projections::list_accounts(reading_.rows(), projections::kAccountsTable, tenant_,
                                             {}, after, limit);
      if (!rows.ok()) return rows.status();
      for (auto& [id, row] : rows->rows) {
        const Status status = add(id, std::move(row), filter, limit, page);
        if (!status.ok() || page.next) return status.ok() ? Result(std::move(page)) : status;
      }
      if (!rows->next) return page;
      looked_at += rows->rows.size();
      after = rows->next;
    }
    page.next = after;
    return page;
  }

  Result<AccountPage> of(std::vector<AccountId> ids, const AccountFilter& filter,
                         const std::optional<AccountId>& after, std::size_t limit) const {
    std::sort(ids.begin(), ids.end());
    AccountPage page;
    for (const auto& id : ids) {
      if (after && id <= *after) continue;
      auto row = projections::account_of(reading_.rows(), projections::kAccountsTable, tenant_, id);
      if (!row.ok()) return row.status();
      if (!*row) continue;
      const Status status = add(id, std::move(**row), filter, limit, page);
      if (!status.ok()) return status;
      if (page.next) break;
    }
    return page;
  }

 private:
  /// Puts a row into the page if it belongs there; one too many ends the page instead.
  Status add(const AccountId& id, AccountRow row, const AccountFilter& filter, std::size_t limit,
             AccountPage& page) const {
    if (row.position > position_) {
      const auto stream = reading_.stream_of(id);
      auto version = stream.version_at_position(position_);
      if (!version.ok()) return version.status();
      if (*version == 0) return {};
      auto state = stream.state_at(*version);
      if (!state.ok()) return state.status();
      row = row_of(*state);
    }
    if (!matches(row, filter)) return {};
    if (page.rows.size() == limit) {
      page.next = page.rows.back().first;
    } else {
      page.rows.emplace_back(id, std::move(row));
    }
    return {};
  }

  const Reading& reading_;
  TenantId tenant_;
  std::uint64_t position_;
};

std::optional<AccountFilter> read_filter(const QueryParams& query,
                                         std::vector<FieldError>& errors) {
  AccountFilter filter;
  filter.tags = query.tags();
  for (const auto& [name, value] : filter.tags) {
    auto fault = fault_of(name, kTagRule);
    if (!fault) fault = fault_of(value, kTagValueRule);
    if (fault) errors.push_back({"", std::move(fault->detail), "tag[" + name + "]"});
  }
  if (const auto status = query.find("status")) {
    for (const auto known : {domain::AccountStatus::kOpen, domain::AccountStatus::kFrozen,
                             domain::AccountStatus::kClosed}) {
      if (name_of(known) == *status) filter.status = known;
    }
    if (!filter.status) errors.push_back({"", "must be open, frozen or closed", "status"});
  }
  return errors.empty() ? std::optional(std::move(filter)) : std::nullopt;
}

std::string row_json(const AccountId& id, const AccountRow& row) {
  JsonObject tags;
  for (const auto& tag : row.tags) {
    if (tag.service || !tag.value) continue;
    tags.raw(tag.name, JsonObject().string("value", *tag.value).text());
  }
  return JsonObject()
      .string("id", id.value())
      .string("status", name_of(row.status))
      .string("currency", row.currency.code())
      .string("mode", name_of(row.mode))
      .number("version", row.version)
      .string("opened_at", to_rfc3339(row.opened_at))
      .raw("tags", tags.text())
      .text();
}

Result<AccountPage> find_page(const ReadRequest& request, const Reading& reading,
                              std::uint64_t position, const AccountFilter& filter,
                              std::size_t limit) {
  std::optional<AccountId> after;
  if (!request.place.empty()) after = AccountId(request.place.front());
  const TenantId& tenant = request.principal.tenant;
  const AccountsAt then(reading, tenant, position);
  if (request.principal.roles.has(domain::Role::kClient)) {
    return then.of(request.principal.accounts, filter, after, limit);
  }
  auto shown = reading.rows_position();
  if (!shown.ok()) return shown.status();
  if (position < *shown) return then.all(filter, after, limit);
  return projections::list_accounts(reading.rows(), projections::kAccountsTable, tenant, filter,
                                    after, limit);
}

}  // namespace

HttpResponse list_accounts(const ReadRequest& request, const ReadSources& sources) {
  std::vector<FieldError> errors;
  const std::size_t limit = request.query.limit(errors);
  const auto filter = read_filter(request.query, errors);
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  const Reading reading(request, sources);
  auto tenant = reading.terms_at_point();
  if (!tenant.ok()) return reading.failed(tenant.status());
  auto position = reading.position_at_point();
  if (!position.ok()) return reading.failed(position.status());
  if (tenant->version == 0 || !*position) return reading.not_yet();
  auto page = find_page(request, reading, **position, *filter, limit);
  if (!page.ok()) return reading.failed(page.status());
  std::vector<std::string> rows;
  for (const auto& [id, row] : page->rows) rows.push_back(row_json(id, row));
  std::optional<std::string> next;
  if (page->next) {
    next = next_cursor(request, sources.cursors, **position, {page->next->value()});
  }
  const std::string text = reading.position_text(**position);
  HttpResponse response = json_response(page_json(rows, next, text));
  speak_for(response, text);
  return response;
}

}  // namespace daybook::api

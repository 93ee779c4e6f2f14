#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/http_message.h"
#include "api/read_context.h"
#include "domain/account.h"
#include "domain/catalogue.h"
#include "domain/tenant.h"
#include "projections/streams.h"

namespace daybook::api {

/// An account and its tenant's terms at the point a query asks for.
struct AccountView {
  domain::AccountState state;
  domain::Catalogue catalogue;
  std::uint64_t position = 0;  ///< Of the last event that the answer has seen.
  std::string position_text;
};

/// A read with all of one moment's rows.
class Reading {
 public:
  Reading(const ReadRequest& request, const ReadSources& sources);

  const eventstore::KvReader& rows() const { return *rows_; }
  projections::StreamReader stream_of(const AccountId& account) const;
  projections::StreamReader account_stream() const { return stream_of(account()); }

  /// The view, or the answer that says why there is none: 404 not-found, 404 not-yet, 410, 503.
  std::variant<AccountView, HttpResponse> account_view() const;

  /// The version that the point stands for; in the present, the last one up to which all tables of
  /// these rows have got. 0: not yet.
  Result<std::uint64_t> version_at_point(const projections::StreamReader& stream) const;

  /// The tenant at the point; version 0: not yet.
  Result<domain::TenantState> tenant_at_point() const;

  /// The position that a list speaks for: of the last event at the point. Empty: there was none.
  Result<std::optional<std::uint64_t>> position_at_point() const;

  /// How far the tables of these rows have got.
  struct RowsEnd {
    std::uint64_t position = 0;  ///< Everything up to it is in all tables.
    bool even = true;            ///< And nothing later in any.
  };
  Result<RowsEnd> rows_end() const;
  std::string position_text(std::uint64_t position) const;

  HttpResponse not_found() const;
  HttpResponse not_yet() const;
  HttpResponse failed(const Status& status) const;
  AccountId account() const { return AccountId(request_.params.find("account")->second); }

 private:
  const ReadRequest& request_;
  const ReadSources& sources_;
  std::unique_ptr<eventstore::KvReader> rows_;
};

}  // namespace daybook::api

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

  /// The view, or the answer that says why there is none: 404 not-found, 404 not-yet, 422, 503.
  std::variant<AccountView, HttpResponse> account_view() const;

  /// The version that the point stands for: the last one for the present. 0: not yet.
  Result<std::uint64_t> version_at_point(const projections::StreamReader& stream) const;

  /// The tenant at the point, but for its keys; version 0: not yet.
  Result<projections::TenantTerms> terms_at_point() const;
  /// The same with its keys, which may be megabytes: only for who wants them.
  Result<domain::TenantState> tenant_at_point() const;

  /// The position that a list speaks for: of the last event at the point. Empty: there was none.
  Result<std::optional<std::uint64_t>> position_at_point() const;

  /// Everything up to this position is in all tables of these rows, and nothing later in any that
  /// has caught up: they are written together.
  Result<std::uint64_t> rows_position() const;
  std::string position_text(std::uint64_t position) const;

  HttpResponse not_found() const;
  HttpResponse not_yet() const;
  HttpResponse failed(const Status& status) const;
  AccountId account() const { return AccountId(request_.params.find("account")->second); }

 private:
  projections::StreamReader tenant_stream() const;

  const ReadRequest& request_;
  const ReadSources& sources_;
  std::unique_ptr<eventstore::KvReader> rows_;
};

}  // namespace daybook::api

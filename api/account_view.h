#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/http_message.h"
#include "api/read_context.h"
#include "domain/account.h"
#include "domain/catalogue.h"
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
  projections::StreamReader account_stream() const;

  /// The view, or the answer that says why there is none: 404 not-found, 404 not-yet, 410, 503.
  std::variant<AccountView, HttpResponse> account_view() const;

  /// The version that the point stands for: the last one for the present. 0: not yet.
  Result<std::uint64_t> version_at_point(const projections::StreamReader& stream) const;

  Result<domain::Catalogue> catalogue_at_point() const;

  /// The tenant as it is now.
  Result<domain::TenantState> tenant() const;

  /// Everything up to this position is in all tables of these rows.
  Result<std::uint64_t> rows_position() const;
  std::string position_text(std::uint64_t position) const;

  HttpResponse not_found() const;
  HttpResponse failed(const Status& status) const;
  AccountId account() const { return AccountId(request_.params.find("account")->second); }

 private:
  const ReadRequest& request_;
  const ReadSources& sources_;
  std::unique_ptr<eventstore::KvReader> rows_;
};

}  // namespace daybook::api

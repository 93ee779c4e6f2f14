#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/problem.h"
#include "domain/base/time.h"
#include "domain/currency.h"

namespace daybook::api {

/// The query of a request, decoded: only parameters that the route knows, each at most once.
/// A '+' is a plus (RFC 3986), so that a time offset needs no escape.
class QueryParams {
 public:
  /// `allowed` lists the names; "tag[]" stands for every `tag[name]`.
  static std::variant<QueryParams, std::vector<FieldError>> parse(
      std::string_view raw_query, std::span<const std::string_view> allowed);

  /// Names and values in order, unchecked.
  static std::vector<std::pair<std::string, std::string>> split(std::string_view raw_query);

  std::optional<std::string> find(std::string_view name) const;
  /// (name, value) of every `tag[name]=value`.
  std::vector<std::pair<std::string, std::string>> tags() const;

  // Typed reading; a value outside its grammar adds an error and gives nothing.
  std::optional<Instant> instant(std::string_view name, std::vector<FieldError>& errors) const;
  std::optional<domain::Currency> currency(std::string_view name,
                                           std::vector<FieldError>& errors) const;
  /// `limit`, 1 to 1,000, default 50.
  std::size_t limit(std::vector<FieldError>& errors) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace daybook::api

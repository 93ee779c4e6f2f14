#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daybook::api {

/// Opaque page cursors: a list of texts that only this ledger can have made, for one tenant and one
/// list (its route and filters). Changed or borrowed, they are refused. Any thread.
class CursorCodec {
 public:
  explicit CursorCodec(std::string secret) : secret_(std::move(secret)) {}

  /// base64url without padding (RFC 4648 section 5). `scope` says for whom and what it counts.
  std::string encode(std::string_view scope, const std::vector<std::string>& parts) const;
  std::optional<std::vector<std::string>> decode(std::string_view scope,
                                                 std::string_view cursor) const;

 private:
  std::string mac(std::string_view scope, std::string_view payload) const;

  std::string secret_;
};

}  // namespace daybook::api

#include "api/http_parser.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/none.hpp>
#include <boost/optional/optional.hpp>

#include "api/http_gate.h"

namespace daybook::api {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string_view std_view(string_view text) { return {text.data(), text.size()}; }

/// Compares instead of storing. Any difference ends the parse.
class Comparer final : public http::basic_parser<true> {
 public:
  Comparer(const RequestHead& head, const GateLimits& limits) : head_(head) {
    header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    body_limit(boost::none);  // the handler decides, from Content-Length
  }

  bool agreed() const { return is_header_done() && seen_ == head_.fields.size(); }

 private:
  void require(bool equal, error_code& ec) const {
    if (!equal) ec = http::error::bad_value;
  }

  void on_request_impl(http::verb /*method*/, string_view method, string_view target, int version,
                       error_code& ec) override {
    require(std_view(method) == head_.method && std_view(target) == head_.target && version == 11,
            ec);
  }
  void on_field_impl(http::field /*field*/, string_view name, string_view value,
                     error_code& ec) override {
    require(seen_ < head_.fields.size() && std_view(name) == head_.fields[seen_].first &&
                std_view(value) == head_.fields[seen_].second,
            ec);
    ++seen_;
  }
  void on_header_impl(error_code& ec) override {
    const auto length = content_length();
    require(!chunked() && (length ? *length : 0) == head_.content_length, ec);
  }

  // Never reached for the header of a request: the body is not shown to this parser.
  void on_response_impl(int /*code*/, string_view /*reason*/, int /*version*/,
                        error_code& ec) override {
    require(false, ec);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                         error_code& /*ec*/) override {}
  std::size_t on_body_impl(string_view /*body*/, error_code& ec) override {
    require(false, ec);
    return 0;
  }
  void on_chunk_header_impl(std::uint64_t /*size*/, string_view /*extensions*/,
                            error_code& ec) override {
    require(false, ec);
  }
  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, string_view /*body*/,
                                 error_code& ec) override {
    require(false, ec);
    return 0;
  }
  void on_finish_impl(error_code& /*ec*/) override {}

  const RequestHead& head_;
  std::size_t seen_ = 0;
};

}  // namespace

bool beast_agrees(std::string_view raw, const RequestHead& head, const GateLimits& limits) {
  Comparer comparer(head, limits);
  error_code ec;
  const std::size_t used = comparer.put(boost::asio::buffer(raw.data(), raw.size()), ec);
  return !ec && used == raw.size() && comparer.agreed();
}

}  // namespace daybook::api

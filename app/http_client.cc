#include "app/http_client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ios>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include <curl/curl.h>  // IWYU pragma: keep

#include "api/json_reader.h"
#include "domain/base/result.h"
#include "eventstore/files.h"

namespace daybook::app {
namespace {

constexpr long kConnectMilliseconds = 5'000;
constexpr long kCallMilliseconds = 120'000;
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;
constexpr std::size_t kKeyBytesMax = 512;
/// Of a problem's errors; a line that is longer is not read.
constexpr std::size_t kErrorsShown = 8;

std::size_t take_bytes(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto* body = static_cast<std::string*>(user);
  const std::size_t total = size * count;
  if (total > kAnswerBytesMax - body->size()) return 0;  // Ends the transfer with an error.
  body->append(bytes, total);
  return total;
}

Result<std::string> read_key(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file && errno == ENOENT) return not_found("key file " + path + ": no such file");
  if (!file) return eventstore::errno_status("open key file", path, errno);
  std::string key(kKeyBytesMax + 1, '\0');
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  if (file.bad()) return io_error("key file " + path + " cannot be read");
  key.resize(static_cast<std::size_t>(file.gcount()));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  const bool visible =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.empty() || key.size() > kKeyBytesMax || !visible) {
    return invalid("key file " + path + " does not hold a bare key");
  }
  return key;
}

std::string_view without_slashes(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  return url;
}

/// Whether nothing or a port follows the host.
bool ends_in_a_port_or_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  if (colon == std::string_view::npos) return !host.empty();
  if (bracket != std::string_view::npos && colon < bracket) return true;
  const std::string_view digits = host.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return colon > 0 && error == std::errc() && stop == digits.data() + digits.size() && port > 0;
}

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

void add_header(HeaderList& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

}  // namespace

Status check_url(const std::string& url) {
  std::string_view rest = without_slashes(url);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    if (rest.find_first_of("/?#@ ") == std::string_view::npos && ends_in_a_port_or_host(rest)) {
      return {};
    }
  }
  return invalid("expected a URL like http://127.0.0.1:8080, found \"" + url + "\"");
}

struct HttpClient::Handle {
  Handle() : curl(curl_easy_init()) {}
  ~Handle() { curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&&) = delete;
  Handle& operator=(Handle&&) = delete;

  template <class Value>
  void set(CURLoption option, Value value) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): libcurl's interface
    if (curl_easy_setopt(curl, option, value) != CURLE_OK) healthy = false;
  }

  CURL* curl;
  std::string url;
  std::string key;
  bool healthy = true;
};

HttpClient::HttpClient(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
HttpClient::~HttpClient() = default;

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): the order of the command line
Result<std::unique_ptr<HttpClient>> HttpClient::open(const std::string& url,
                                                     const std::string& key_file) {
  if (Status status = check_url(url); !status.ok()) return status;
  const std::string base(without_slashes(url));
  auto key = read_key(key_file);
  if (!key.ok()) return key.status();
  auto handle = std::make_unique<Handle>();
  if (handle->curl == nullptr) return io_error("libcurl cannot be initialised");
  handle->url = base;
  handle->key = std::move(*key);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(handle)));
}

Result<HttpAnswer> HttpClient::send(const HttpCall& call) {
  Handle& handle = *handle_;
  HttpAnswer answer;
  HeaderList headers;
  add_header(headers, "Authorization: Bearer " + handle.key);
  add_header(headers, "Content-Type: " + call.content_type);
  add_header(headers, "Expect:");  // Bodies go at once.
  if (!call.idempotency_key.empty()) {
    add_header(headers, "Idempotency-Key: " + call.idempotency_key);
  }
  if (headers == nullptr) return io_error("libcurl: out of memory");
  curl_easy_reset(handle.curl);  // Keeps the connection.
  const std::string target = handle.url + call.path;
  handle.set(CURLOPT_URL, target.c_str());
  handle.set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
  handle.set(CURLOPT_HTTPHEADER, headers.get());
  if (call.method != "GET" && call.method != "DELETE") {
    handle.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    handle.set(CURLOPT_POSTFIELDS, call.body.data());
  }
  handle.set(CURLOPT_PROTOCOLS_STR, "http,https");
  handle.set(CURLOPT_FOLLOWLOCATION, 0L);
  handle.set(CURLOPT_PROXY, "");
  handle.set(CURLOPT_NOSIGNAL, 1L);
  handle.set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
  handle.set(CURLOPT_TIMEOUT_MS, kCallMilliseconds);
  handle.set(CURLOPT_WRITEFUNCTION, &take_bytes);
  handle.set(CURLOPT_WRITEDATA, &answer.body);
  if (!handle.healthy) return io_error("libcurl refuses an option");
  const CURLcode code = curl_easy_perform(handle.curl);
  if (code != CURLE_OK) {
    return unavailable(handle.url + " cannot be reached: " + curl_easy_strerror(code));
  }
  long status = 0;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): libcurl's interface
  curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

std::string text_member(const api::JsonValue& object, std::string_view name) {
  const api::JsonValue* value = object.find(name);
  const std::string* text = value == nullptr ? nullptr : value->string();
  return text == nullptr ? std::string() : *text;
}

std::string problem_text(const api::JsonValue& problem) {
  std::string text = text_member(problem, "title");
  const std::string detail = text_member(problem, "detail");
  if (!detail.empty()) text += (text.empty() ? "" : ": ") + detail;
  const api::JsonValue* member = problem.find("errors");
  const auto* errors = member == nullptr ? nullptr : member->array();
  if (errors == nullptr || errors->empty()) return text;
  text += " (";
  for (std::size_t i = 0; i < errors->size() && i < kErrorsShown; ++i) {
    const api::JsonValue& error = (*errors)[i];
    std::string where = text_member(error, "pointer");
    if (where.empty()) where = text_member(error, "parameter");
    if (i > 0) text += "; ";
    if (!where.empty()) text += where + ": ";
    text += text_member(error, "detail");
  }
  if (errors->size() > kErrorsShown) {
    text += "; and " + std::to_string(errors->size() - kErrorsShown) + " more";
  }
  return text + ")";
}

Result<api::JsonValue> json_of(const HttpAnswer& answer) {
  auto parsed = api::parse_json(answer.body, {32, 2'000'000});
  auto* json = std::get_if<api::JsonValue>(&parsed);
  const std::string status = "the server answered " + std::to_string(answer.status);
  if (answer.status >= 200 && answer.status < 300) {
    if (json == nullptr) return invalid(status + " without JSON");
    return std::move(*json);
  }
  std::string message = status;
  if (json != nullptr) {
    const std::string said = problem_text(*json);
    if (!said.empty()) message += " " + said;
  }
  switch (answer.status) {
    case 404:
      return not_found(message);
    case 409:
    case 412:
      return conflict(message);
    case 503:
      return unavailable(message);
    default:
      return invalid(message);
  }
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return encoded;
}

}  // namespace daybook::app

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/api_key.h"
#include "api/body_reader.h"
#include "api/command_json.h"
#include "api/cursor.h"
#include "api/focus_csv.h"
#include "api/http_gate.h"
#include "api/http_message.h"
#include "api/paging.h"
#include "api/path_rule.h"
#include "api/queries.h"
#include "api/query_params.h"
#include "api/request_headers.h"
#include "api/routes.h"
#include "domain/base/utf8.h"
#include "domain/currency.h"
#include "domain/money.h"
#include "eventstore/event_id.h"
#include "eventstore/position.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

using Texts = std::vector<std::string>;

Texts lines_of(std::string_view bytes, std::size_t most) {
  Texts lines;
  while (!bytes.empty() && lines.size() < most) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    lines.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return lines;
}

// --- Cursors

const api::CursorCodec& codec() {
  static const api::CursorCodec codec(std::string(32, 's'));
  return codec;
}

/// Whatever is read was written, with every character as it is.
void cursor(std::string_view text) {
  const auto parts = codec().decode("scope", text);
  if (!parts) return;
  require(codec().encode("scope", *parts) == text, "a cursor has one text");
  require(!codec().decode("other", text), "a cursor is of one list");
}

void made_cursor(std::string_view bytes) {
  const Texts parts = lines_of(bytes, 16);
  std::string text = codec().encode("scope", parts);
  const auto read = codec().decode("scope", text);
  constexpr std::size_t kTextMax = 1'024;
  require(read.has_value() == (text.size() <= kTextMax), "a cursor within its bound is read");
  if (!read) return;
  require(*read == parts, "a cursor says what was put into it");
  cursor(text);
  Chance chance(bytes);
  const std::size_t at = chance.below(text.size());
  text[at] = static_cast<char>(text[at] ^ static_cast<char>(1 << chance.below(7)));
  require(!codec().decode("scope", text), "a changed cursor is refused");
}

void page_cursor(std::string_view bytes) {
  const Texts texts = lines_of(bytes, 3);
  if (texts.size() < 3) return;
  api::ReadRequest request;
  request.operation = api::Operation::kListTags;
  request.params["account"] = texts[0];
  request.principal.tenant = TenantId("main");
  request.generation = 7;
  const Texts place{texts[1], texts[2]};
  const std::string text = api::next_cursor(request, codec(), 42, place);
  const auto followed = api::follow_cursor(request, codec(), text);
  const auto* pinned = std::get_if<api::ReadRequest>(&followed);
  if (pinned == nullptr) {
    require(text.size() > 1'000, "a cursor of this list is followed");
    return;
  }
  require(pinned->point.pin == 42U && pinned->place == place, "it leads to its place");
  request.generation = 8;
  const auto other = api::follow_cursor(request, codec(), text);
  require(std::get<api::HttpResponse>(other).status == 410, "not in another generation");
  request.principal.tenant = TenantId("other");
  const auto borrowed = api::follow_cursor(request, codec(), text);
  require(std::get<api::HttpResponse>(borrowed).status == 400, "not for another tenant");
}

// --- Paths and queries

std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15U];
  }
  return out;
}

void query(std::string_view raw) {
  std::string again;
  const auto items = api::QueryParams::split(raw);
  for (const auto& [name, value] : items) {
    again += (again.empty() ? "" : "&") + escaped(name) + "=" + escaped(value);
  }
  require(api::QueryParams::split(again) == items, "an escaped query says the same");
  for (const auto operation : {api::Operation::kListAccounts, api::Operation::kGetStatement,
                               api::Operation::kListEvents}) {
    const auto allowed = api::query_names(operation);
    const auto parsed = api::QueryParams::parse(raw, allowed);
    const auto* params = std::get_if<api::QueryParams>(&parsed);
    if (params == nullptr) {
      require(!std::get<1>(parsed).empty(), "a no has a reason");
      continue;
    }
    for (const auto& [name, value] : items) {
      require(params->find(name) == value, "each parameter is there once");
      require(is_utf8(name) && is_utf8(value), "a parameter is a text");
    }
    std::vector<api::FieldError> errors;
    const std::size_t limit = params->limit(errors);
    require(limit >= 1 && limit <= 1'000, "a page has a bound");
    const auto from = params->instant("from", errors);
    if (from) require(parse_rfc3339(to_rfc3339(*from)) == from, "a time can be written");
    static_cast<void>(params->currency("currency", errors));
    require(params->tags().size() <= items.size(), "tags are parameters");
  }
}

void path(std::string_view line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const auto decoded = api::decode_target_path(line.substr(std::min(space + 1, line.size())));
  if (!decoded) return;
  const auto found = api::find_route(line.substr(0, space), *decoded);
  const auto* match = std::get_if<api::RouteMatch>(&found);
  if (match == nullptr) return;
  require(match->route->method == line.substr(0, space), "a route has its method");
  std::string built(match->route->pattern);
  for (const auto& [name, value] : match->params) {
    require(value.find('/') == std::string::npos && !value.empty(), "a value is one segment");
    const std::string place = "{" + name + "}";
    built.replace(built.find(place), place.size(), value);
  }
  require(built == *decoded, "pattern and values are the path");
  const auto errors = api::path_errors(match->params);
  for (const auto& error : errors) {
    require(match->params.contains(error.parameter) && is_utf8(error.detail),
            "what is wrong is a value of the path");
  }
  for (const auto& [name, value] : match->params) {
    require(!errors.empty() || is_utf8(value), "an accepted value is a text");
  }
}

// --- Headers

class Counted final : public Random {
 public:
  std::string bytes(std::size_t size) const override { return std::string(size, '\x5A'); }
};

void credential(std::string_view text) {
  static const api::MintedKey minted = api::mint_key(Counted(), "pepper", std::nullopt, {}, {});
  api::KeyRing keys("pepper");
  domain::TenantState state;
  state.keys.push_back({minted.key, {}, {}});
  keys.load(TenantId("main"), state);
  require(keys.authenticate(text).has_value() == (text == minted.secret),
          "the key's own text and no other opens");
  require(keys.authenticate(minted.secret).has_value(), "the key's own text opens");
}

void if_match(std::string_view text) {
  const auto version = api::parse_if_match(text);
  if (!version) return;
  require("\"" + std::to_string(*version) + "\"" == text, "a version has one entity tag");
}

void idempotency_key(std::string_view text) {
  bool visible = !text.empty() && text.size() <= 255;
  for (const char c : text) visible = visible && c >= '!' && c <= '~';
  require(api::is_idempotency_key(text) == visible, "a key is 1 to 255 visible characters");
}

void media(std::string_view text) {
  const std::string type = api::media_type(text);
  require(api::media_type(type) == type, "a media type has no parameters");
  static_cast<void>(api::is_utf8_media(text));
}

// --- Values

void amount(std::string_view text) {
  if (const auto read = domain::parse_amount(text)) {
    for (const int decimals : {0, 2, 12}) {
      require(domain::parse_amount(domain::to_text(*read, decimals)) == read,
              "an amount is written as it was read");
    }
    require(domain::checked_negate(*read).has_value(), "an amount can be negated");
  }
  if (const auto read = domain::parse_quantity(text)) {
    require(domain::parse_quantity(domain::to_text(*read)) == read,
            "a quantity is written as it was read");
  }
  if (const auto code = domain::Currency::parse(text)) {
    require(code->code() == text && domain::Currency::unpack(code->packed()) == *code,
            "a currency is its code");
  }
}

void moment(std::string_view text) {
  if (const auto instant = parse_rfc3339(text)) {
    require(parse_rfc3339(to_rfc3339(*instant)) == instant, "a time can be written");
  }
  if (const auto instant = api::parse_utc(text)) {
    require(parse_rfc3339(text) == instant, "both readers read the same time");
    require(api::parse_utc(to_rfc3339(*instant)) == instant, "our own form is read");
  }
}

void names(std::string_view text) {
  const auto stream = domain::StreamId::account(TenantId("main"), AccountId("acme"));
  if (const auto version = eventstore::version_in(stream, text)) {
    require(api::is_event_id(text) && eventstore::event_id(stream, *version) == text,
            "an event has one id");
  }
  if (const auto position = eventstore::parse_position(text)) {
    require(eventstore::to_text(*position) == text, "a position has one text");
  }
  require(is_utf8(to_utf8(text)), "what is mended is UTF-8");
  if (is_utf8(text)) require(to_utf8(text) == text, "what is whole stays");
  const auto id = api::focus_account_id(text);
  if (!id.ok()) return;
  require(!api::fault_of(*id, api::kAccountRule).has_value(), "an imported account has an id");
}

}  // namespace

/// A letter that says what, then one value of a request: cursors, query strings, paths, the
/// headers that carry keys, and the texts of amounts, times, ids and positions.
void http_values(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view text = bytes.substr(1);
  switch (bytes.front()) {
    case 'c':
      return cursor(text);
    case 'C':
      return made_cursor(text);
    case 'p':
      return page_cursor(text);
    case 'q':
      return query(text);
    case 'r':
      return path(text);
    case 'k':
      return credential(text);
    case 'm':
      return if_match(text);
    case 'i':
      return idempotency_key(text);
    case 'a':
      return amount(text);
    case 't':
      return moment(text);
    case 'n':
      return names(text);
    case 'y':
      return media(text);
    default:
      return;
  }
}

}  // namespace daybook::fuzz

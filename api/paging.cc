#include "api/paging.h"

#include <charconv>
#include <utility>

#include "api/queries.h"
#include "domain/base/check.h"
#include "eventstore/json_text.h"

namespace daybook::api {
namespace {

/// Texts that say where a list goes on.
std::size_t place_size(Operation operation) {
  switch (operation) {
    case Operation::kGetStatement:  // The effective time and the version of a line.
    case Operation::kListTags:      // The service and the name of a tag.
      return 2;
    default:
      return 1;
  }
}

/// Who a cursor is for and what it counts: it is refused anywhere else.
std::string scope_of(const ReadRequest& request) {
  std::string scope = "2/" + request.principal.tenant.value() + "/" +
                      std::to_string(static_cast<int>(request.operation));
  for (const auto& [name, value] : request.params) scope += "/" + name + "=" + value;
  for (const auto& name : query_names(request.operation)) {
    if (name == "cursor" || name == "after" || name == "limit" || name == "min_position") continue;
    if (const auto value = request.query.find(name)) {
      scope += "&" + std::string(name) + "=" + *value;
    }
  }
  for (const auto& [name, value] : request.query.tags()) scope += "&tag[" + name + "]=" + value;
  return scope;
}

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::variant<ReadRequest, HttpResponse> follow_cursor(const ReadRequest& request,
                                                      const CursorCodec& cursors,
                                                      std::string_view cursor) {
  auto parts = cursors.decode(scope_of(request), cursor);
  std::uint32_t generation = 0;
  std::uint64_t position = 0;
  if (!parts || parts->size() != 2 + place_size(request.operation) ||
      !read_number((*parts)[0], generation) || !read_number((*parts)[1], position)) {
    return problem(400, "malformed-cursor", "the cursor is not one of this list",
                   request.request_id);
  }
  if (generation != request.generation) {
    return problem(410, "gone", "the cursor is of another generation of the ledger",
                   request.request_id);
  }
  ReadRequest pinned = request;
  pinned.point.pin = position;
  pinned.place.assign(std::make_move_iterator(parts->begin() + 2),
                      std::make_move_iterator(parts->end()));
  return pinned;
}

std::string next_cursor(const ReadRequest& request, const CursorCodec& cursors,
                        std::uint64_t position, std::vector<std::string> place) {
  CHECK(place.size() == place_size(request.operation));
  place.insert(place.begin(), {std::to_string(request.generation), std::to_string(position)});
  return cursors.encode(scope_of(request), place);
}

std::string page_json(const std::vector<std::string>& rows, const std::optional<std::string>& next,
                      const std::string& position) {
  eventstore::JsonObject page;
  page.raw("data", eventstore::json_array(rows)).boolean("has_more", next.has_value());
  if (next) {
    page.string("next", *next);
  } else {
    page.null("next");
  }
  return page.string("position", position).text();
}

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

void speak_for(HttpResponse& response, const std::string& position) {
  response.headers.emplace_back("Daybook-Position", position);
}

}  // namespace daybook::api

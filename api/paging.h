#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http_message.h"
#include "api/problem.h"
#include "api/read_context.h"

/// What lists have in common: cursors that pin the position of the first page, and the form of a
/// page. Pure functions; any thread.
namespace daybook::api {

/// The request as its cursor means it: pinned to what the first page spoke for, going on at
/// ReadRequest::place with as many texts as the list needs. Or why not: 400 malformed-cursor for
/// one that is not of this list, 410 gone for one of another generation of the ledger.
std::variant<ReadRequest, HttpResponse> follow_cursor(const ReadRequest& request,
                                                      const CursorCodec& cursors,
                                                      std::string_view cursor);

/// For the page after one that speaks for `position`. REQUIRES: `place` has as many texts as the
/// list needs.
std::string next_cursor(const ReadRequest& request, const CursorCodec& cursors,
                        std::uint64_t position, std::vector<std::string> place);

/// `{"data":[…],"has_more":…,"next":…,"position":…}`; `next` is null at the end.
std::string page_json(const std::vector<std::string>& rows, const std::optional<std::string>& next,
                      const std::string& position);

HttpResponse json_response(std::string body);

/// Names the position that an answer speaks for.
void speak_for(HttpResponse& response, const std::string& position);

}  // namespace daybook::api

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/body_reader.h"
#include "api/json_reader.h"
#include "api/routes.h"
#include "domain/account.h"
#include "domain/base/strong_id.h"
#include "domain/base/time.h"
#include "domain/tenant.h"

/// From a write request to the command it stands for: what every member, path and query parameter
/// of the commands in api/routes.h may be (api/openapi.json). Pure functions; any thread.
namespace daybook::api {

/// Names and values, percent-decoded, in the order of the request.
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// The references outlive the call.
struct CommandInput {
  const TenantId& tenant;
  const Parameters& path;   ///< REQUIRED: every path parameter of the route.
  const Parameters& query;  ///< As sent; unknown names and names that come twice are errors.
  const JsonValue& body;    ///< By parse_command_body().
};

struct CommandBody {
  /// Left for the caller: KeyGrant::id and secret_hmac, SetTag::extra (see `extra`).
  std::variant<domain::AccountCommand, domain::TenantCommand> body;
  AccountId account;    ///< Empty: a tenant command, or an account whose id is to be generated.
  TenantId new_tenant;  ///< Of kCreateTenant: whose stream the command goes to.
  std::optional<Instant> effective_at = std::nullopt;
  /// Plain text of a tag's extra: keep it in the private store, put the reference in the command.
  std::optional<std::string> extra = std::nullopt;
};

/// Whether no body at all stands for `{}`: all members are optional.
/// REQUIRES, here and below: a command, and not kBatch.
bool is_body_optional(Operation operation);

/// parse_json, but for an empty body where that is allowed.
std::variant<JsonValue, JsonError> parse_command_body(Operation operation, std::string_view bytes,
                                                      const JsonLimits& limits = {});

/// The command, or everything that is wrong with the request (never an empty list): answer 422.
/// An event id that is none of the account's becomes version 0, which no event has: the decider
/// answers that it found nothing.
std::variant<CommandBody, std::vector<InputError>> read_command(Operation operation,
                                                                const CommandInput& input);

/// The grammar of event ids, whatever the stream.
bool is_event_id(std::string_view text);

}  // namespace daybook::api

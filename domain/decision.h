#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "domain/event.h"

namespace daybook::domain {

enum class RejectionKind : std::uint8_t {
  kNotFound,  ///< 404: no such account, hold, charge, tag, key.
  kInvalid,   ///< 422: well-formed, and impossible whatever the stream's state.
};

/// A no that is not recorded. `pointer` names the member of the request, "" for the whole.
struct Rejection {
  RejectionKind kind = RejectionKind::kInvalid;
  std::string pointer;
  std::string detail;

  bool operator==(const Rejection&) const = default;
};

/// A yes, or a no that is recorded (ChargeRefused, CommandRefused). Empty events: all is as the
/// command wants it, and it has no key that would have to be remembered.
struct Decision {
  std::vector<Event> events;                ///< The last one answers the command.
  std::optional<PaymentClaimed> claim;      ///< Goes before them, on the payment's own stream.
  std::optional<CatalogueAdopted> adopted;  ///< Goes after them, on the partition's stream.

  bool operator==(const Decision&) const = default;
};

using Outcome = std::variant<Decision, Rejection>;

}  // namespace daybook::domain

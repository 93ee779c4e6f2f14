#pragma once

#include <string_view>

#include "domain/base/result.h"

namespace daybook {

/// Where the parts tell the operator why something failed that a client only learns the kind of,
/// and what was out of order and is no more.
///
/// Neither amounts with names nor credentials nor anybody's own words go in: causes name files,
/// positions and tables. An implementation bounds the size and the rate of what it keeps; a call
/// costs little and never fails. Thread rule: any thread.
class OperatorLog {
 public:
  virtual ~OperatorLog() = default;

  /// `what`: a few fixed words. `request_id` is empty where no single request is concerned.
  virtual void failed(std::string_view what, const Status& cause, std::string_view request_id) = 0;

  /// Something was found as it should not be and was mended: in words. Where they do not
  /// say otherwise, no event that was acknowledged was lost.
  virtual void repaired(std::string_view found) = 0;
};

}  // namespace daybook

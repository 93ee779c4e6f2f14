#pragma once

#include <cstddef>
#include <string>

namespace daybook {

/// The one source of unpredictable bytes; given in, so that a simulator can own it. Any thread.
class Random {
 public:
  virtual ~Random() = default;
  /// `size` bytes that nobody can guess.
  virtual std::string bytes(std::size_t size) const = 0;
};

}  // namespace daybook

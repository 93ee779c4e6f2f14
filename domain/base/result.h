#pragma once

#include <string>
#include <utility>
#include <variant>

#include "domain/base/check.h"

namespace daybook {

/// How the world fails: disk, bytes, network, input. A no to a command is a Rejection or a refusal
/// (domain/decision.h), a bug is a CHECK.
enum class StatusCode {
  kOk,
  kInvalid,      ///< The input does not have the form it must have.
  kNotFound,     ///< What was named does not exist.
  kConflict,     ///< It exists, and differently.
  kCorrupt,      ///< Stored bytes are not what was written.
  kIo,           ///< The operating system or the store refused.
  kUnavailable,  ///< Not now; the same call may succeed later.
};

/// Outcome of something that touches the world. The message says what, where, expected and found.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status invalid(std::string message) { return {StatusCode::kInvalid, std::move(message)}; }
inline Status not_found(std::string message) { return {StatusCode::kNotFound, std::move(message)}; }
inline Status conflict(std::string message) { return {StatusCode::kConflict, std::move(message)}; }
inline Status corrupt(std::string message) { return {StatusCode::kCorrupt, std::move(message)}; }
inline Status io_error(std::string message) { return {StatusCode::kIo, std::move(message)}; }
inline Status unavailable(std::string message) {
  return {StatusCode::kUnavailable, std::move(message)};
}

/// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point of the type.
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): `return status;` likewise.
  Result(Status status) : content_(std::in_place_index<1>, std::move(status)) {
    CHECK(!std::get<1>(content_).ok());
  }

  bool ok() const { return content_.index() == 0; }

  /// REQUIRES: ok().
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(content_);
  }
  T& value() & {
    CHECK(ok());
    return std::get<0>(content_);
  }
  T&& value() && {
    CHECK(ok());
    return std::get<0>(std::move(content_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  Status status() const { return ok() ? Status() : std::get<1>(content_); }

 private:
  std::variant<T, Status> content_;
};

}  // namespace daybook

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "domain/base/result.h"

namespace daybook::eventstore {

/// The few things that stores need from the file system and no library gives them. Paths are UTF-8
/// as the operating system takes them. Errors: kIo with the path and the system's reason.

/// A file descriptor that closes itself; a negative one is none.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

/// Opens a regular file that is there; never blocks, whatever has taken its name. `flags` as
/// open(2). Errors: kNotFound: no such file; kIo, also for what is no regular file.
Result<Descriptor> open_regular(const std::string& path, int flags);

/// Writes all of the bytes from `offset` on, in as many calls as it takes. `path` names the file.
Status write_all(const Descriptor& file, std::string_view bytes, std::size_t offset,
                 const std::string& path);

bool path_exists(const std::string& path);

/// Whether this process may list, add to and remove from a directory; one that is not there is all
/// right. Errors: kIo with the system's reason.
Status check_changeable(const std::string& directory);

/// Whether the path, links and `..` followed as far as they go, is the directory or below it.
bool lies_in(const std::string& path, const std::string& directory);

/// Whether path_exists can be believed: kIo if it cannot be told, as without a permission.
Status check_reachable(const std::string& path);

/// Makes the directory and those above it that are missing, and their names durable.
Status make_directories(const std::string& path);

/// The directory that the name stands in.
std::string parent_of(const std::string& path);

/// Makes the names in a directory durable: a created or renamed file survives power loss only after
/// this.
Status sync_directory(const std::string& path);

/// Bytes that an unprivileged process may still write on the file system of `path`. Below the
/// configured reserve the API answers 507 before it takes a command.
Result<std::uint64_t> free_bytes(const std::string& path);

/// `what path: reason of errno`.
Status errno_status(const std::string& what, const std::string& path, int error_number);

}  // namespace daybook::eventstore

#pragma once

#include <cstdint>
#include <string>

#include "domain/base/result.h"

namespace daybook::eventstore {

/// The few things that stores need from the file system and no library gives them. Paths are UTF-8
/// as the operating system takes them. Errors: kIo with the path and the system's reason.

bool path_exists(const std::string& path);

/// Whether path_exists can be believed: kIo if it cannot be told, as without a permission.
Status check_reachable(const std::string& path);

/// Makes the directory and those above it that are missing, and their names durable.
Status make_directories(const std::string& path);

/// Makes the names in a directory durable: a created or renamed file survives power loss only after
/// this.
Status sync_directory(const std::string& path);

/// Bytes that an unprivileged process may still write on the file system of `path`. Below the
/// configured reserve the API answers 507 before it takes a command.
Result<std::uint64_t> free_bytes(const std::string& path);

/// `what path: reason of errno`.
Status errno_status(const std::string& what, const std::string& path, int error_number);

}  // namespace daybook::eventstore

#pragma once

#include <string>
#include <string_view>

#include "domain/base/result.h"

namespace daybook::app {

/// How the process ends. Scripts may rely on these numbers.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitConflict = 4;
inline constexpr int kExitVerification = 5;
inline constexpr int kExitUnreachable = 6;

/// How a command ends that failed like this.
int exit_code_of(StatusCode code);

/// What others have written, for a terminal: control characters but line feeds as \xNN.
std::string printable(std::string_view text);

/// Prints `daybook: <message>` on stderr and gives the exit code.
int report(const Status& status);
/// The same for a command that was asked for wrongly.
int report_usage(const std::string& message);

/// The whole program: parses, runs the command, gives the exit code. Data goes to stdout, every
/// other word to stderr. Never throws for a wrong command line.
int run_command_line(int argc, const char* const* argv);

}  // namespace daybook::app

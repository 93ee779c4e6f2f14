#include <csignal>
#include <exception>
#include <iostream>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"

namespace {

/// A file of the ledger that is opened must not become stdout or stderr of a process that was
/// started without them. Writing to such a stdout is still an error: data would be lost.
void occupy_standard_files() {
  for (const auto& [file, mode] :
       {std::pair(STDIN_FILENO, O_RDONLY), std::pair(STDOUT_FILENO, O_RDONLY),
        std::pair(STDERR_FILENO, O_WRONLY)}) {
    // The lowest free number is this one, since those below it are open.
    if (::fcntl(file, F_GETFD) < 0) static_cast<void>(::open("/dev/null", mode) >= 0);
  }
}

/// Most systems give a process 1,024 open files as long as it does not ask for more, which it may:
/// the tables of a large ledger and the connections of a server are more.
void raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));  // Without it there are fewer.
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_files();
  raise_open_files_limit();
  // A reader that went away is a failed write, not a death.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  // A limit on the size of files is an error of the store, which ends the process with a reason.
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  // A ledger holds secrets and people's data, and so do backups and exports: for their owner alone.
  constexpr mode_t kOthersGetNothing = 077;
  static_cast<void>(::umask(kOthersGetNothing));
  try {
    return daybook::app::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "daybook: " << error.what() << '\n';
  }
  return daybook::app::kExitFailed;
}

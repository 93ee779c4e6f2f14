#include <csignal>
#include <exception>
#include <iostream>

#include <sys/stat.h>

#include "app/cli.h"

int main(int argc, char** argv) {
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

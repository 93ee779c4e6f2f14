#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "app/bench_parts.h"
#include "domain/base/result.h"
#include "eventstore/files.h"

namespace daybook::app {
namespace {

constexpr std::size_t kSyncs = 200;

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string filesystem_of(const std::string& dir) {
  struct Magic {
    std::uint64_t number;
    std::string_view name;
  };
  // linux/magic.h; those that a ledger is likely to lie on.
  constexpr std::array<Magic, 7> kKnown = {{{0xEF53, "ext4"},
                                            {0x58465342, "xfs"},
                                            {0x9123683E, "btrfs"},
                                            {0x01021994, "tmpfs"},
                                            {0x794C7630, "overlayfs"},
                                            {0x2FC12FC1, "zfs"},
                                            {0x6969, "nfs"}}};
  struct statfs info{};
  if (::statfs(dir.c_str(), &info) != 0) return "unknown";
  const auto number = static_cast<std::uint64_t>(info.f_type);
  for (const Magic& magic : kKnown) {
    if (magic.number == number) return std::string(magic.name);
  }
  return "type " + std::to_string(number);
}

Result<std::uint64_t> median_sync(const std::string& dir) {
  const std::string path = dir + "/sync-test";
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): open(2) is what it is.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return eventstore::errno_status("create", path, errno);
  const std::string block(4'096, 'x');
  std::vector<std::uint64_t> times;
  Status status;
  for (std::size_t i = 0; i < kSyncs && status.ok(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const ssize_t count = ::write(file, block.data(), block.size());
    if (count < 0 || ::fdatasync(file) != 0) {
      status = eventstore::errno_status("write", path, errno);
    } else if (count < static_cast<ssize_t>(block.size())) {
      // A part is written without an error where there is no room for the rest.
      status = eventstore::errno_status("write", path, ENOSPC);
    }
    times.push_back(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       std::chrono::steady_clock::now() - begin)
                                       .count()));
  }
  ::close(file);
  ::unlink(path.c_str());
  if (!status.ok()) return status;
  return median_of(times);
}

}  // namespace

Result<BenchMachine> describe_machine(const std::string& dir) {
  auto sync = median_sync(dir);
  if (!sync.ok()) return sync.status();
  utsname system{};
  const bool known = ::uname(&system) == 0;
  return BenchMachine{cpu_name(), std::max(1U, std::thread::hardware_concurrency()),
                      known ? std::string(system.release) : "unknown", filesystem_of(dir), *sync};
}

}  // namespace daybook::app

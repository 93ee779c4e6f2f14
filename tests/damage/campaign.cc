#include "tests/damage/campaign.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/base/check.h"

namespace daybook::damage {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t kBlock = 64;  ///< Mutations that a worker takes at once.
constexpr std::uint64_t kJobsMax = 16;
constexpr rlim_t kAddressSpaceMax = rlim_t{8} << 30;
constexpr std::size_t kDetailBytes = 400;

/// Memory that children share with their parent; all zero.
template <class T>
class Shared {
 public:
  explicit Shared(std::size_t count) : bytes_(std::max<std::size_t>(count, 1) * sizeof(T)) {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    items_ = static_cast<T*>(memory);
  }
  ~Shared() { ::munmap(items_, bytes_); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator[](std::size_t i) { return items_[i]; }

 private:
  std::size_t bytes_;
  T* items_;
};

/// Where a worker is.
struct Place {
  std::atomic<std::uint64_t> current;  ///< The mutation under way, plus one; 0: none.
  std::atomic<std::uint64_t> end;      ///< Of the block it has.
  std::atomic<bool> done;
};

/// No core files, no memory without bound, and whatever is said goes to a file.
void settle_child(const std::string& errors) {
  const rlimit no_core{0, 0};
  const rlimit memory{kAddressSpaceMax, kAddressSpaceMax};
  CHECK(::setrlimit(RLIMIT_CORE, &no_core) == 0 && ::setrlimit(RLIMIT_AS, &memory) == 0);
  const int file = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(file >= 0 && ::dup2(file, STDERR_FILENO) >= 0);
}

std::string last_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last.substr(0, kDetailBytes);
}

/// Runs it in a process of its own, because it starts threads. Fails (CHECK) if that fails.
void in_child(const std::function<void()>& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/// Each of these is listed; of the others there are many, and they are as they should be.
bool is_told(Verdict verdict) {
  return verdict == Verdict::kRefusedOtherwise || verdict >= Verdict::kFoundByVerify;
}

/// How a worker ended: by an assertion of RocksDB, which says so, or otherwise.
Verdict verdict_of_end(int status, const std::string& last_line) {
  const bool asserted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
                        last_line.find("rocksdb::") != std::string::npos &&
                        last_line.find("Assertion `") != std::string::npos;
  return asserted ? Verdict::kAssertion : Verdict::kCrash;
}

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options), directory_(options.directory) {
    CHECK(options_.jobs >= 1 && options_.jobs <= kJobsMax);
    if (!fs::exists(directory_ + "/truth")) {
      fs::remove_all(directory_);
      fs::create_directories(directory_);
      in_child([this] { make_ledger(directory_); });
    }
    ledger_ = load_ledger(directory_);
  }
  ~Campaign() {
    std::error_code ignored;
    if (!options_.keep) fs::remove_all(directory_, ignored);
  }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  CampaignResult run() {
    const auto begin = SteadyClock::now();
    choose();
    verdicts_ = std::make_unique<Shared<std::atomic<Verdict>>>(total_);
    for (std::uint64_t i = 0; i < options_.jobs; ++i) start(i);
    supervise(begin);
    check_unharmed();
    collect();
    result_.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    return std::move(result_);
  }

 private:
  std::string scratch(std::uint64_t worker) const {
    return directory_ + "/worker-" + std::to_string(worker);
  }
  std::string findings_file() const { return directory_ + "/findings"; }

  /// What nobody reads a byte of, by image and name.
  std::set<std::string> unread_files() {
    const std::string list = directory_ + "/unread";
    in_child([&] {
      Judge judge(ledger_, scratch(0), Weakness::kNone);
      std::ofstream file(list);
      for (const Image& image : ledger_.images) {
        for (const std::string& name : judge.unread_files(image)) {
          file << image.name << '/' << name << '\n';
        }
      }
      file.close();
      CHECK(file.good());
    });
    std::set<std::string> unread;
    std::ifstream file(list);
    for (std::string name; std::getline(file, name);) unread.insert(name);
    return unread;
  }

  void choose() {
    if (!options_.only.empty()) {
      const auto mutation = find_mutation(ledger_, options_.only);
      if (!mutation) return;
      chosen_.push_back(*mutation);
      result_.faults = total_ = 1;
      return;
    }
    const std::set<std::string> unread = unread_files();
    for (Mutations& some : all_mutations(ledger_, unread, options_.stride)) {
      if (!some.at(0).name().starts_with(options_.match)) continue;
      result_.faults += some.count;
      if (unread.contains(some.image->name + "/" + some.file)) {
        result_.unread += some.count - some.tried();
      }
      starts_.push_back(total_);
      total_ += some.tried();
      groups_.push_back(std::move(some));
    }
  }

  Mutation mutation(std::uint64_t number) const {
    if (!chosen_.empty()) return chosen_.at(number);
    const auto behind = std::upper_bound(starts_.begin(), starts_.end(), number);
    const auto group = static_cast<std::size_t>(behind - starts_.begin()) - 1;
    return groups_[group].at(number - starts_[group]);
  }

  void start(std::uint64_t worker) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child == 0) {
      settle_child(directory_ + "/errors-" + std::to_string(worker));
      work(worker);
      ::_exit(0);
    }
    children_[child] = worker;
    moved_[worker] = {places_[worker].current.load(), SteadyClock::now()};
  }

  /// In the child. Goes on where the one before it ended.
  void work(std::uint64_t worker) {
    Place& place = places_[worker];
    Judge judge(ledger_, scratch(worker), options_.weakness);
    for (std::uint64_t next = place.current.load();;) {
      if (next >= place.end.load()) {
        next = next_block_[0].fetch_add(kBlock);
        place.end = std::min(next + kBlock, total_);
        if (next >= total_) break;
      }
      const Mutation one = mutation(next);
      place.current = ++next;
      const Judgement judgement = judge.judge(one);
      (*verdicts_)[next - 1] = judgement.verdict;
      if (!chosen_.empty() || is_told(judgement.verdict)) {
        note(judgement.verdict, one, judgement.detail);
      }
    }
    place.done = true;
  }

  /// One write, so that lines of several processes do not mix.
  void note(Verdict verdict, const Mutation& one, const std::string& why) const {
    std::string line = std::string(name_of(verdict)) + "\t" + one.name() + "\t" + why;
    std::replace(line.begin(), line.end(), '\n', ' ');
    line.push_back('\n');
    const int file =
        ::open(findings_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(file >= 0);
    CHECK(::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    ::close(file);
  }

  void supervise(SteadyClock::time_point begin) {
    auto shown = begin;
    while (!children_.empty()) {
      int status = 0;
      const pid_t child = ::waitpid(-1, &status, WNOHANG);
      if (child > 0) {
        const std::uint64_t worker = children_.at(child);
        children_.erase(child);
        ended(worker, status);
        continue;
      }
      kill_who_hangs();
      if (options_.progress && SteadyClock::now() - shown > std::chrono::minutes(1)) {
        shown = SteadyClock::now();
        std::printf("  %llu of %llu\n",
                    static_cast<unsigned long long>(std::min(next_block_[0].load(), total_)),
                    static_cast<unsigned long long>(total_));
        std::fflush(stdout);
      }
      ::poll(nullptr, 0, 2);
    }
  }

  void ended(std::uint64_t worker, int status) {
    Place& place = places_[worker];
    if (WIFEXITED(status) && place.done) return;
    const std::uint64_t current = place.current;
    CHECK(current > 0);  // Before its first mutation nothing may go wrong.
    std::atomic<Verdict>& verdict = (*verdicts_)[current - 1];
    if (verdict == Verdict::kNone) {
      const std::string said = last_line_of(directory_ + "/errors-" + std::to_string(worker));
      verdict = verdict_of_end(status, said);
      const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                  : "status " + std::to_string(WEXITSTATUS(status));
      note(verdict, mutation(current - 1), how + ": " + said);
    }
    start(worker);
  }

  void kill_who_hangs() {
    for (const auto& [child, worker] : children_) {
      auto& [seen, since] = moved_[worker];
      const std::uint64_t current = places_[worker].current;
      const auto now = SteadyClock::now();
      if (current != seen) {
        seen = current;
        since = now;
      } else if (now - since > std::chrono::seconds(options_.hang_seconds) && current > 0) {
        (*verdicts_)[current - 1] = Verdict::kHang;
        note(Verdict::kHang, mutation(current - 1), "no answer");
        since = now;
        ::kill(child, SIGKILL);
      }
    }
  }

  /// Damaged copies share files with the ledger.
  void check_unharmed() {
    const Ledger now = load_ledger(directory_);
    for (std::size_t i = 0; i < now.images.size(); ++i) {
      CHECK(now.images[i].files == ledger_.images[i].files);
    }
  }

  void collect() {
    for (std::uint64_t i = 0; i < total_; ++i) {
      const auto verdict = static_cast<std::size_t>((*verdicts_)[i].load());
      const Mutation one = mutation(i);
      ++result_.by_class[class_of(one.file) + ", " + name_of(one.kind)].at(verdict);
      ++result_.totals.at(verdict);
    }
    std::ifstream file(findings_file());
    for (std::string line; std::getline(file, line);) result_.findings.push_back(line);
    fs::remove(findings_file());
    CHECK(result_.of(Verdict::kNone) == 0);
  }

  const CampaignOptions options_;
  const std::string directory_;
  Ledger ledger_;
  std::vector<Mutation> chosen_;
  std::vector<Mutations> groups_;
  std::vector<std::uint64_t> starts_;
  std::uint64_t total_ = 0;
  Shared<std::atomic<std::uint64_t>> next_block_{1};
  Shared<Place> places_{kJobsMax};
  std::unique_ptr<Shared<std::atomic<Verdict>>> verdicts_;
  std::map<pid_t, std::uint64_t> children_;
  std::map<std::uint64_t, std::pair<std::uint64_t, SteadyClock::time_point>> moved_;
  CampaignResult result_;
};

}  // namespace

std::uint64_t CampaignResult::tried() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : totals) sum += count;
  return sum;
}

CampaignResult run_campaign(const CampaignOptions& options) { return Campaign(options).run(); }

}  // namespace daybook::damage

#include "tests/damage/judge.h"

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

#include <sys/inotify.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "eventstore/fake_log.h"
#include "eventstore/log_keys.h"
#include "eventstore/memory_kv.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"
#include "replay/verify.h"
#include "tests/eventstore/temp_dir.h"
#include "tests/projections/history.h"

// The pauses of read-only openings beside a writer, who is not there: 0.1 to 0.4 s of every
// refusal.
extern "C" int nanosleep(const timespec* /*time*/, timespec* /*rest*/) { return 0; }

namespace daybook::damage {
namespace {

namespace fs = std::filesystem;
using eventstore::KvStore;
using eventstore::PrivateStore;
using eventstore::RocksKv;
using eventstore::RocksLog;
using eventstore::RocksLogDb;
using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

constexpr std::array<const char*, 3> kStores{"log", "proj", "private"};
constexpr const char* kWatermark = "log.watermark";

/// What opening and reading one store showed; the worst of it is kept.
struct Finding {
  enum Kind { kSame, kClosedEarlier, kTold, kFoundReading, kDiffers, kRefused, kRefusedOtherwise };
  Kind kind = kSame;
  std::string detail;

  void add(Kind worse, const std::string& what) {
    if (worse <= kind) return;
    kind = worse;
    detail = what;
  }
  void read_failed(const Status& status) { add(kFoundReading, status.message()); }
};
Finding refused(const Status& status) {
  const bool as_damage = status.code() == StatusCode::kCorrupt;
  return {as_damage ? Finding::kRefused : Finding::kRefusedOtherwise, status.message()};
}

/// The store that a file belongs to; empty: none.
std::string store_of(const std::string& file) {
  if (file == kWatermark) return "log";
  for (const char* store : kStores) {
    if (file.starts_with(std::string(store) + "/") || file == store) return store;
  }
  return {};
}

bool is_planted(const Mutation& mutation) {
  return mutation.kind == Mutation::Kind::kDelete && mutation.file == kWatermark;
}

void compare_row(Finding& finding, const projections::Dump& expected, eventstore::Table table,
                 const eventstore::KvCursor& cursor, std::size_t& rows) {
  ++rows;
  const auto row = expected.find({table, std::string(cursor.key())});
  if (row == expected.end() || row->second != cursor.value()) {
    finding.add(Finding::kDiffers, "a row of table " + std::to_string(table));
  }
}

/// All rows of all tables, forwards, backwards and one by one.
void read_rows(Finding& finding, const KvStore& store, const projections::Dump& expected) {
  const auto reader = store.snapshot();
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    for (const bool backwards : {false, true}) {
      const auto cursor =
          backwards ? reader->scan_backwards(table, "", "") : reader->scan(table, "", "");
      std::size_t rows = 0;
      for (; cursor->valid(); cursor->next()) compare_row(finding, expected, table, *cursor, rows);
      const auto first = expected.lower_bound({table, ""});
      const auto end = expected.lower_bound({table + 1, ""});
      if (!cursor->status().ok()) {
        finding.read_failed(cursor->status());
      } else if (rows != static_cast<std::size_t>(std::distance(first, end))) {
        finding.add(Finding::kDiffers, "rows of table " + std::to_string(table) + " are gone");
      }
    }
  }
  for (const auto& [key, value] : expected) {
    const auto row = store.get(key.first, key.second);
    if (!row.ok()) {
      finding.read_failed(row.status());
    } else if (!*row || **row != value) {
      finding.add(Finding::kDiffers, "a row of table " + std::to_string(key.first));
    }
  }
}

/// Names in a directory that somebody reads bytes of.
class AccessWatch {
 public:
  AccessWatch() : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    CHECK(descriptor_ >= 0);
  }
  ~AccessWatch() { ::close(descriptor_); }
  AccessWatch(const AccessWatch&) = delete;
  AccessWatch& operator=(const AccessWatch&) = delete;

  void add(const std::string& directory, const std::string& prefix) {
    const int watch = ::inotify_add_watch(descriptor_, directory.c_str(), IN_ACCESS);
    CHECK(watch >= 0);
    prefixes_[watch] = prefix;
  }
  std::set<std::string> names() {
    std::set<std::string> found;
    alignas(inotify_event) std::array<char, 65'536> buffer;
    for (;;) {
      const ssize_t size = ::read(descriptor_, buffer.data(), buffer.size());
      if (size <= 0) return found;
      for (ssize_t at = 0; at < size;) {
        const void* const place = buffer.data() + at;
        const auto* const event = static_cast<const inotify_event*>(place);
        CHECK((event->mask & IN_Q_OVERFLOW) == 0);
        if (event->len > 0) found.insert(prefixes_[event->wd] + event->name);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
  }

 private:
  int descriptor_;
  std::map<int, std::string> prefixes_;
};

}  // namespace

const char* name_of(Verdict verdict) {
  constexpr std::array<const char*, static_cast<std::size_t>(Verdict::kCount)> kNames{
      "not tried",      "harmless",  "refused",   "refused oddly", "at reading", "told",
      "closed earlier", "by verify", "assertion", "SILENT",        "CRASH",      "HANG"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

class Judge::Impl {
 public:
  Impl(const Ledger& ledger, std::string scratch, Weakness weakness)
      : truth_(ledger.truth), scratch_(std::move(scratch)), weakness_(weakness) {
    for (const eventstore::Entry& entry : truth_.entries) {
      CHECK(log_.append(entry) == eventstore::AppendOutcome::kCommitted);
    }
    eventstore::MemoryKv store(projections::kTableCount);
    projections::Projector projector(log_, store, clock_, projections::all_projections(store));
    CHECK(projector.run_once().ok());
    fold_ = projections::dump(store);
    fs::remove_all(scratch_);
    fs::create_directories(scratch_);
  }
  ~Impl() {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Judgement judge(const Mutation& mutation) {
    if (is_planted(mutation) && weakness_ == Weakness::kAborts) std::abort();
    while (is_planted(mutation) && weakness_ == Weakness::kHangs) ::pause();
    const Changes changes = mutation.changes();
    std::set<std::string> stores;
    for (const auto& [file, bytes] : changes) {
      const std::string store = store_of(file);
      if (!store.empty()) {
        stores.insert(store);
      } else {
        stores.insert(kStores.begin(), kStores.end());
      }
    }
    Finding worst;
    for (const std::string& store : stores) {
      const Finding finding = check(*mutation.image, changes, store);
      worst.add(finding.kind, finding.detail);
    }
    switch (worst.kind) {
      case Finding::kSame:
        return {Verdict::kHarmless, {}};
      case Finding::kClosedEarlier:
        return {Verdict::kClosedEarlier, worst.detail};
      case Finding::kTold:
        return {Verdict::kTold, worst.detail};
      case Finding::kFoundReading:
        return {Verdict::kFoundReading, worst.detail};
      case Finding::kRefused:
        return {Verdict::kRefused, worst.detail};
      case Finding::kRefusedOtherwise:
        return {Verdict::kRefusedOtherwise, worst.detail};
      case Finding::kDiffers:
        break;
    }
    if (weakness_ != Weakness::kNone) return {Verdict::kSilent, worst.detail};
    const std::string said = verify(*mutation.image, changes);
    if (said.empty()) return {Verdict::kSilent, worst.detail};
    return {Verdict::kFoundByVerify, worst.detail + "; verify: " + said};
  }

  std::set<std::string> unread_files(const Image& image) {
    AccessWatch watch;
    const std::string served = scratch_ + "/served";
    const std::string verified = scratch_ + "/verified";
    for (const std::string& directory : {served, verified}) {
      fs::copy(image.directory, directory, fs::copy_options::recursive);
      watch.add(directory, "");
      for (const char* store : kStores)
        watch.add(directory + "/" + store, std::string(store) + "/");
    }
    for (const char* store : kStores) {
      const Finding finding = check_in(served, store);
      if (finding.kind != Finding::kSame) std::fprintf(stderr, "%s\n", finding.detail.c_str());
      CHECK(finding.kind == Finding::kSame);
    }
    const auto report = replay::verify(verified);
    if (report.ok() && !report->ok()) {
      std::fprintf(stderr, "%s\n", to_text(*report->difference).c_str());
    }
    CHECK(report.ok() && report->ok());
    const std::set<std::string> read = watch.names();
    fs::remove_all(served);
    fs::remove_all(verified);
    std::set<std::string> unread;
    for (const auto& [file, bytes] : image.files) {
      if (!read.contains(file)) unread.insert(file);
    }
    CHECK(!unread.contains("log.watermark") && !unread.contains("log/CURRENT"));
    return unread;
  }

 private:
  /// A damaged copy of one store ("": of all). What is not damaged is linked, but for locks:
  /// RocksDB writes into no file that is there, and the campaign looks whether that is so.
  std::string lay_out(const Image& image, const Changes& changes, const std::string& store) const {
    std::string directory = scratch_ + "/trial";
    fs::remove_all(directory);
    fs::create_directory(directory);
    const std::map<std::string, std::optional<std::string>> changed(changes.begin(), changes.end());
    std::string made;
    for (const auto& [file, bytes] : image.files) {
      if (!store.empty() && store_of(file) != store) continue;
      const auto change = changed.find(file);
      if (change != changed.end() && !change->second) continue;
      const std::string parent = fs::path(file).parent_path().string();
      if (parent != made) fs::create_directories(directory + "/" + parent);
      made = parent;
      const std::string path = directory + "/" + file;
      if (change != changed.end()) {
        eventstore::write_file(path, *change->second);
      } else if (file == kWatermark || file.ends_with("/LOCK")) {
        eventstore::write_file(path, bytes);
      } else {
        CHECK(::link((image.directory + "/" + file).c_str(), path.c_str()) == 0);
      }
    }
    // A file that is gone leaves its directory; a directory that is gone has lost all its files.
    for (const auto& [file, bytes] : changes) {
      const std::string parent = fs::path(file).parent_path().string();
      if (changes.size() == 1 && !bytes) fs::create_directories(directory + "/" + parent);
    }
    return directory;
  }

  Finding check(const Image& image, const Changes& changes, const std::string& store) {
    return check_in(lay_out(image, changes, store), store);
  }

  Finding check_in(const std::string& directory, const std::string& store) {
    if (store == "log") {
      return weakness_ == Weakness::kNoWatermark ? check_rows_alone(directory)
                                                 : check_log(directory);
    }
    if (store == "proj") return check_projections(directory);
    CHECK(store == "private");
    return check_private(directory);
  }

  Finding check_log(const std::string& directory) {
    Finding finding;
    {
      RocksLog::Options options;
      options.create_if_missing = true;
      if (!fs::exists(directory + "/" + kWatermark)) options.ledger_id = "another";
      const auto log = RocksLog::open(directory, options);
      if (!log.ok()) return refused(log.status());
      read_log(finding, **log);
    }
    if (finding.kind > Finding::kTold) return finding;
    const auto log = replay::open_log_for_reading(directory, RocksLog::Verify::kAll);
    if (!log.ok()) return {Finding::kDiffers, "second opening: " + log.status().message()};
    read_log(finding, **log);
    return finding;
  }

  void read_log(Finding& finding, const RocksLog& log) const {
    std::size_t number = 0;
    auto cursor = log.read(0);
    for (;;) {
      auto entry = cursor.ok() ? (*cursor)->next() : cursor.status();
      if (!entry.ok()) {
        finding.read_failed(entry.status());
        break;
      }
      if (!*entry) {
        if (number < truth_.entries.size()) {
          finding.add(Finding::kDiffers, "only " + std::to_string(number) + " entries are there");
        }
        break;
      }
      if (number >= truth_.entries.size() || **entry != truth_.entries[number]) {
        finding.add(Finding::kDiffers, "entry " + std::to_string(number) + " is another");
      }
      ++number;
    }
    if (log.head() != log_.head()) finding.add(Finding::kDiffers, "the head is another");
    if (log.ledger_id() != truth_.ledger_id) finding.add(Finding::kDiffers, "another ledger");
    if (log.closed() < truth_.closed) {
      const bool is_told = log.report().watermark_slot_damaged;  // RocksLog::findings
      finding.add(is_told ? Finding::kTold : Finding::kClosedEarlier,
                  "closed " + to_rfc3339(log.closed()));
    }
  }

  /// Of a self-test: whatever entries are there are the log.
  Finding check_rows_alone(const std::string& directory) const {
    const auto rows = RocksLogDb::open(directory + "/log", RocksLogDb::Mode::kReadWrite, nullptr,
                                       RocksLogDb::Tail::kUpToDamage);
    if (!rows.ok()) return refused(rows.status());
    Finding finding;
    std::size_t number = 0;
    const auto cursor = (*rows)->scan(RocksLogDb::kEntries, "");
    for (; cursor->valid(); cursor->next(), ++number) {
      const auto entry = eventstore::decode_entry(cursor->value());
      if (!entry.ok()) return refused(entry.status());
      if (number >= truth_.entries.size() || *entry != truth_.entries[number]) {
        finding.add(Finding::kDiffers, "entry " + std::to_string(number) + " is another");
      }
    }
    if (!cursor->status().ok()) return refused(cursor->status());
    if (number != truth_.entries.size()) finding.add(Finding::kDiffers, "entries are gone");
    return finding;
  }

  Finding check_projections(const std::string& directory) {
    Finding finding;
    {
      const auto store = replay::open_projections(directory, {});
      if (!store.ok()) return refused(store.status());
      projections::Projector projector(log_, **store, clock_,
                                       projections::all_projections(**store));
      if (Status status = projector.run_once(); !status.ok()) return refused(status);
      read_rows(finding, **store, fold_);
      if (finding.kind == Finding::kSame) CHECK((*store)->flush().ok());
    }
    if (finding.kind != Finding::kSame) return finding;
    const auto store = replay::open_projections_for_reading(directory);
    if (!store.ok()) return {Finding::kDiffers, "second opening: " + store.status().message()};
    read_rows(finding, **store, fold_);
    return finding;
  }

  Finding check_private(const std::string& directory) {
    Finding finding;
    for (const bool first : {true, false}) {
      const auto kv = replay::open_private(directory, RocksKv::Mode::kReadWrite);
      if (!kv.ok() && first) return refused(kv.status());
      if (!kv.ok()) return {Finding::kDiffers, "second opening: " + kv.status().message()};
      PrivateStore store(**kv, random_);
      for (std::size_t i = 0; i < replay::kSecretNames.size(); ++i) {
        const auto secret =
            store.secret(replay::kSecretNames[i], PrivateStore::IfMissing::kCorrupt);
        if (!secret.ok()) return refused(secret.status());
        if (*secret != truth_.secrets[i]) finding.add(Finding::kDiffers, "another secret");
      }
      projections::PrivateFollower follower(log_, store, clock_);
      if (Status status = follower.open(); !status.ok()) return refused(status);
      read_values(finding, store);
      if (finding.kind != Finding::kSame) return finding;
    }
    return finding;
  }

  void read_values(Finding& finding, const PrivateStore& store) const {
    for (const PrivateFact& fact : truth_.values) {
      const auto value = store.get(fact.tenant, fact.account, fact.name);
      if (!value.ok()) {
        finding.read_failed(value.status());
      } else if (fact.erased && *value) {
        finding.add(Finding::kDiffers, "an erased value is back");
      } else if (!fact.erased && *value != std::optional(fact.value)) {
        finding.add(Finding::kDiffers, *value ? "another value" : "a value is gone");
      }
    }
  }

  /// What verify has to say; empty: that all is well.
  std::string verify(const Image& image, const Changes& changes) const {
    const auto report = replay::verify(lay_out(image, changes, ""));
    if (!report.ok()) return report.status().message();
    return report->ok() ? "" : to_text(*report->difference);
  }

  const Truth& truth_;
  const std::string scratch_;
  const Weakness weakness_;
  eventstore::FakeLog log_;
  projections::FixedClock clock_;
  eventstore::SystemRandom random_;
  projections::Dump fold_;
};

Judge::Judge(const Ledger& ledger, std::string scratch, Weakness weakness)
    : impl_(std::make_unique<Impl>(ledger, std::move(scratch), weakness)) {}
Judge::~Judge() = default;

Judgement Judge::judge(const Mutation& mutation) { return impl_->judge(mutation); }
std::set<std::string> Judge::unread_files(const Image& image) { return impl_->unread_files(image); }

}  // namespace daybook::damage

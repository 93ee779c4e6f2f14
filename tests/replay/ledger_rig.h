#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/ledger.h"
#include "eventstore/log_keys.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_log_db.h"
#include "eventstore/system_ports.h"
#include "eventstore/watermark.h"
#include "projections/all_projections.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"
#include "tests/eventstore/temp_dir.h"

namespace daybook::replay {

using eventstore::Answer;
using eventstore::AnswerKind;
using eventstore::Command;
using eventstore::Entry;
using eventstore::RocksKv;
using eventstore::RocksLog;
using eventstore::TempDir;

/// A millisecond goes by at every look.
class TickingClock final : public Clock {
 public:
  Instant now() const override { return {micros_.fetch_add(1'000) + 1'000}; }

 private:
  mutable std::atomic<std::int64_t> micros_{1'769'853'600'000'000};
};

inline domain::Currency usd() { return *domain::Currency::parse("USD"); }
inline domain::Currency eur() { return *domain::Currency::parse("EUR"); }
inline domain::Money money(std::string_view text, domain::Currency currency = usd()) {
  return {*domain::parse_amount(text), currency};
}

/// A ledger at work on a real directory, as a server would run it.
class LedgerRig {
 public:
  explicit LedgerRig(const std::string& dir, const Clock& clock) {
    RocksLog::Options options;
    options.create_if_missing = true;
    options.ledger_id = "rig";
    log_ = opened(RocksLog::open(dir, options));
    kv_ = opened(open_projections(dir, {}));
    private_kv_ = opened(open_private(dir, RocksKv::Mode::kReadWrite));
    using eventstore::PrivateStore;
    private_store_ = std::make_unique<PrivateStore>(*private_kv_, random_);
    for (const std::string_view name : kSecretNames) {
      CHECK(private_store_->secret(name, PrivateStore::IfMissing::kMake).ok());
    }
    private_follower_ =
        std::make_unique<projections::PrivateFollower>(*log_, *private_store_, clock);
    CHECK(private_follower_->open().ok());
    index_ = std::make_unique<eventstore::LogIndex>(
        *kv_, *log_,
        eventstore::LogIndex::Tables{projections::kKeysTable, projections::kStreamsTable,
                                     projections::kStatesTable});
    projector_ = std::make_unique<projections::Projector>(*log_, *kv_, clock,
                                                          projections::all_projections(*kv_));
    projector_->on_applied([this](std::uint64_t position) {
      index_->publish(position);
      if (ledger_ != nullptr) ledger_->indexed(position);
    });
    CHECK(projector_->run_once().ok());
    ledger_ =
        std::make_unique<eventstore::Ledger>(*log_, *index_, clock, eventstore::LedgerLimits{});
    ledger_->on_commit([this](const Entry& entry) {
      private_follower_->committed(entry, true);
      projector_->notify();
    });
    ledger_->on_index_wanted([this] { projector_->hurry(); });
    projector_->start();
    private_follower_->start();
  }
  ~LedgerRig() { stop(); }
  LedgerRig(const LedgerRig&) = delete;
  LedgerRig& operator=(const LedgerRig&) = delete;

  std::future<Answer> submit(Command command) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    ledger_->submit(std::move(command),
                    [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return future;
  }
  Answer run(Command command) { return submit(std::move(command)).get(); }

  void stop() {
    ledger_->stop();
    // The tables are read next: they have everything then, however busy the machine is.
    std::promise<bool> applied;
    const bool waits = projector_->when_applied(
        ledger_->committed(), INT64_MAX, [&applied](bool reached) { applied.set_value(reached); });
    if (waits) CHECK(applied.get_future().get());
    CHECK(projector_->stop().ok());
    CHECK(private_follower_->stop().ok());
  }
  /// The private store has done all that the log says of it.
  bool wait_until_erased() {
    std::promise<bool> applied;
    const bool waits = private_follower_->when_applied(
        ledger_->committed(), INT64_MAX, [&applied](bool reached) { applied.set_value(reached); });
    return waits && applied.get_future().get();
  }
  eventstore::PrivateStore& values() { return *private_store_; }
  /// Nothing will be recorded at or before `time`.
  Status close(Instant time) { return log_->close(time); }
  const RocksLog& log() const { return *log_; }

 private:
  template <class T>
  static T opened(Result<T> result) {
    if (!result.ok()) std::fprintf(stderr, "%s\n", result.status().message().c_str());
    CHECK(result.ok());
    return std::move(*result);
  }

  eventstore::SystemRandom random_;
  std::unique_ptr<RocksLog> log_;
  std::unique_ptr<RocksKv> kv_;
  std::unique_ptr<RocksKv> private_kv_;
  std::unique_ptr<eventstore::PrivateStore> private_store_;
  std::unique_ptr<projections::PrivateFollower> private_follower_;
  std::unique_ptr<eventstore::LogIndex> index_;
  std::unique_ptr<eventstore::Ledger> ledger_;
  std::unique_ptr<projections::Projector> projector_;
};

/// Random commands against a few accounts of two tenants: what is possible and what is not.
class RandomCommands {
 public:
  RandomCommands(LedgerRig& rig, const Clock& clock, std::uint64_t seed)
      : rig_(rig), clock_(clock), random_(seed), seed_(seed) {
    for (const char* tenant : {"north", "south"}) {
      domain::KeyGrant key;
      key.id = "k1";
      key.roles.add(domain::Role::kAdmin);
      key.secret_hmac = std::string(32, 'h');
      rig_.run(command(tenant, "", domain::TenantCommand(domain::CreateTenant{"Ltd", key})));
      rig_.run(command(tenant, "",
                       domain::TenantCommand(domain::SetCurrency{
                           usd(), money("25.00").amount, {}, domain::CurrencyStatus::kActive})));
      for (int i = 0; i < kAccounts; ++i) {
        rig_.run(command(tenant, "a" + std::to_string(i),
                         domain::AccountCommand(domain::OpenAccount{
                             usd(), domain::AccountMode::kPrepaid, {{"plan", "gold"}}})));
      }
    }
  }

  /// Runs `count` commands, up to 16 of them at a time.
  void run(int count) {
    std::vector<std::pair<domain::StreamId, std::future<Answer>>> waiting;
    for (int i = 0; i < count; ++i) {
      Command next = random_command();
      const auto stream = next.stream();
      waiting.emplace_back(stream, rig_.submit(std::move(next)));
      if (waiting.size() == 16 || i + 1 == count) {
        for (auto& [id, answer] : waiting) remember(id, answer.get());
        waiting.clear();
      }
    }
  }

  static constexpr int kAccounts = 4;

 private:
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  Command command(const std::string& tenant, const std::string& account,
                  std::variant<domain::AccountCommand, domain::TenantCommand> body) {
    Command made;
    made.tenant = TenantId(tenant);
    made.account = AccountId(account);
    made.body = std::move(body);
    made.actor = "key:k1";
    if (pick(3) == 0) {
      made.idempotency_key = std::to_string(seed_) + "-" + std::to_string(++keys_);
      made.fingerprint = keys_;
    }
    return made;
  }

  domain::EventRef pick_of(std::map<domain::StreamId, std::vector<std::uint64_t>>& known,
                           const domain::StreamId& stream) {
    auto& versions = known[stream];
    return {versions.empty() ? 1 : versions[pick(versions.size())]};
  }

  domain::Money amount() {
    const std::string text = std::to_string(1 + pick(40)) + "." + std::to_string(10 + pick(90));
    return money(text, pick(5) == 0 ? eur() : usd());
  }

  Command random_command() {
    const std::string tenant = pick(2) == 0 ? "north" : "south";
    if (pick(40) == 0) {
      return command(
          tenant, "",
          domain::TenantCommand(domain::SetCurrency{
              usd(), money(std::to_string(pick(50))).amount, {}, domain::CurrencyStatus::kActive}));
    }
    const std::string account = "a" + std::to_string(pick(kAccounts));
    Command made = command(tenant, account,
                           random_body({domain::StreamKind::kAccount, TenantId(tenant), account}));
    if (pick(6) == 0) made.effective_at = Instant{clock_.now().micros - 86'400'000'000};
    return made;
  }

  domain::AccountCommand random_body(const domain::StreamId& stream) {
    switch (pick(16)) {
      case 0:
      case 1:
        return domain::TopUp{amount(), {}, {}, "by card"};
      case 2:
        return domain::TopUp{amount(), "stripe", "p" + std::to_string(pick(500)), {}};
      case 3:
      case 4:
      case 5: {
        domain::PostCharge charge;
        charge.amount = amount();
        charge.enforce = pick(2) == 0 ? domain::Enforcement::kRecord : domain::Enforcement::kStrict;
        charge.attributes = {{"sku", "vm-" + std::to_string(pick(9))}};
        return charge;
      }
      case 6:
      case 7: {
        domain::PlaceHold hold;
        hold.amount = amount();
        if (pick(2) == 0) {
          hold.expires_at =
              Instant{clock_.now().micros + static_cast<std::int64_t>(pick(200)) * 1'000 + 60'000};
        }
        return hold;
      }
      case 8:
        return domain::CaptureHold{pick_of(holds_, stream), {}, {}};
      case 9:
        return domain::ReleaseHold{pick_of(holds_, stream), {}};
      case 10:
        return domain::RefundCharge{pick_of(charges_, stream), {}, "wrong"};
      case 11:
        return domain::RefundCharge{pick_of(charges_, stream), money("0.50"), "in part"};
      case 12:
        return domain::ReverseTopUp{pick_of(top_ups_, stream), {}};
      case 13:
        return domain::SetCreditLimit{money(std::to_string(pick(30))), "good"};
      case 14:
        return domain::PostAdjustment{money(pick(2) == 0 ? "-0.10" : "0.10"), "fix", {}};
      default:
        return random_tag(stream);
    }
  }

  domain::AccountCommand random_tag(const domain::StreamId& stream) {
    if (pick(16) == 0) return domain::ErasePrivateData{};
    domain::SetTag tag{{}, "t" + std::to_string(pick(3)), "v" + std::to_string(pick(3)), {}};
    if (pick(2) == 0) {
      auto value = rig_.values().put(stream.tenant, AccountId(stream.id), "Some Name");
      CHECK(value.ok());
      tag.extra = *value;
    }
    return tag;
  }

  void remember(const domain::StreamId& stream, const Answer& answer) {
    CHECK(answer.kind != AnswerKind::kUnknown);
    if (answer.kind != AnswerKind::kRecorded) return;
    const auto& event = answer.event->event;
    if (std::holds_alternative<domain::ChargePosted>(event.event) ||
        std::holds_alternative<domain::HoldCaptured>(event.event)) {
      charges_[stream].push_back(event.version);
    } else if (std::holds_alternative<domain::HoldPlaced>(event.event)) {
      holds_[stream].push_back(event.version);
    } else if (std::holds_alternative<domain::BalanceToppedUp>(event.event)) {
      top_ups_[stream].push_back(event.version);
    }
  }

  LedgerRig& rig_;
  const Clock& clock_;
  std::mt19937_64 random_;
  std::uint64_t seed_;
  std::uint64_t keys_ = 0;
  std::map<domain::StreamId, std::vector<std::uint64_t>> charges_;
  std::map<domain::StreamId, std::vector<std::uint64_t>> holds_;
  std::map<domain::StreamId, std::vector<std::uint64_t>> top_ups_;
};

/// A ledger with `commands` random commands in `dir`, stopped.
inline void make_ledger(const std::string& dir, const Clock& clock, int commands,
                        std::uint64_t seed = 7) {
  LedgerRig rig(dir, clock);
  RandomCommands(rig, clock, seed).run(commands);
  rig.stop();
}

inline std::vector<Entry> entries_of(const std::string& dir) {
  const auto log = open_log_for_reading(dir);
  CHECK(log.ok());
  auto cursor = (*log)->read(0);
  CHECK(cursor.ok());
  std::vector<Entry> entries;
  for (;;) {
    auto entry = (*cursor)->next();
    CHECK(entry.ok());
    if (!*entry) return entries;
    entries.push_back(std::move(**entry));
  }
}

/// Writes these entries as an insider would who may write every file: chain and watermark computed
/// anew over whatever they hold.
inline void forge_log(const std::string& dir, std::vector<Entry> entries) {
  const LedgerFiles files(dir);
  eventstore::LogHead head;
  {
    auto db =
        eventstore::RocksLogDb::open(files.log, eventstore::RocksLogDb::Mode::kReadWrite, nullptr);
    CHECK(db.ok());
    eventstore::KvBatch batch;
    for (Entry& entry : entries) {
      entry.prev_chain = head.chain;
      head = eventstore::head_after(entry, eventstore::chain_of(entry));
      batch.put(eventstore::RocksLogDb::kEntries,
                eventstore::entry_key(0, entry.base_position, entry.entry_no),
                eventstore::encode_entry(entry));
    }
    CHECK((*db)->write(batch).ok());
  }
  CHECK(eventstore::WatermarkFile::create(files.watermark, head).ok());
}

using Row = std::pair<std::string, std::string>;
inline std::vector<Row> rows_of(const std::string& dir, eventstore::Table table) {
  const auto kv = open_projections_for_reading(dir);
  CHECK(kv.ok());
  const auto reader = (*kv)->snapshot();
  const auto cursor = reader->scan(table, "", "");
  std::vector<Row> rows;
  for (; cursor->valid(); cursor->next()) rows.emplace_back(cursor->key(), cursor->value());
  return rows;
}

inline void write_row(const std::string& dir, eventstore::Table table, const std::string& key,
                      const std::optional<std::string>& value) {
  const auto kv = open_projections(dir, {});
  CHECK(kv.ok());
  eventstore::KvBatch batch;
  if (value) {
    batch.put(table, key, *value);
  } else {
    batch.erase(table, key);
  }
  CHECK((*kv)->write(batch).ok());
  CHECK((*kv)->flush().ok());
}

inline void copy_tree(const std::string& from, const std::string& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace daybook::replay

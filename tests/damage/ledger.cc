#include "tests/damage/ledger.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "eventstore/event_codec.h"
#include "eventstore/wire.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::damage {
namespace {

namespace fs = std::filesystem;
using domain::AccountCommand;
using domain::TenantCommand;
using eventstore::WireReader;
using eventstore::WireWriter;
using replay::Answer;
using replay::AnswerKind;
using replay::Command;
using replay::eur;
using replay::LedgerRig;
using replay::money;
using replay::usd;

const TenantId kTenant("main");
constexpr const char* kImages[] = {"clean", "killed"};
constexpr std::uint64_t kOlderMax = 8;
constexpr int kCopiesMax = 100;

std::string truth_file(const std::string& root) { return root + "/truth"; }
std::string older_directory(const std::string& root, std::uint64_t number) {
  return root + "/older-" + std::to_string(number);
}

/// What clients do to the ledger, and what they were told.
class Work {
 public:
  explicit Work(std::string root) : root_(std::move(root)) {}

  void run() {
    {
      LedgerRig rig(data(), clock_);
      rig_ = &rig;
      eventstore::write_file(replay::LedgerFiles(data()).admin_key, "a key of the first admin\n");
      open_accounts();
      first_day("a");
      keep_older();
      rig.stop();
    }
    {
      LedgerRig rig(data(), clock_);
      rig_ = &rig;
      second_day();
      truth_.closed = Instant{rig.log().head().last_recorded_at.micros + 3'600'000'000};
      CHECK(rig.close(truth_.closed).ok());
      collect(rig);
      keep(root_ + "/killed");
      rig.stop();
    }
    fs::rename(data(), root_ + "/clean");
    check();
    write_truth();
  }

 private:
  std::string data() const { return root_ + "/work"; }

  void keep_older() {
    CHECK(older_ < kOlderMax);
    keep(older_directory(root_, older_++));
  }

  /// What SIGKILL would leave now. RocksDB may still be removing files that nothing needs any more:
  /// the copy is begun anew then.
  void keep(const std::string& directory) const {
    CHECK(rig_->wait_until_erased());
    for (int attempt = 1;; ++attempt) {
      try {
        replay::copy_tree(data(), directory);
        return;
      } catch (const fs::filesystem_error&) {
        CHECK(attempt < kCopiesMax);
        fs::remove_all(directory);
      }
    }
  }

  Answer run(const std::string& account, std::variant<AccountCommand, TenantCommand> body,
             bool with_key = false) {
    Command command;
    command.tenant = kTenant;
    command.account = AccountId(account);
    command.body = std::move(body);
    command.actor = "key:k1";
    if (with_key) {
      command.idempotency_key = "key-" + std::to_string(++keys_);
      command.fingerprint = keys_;
    }
    Answer answer = rig_->run(std::move(command));
    CHECK(answer.kind == AnswerKind::kRecorded);
    acknowledged_.push_back(answer.event);
    return answer;
  }
  domain::EventRef did(const std::string& account, AccountCommand body) {
    return {run(account, std::move(body), true).event->event.version};
  }

  void open_accounts() {
    domain::KeyGrant key;
    key.id = "k1";
    key.roles.add(domain::Role::kAdmin);
    key.secret_hmac = std::string(32, 'h');
    run("", TenantCommand(domain::CreateTenant{"Ltd", key}));
    run("", TenantCommand(domain::SetCurrency{
                usd(), money("25.00").amount, {}, domain::CurrencyStatus::kActive}));
    for (const char* account : {"a", "b", "c"}) {
      run(account, AccountCommand(domain::OpenAccount{
                       usd(), domain::AccountMode::kPrepaid, {{"plan", "gold"}}}));
    }
  }

  void first_day(const std::string& account) {
    did(account, domain::TopUp{money("90.00"), "stripe", "payment-" + account, "by card"});
    did(account, domain::TopUp{money("7.50", eur()), {}, {}, {}});
    charge(account, "12.345678901234", domain::Enforcement::kRecord);
    const auto hold = did(account, domain::PlaceHold{money("5.00"), {}, "vm", {}});
    did(account, domain::CaptureHold{hold, money("4.00"), {}});
    tag(account, "who", "Some Name of a Person");
    tag(account, "mail", "somebody@example.org");
  }

  void second_day() {
    const auto refunded = charge("a", "3.00", domain::Enforcement::kStrict);
    did("a", domain::RefundCharge{refunded, money("1.00"), "in part"});
    first_day("b");
    run("b", AccountCommand(domain::ErasePrivateData{"asked for"}));
    for (PrivateFact& fact : truth_.values) fact.erased |= fact.account.value() == "b";
    keep_older();
    tag("b", "who", "Another Person");
    const auto released = did("a", domain::PlaceHold{money("2.00"), {}, {}, "db"});
    did("a", domain::ReleaseHold{released, "not used"});
    const auto reversed = did("c", domain::TopUp{money("1.00"), {}, {}, {}});
    did("c", domain::ReverseTopUp{reversed, "bounced"});
    did("c", domain::SetCreditLimit{money("30"), "good"});
    keep_older();
    did("c", domain::PostAdjustment{money("-0.10"), "fix", {}});
    did("c", domain::IssueCreditNote{money("2.00"), "sorry"});
    did("c", domain::FreezeAccount{"asked for"});
    did("c", domain::UnfreezeAccount{});
    did("a", domain::RemoveTag{{}, "plan"});
    did("a", domain::NoteUsage{"traffic", {}, {{"bytes", "123"}}});
    did("a", domain::PayOutBalance{money("1.00"), {}});
    tag("c", "who", "The Last Person");
    keep_older();
    charge("c", "0.05", domain::Enforcement::kRecord);
  }

  domain::EventRef charge(const std::string& account, const char* amount,
                          domain::Enforcement enforce) {
    domain::PostCharge body;
    body.amount = money(amount);
    body.enforce = enforce;
    body.attributes = {{"sku", "vm-1"}};
    return did(account, body);
  }

  void tag(const std::string& account, const std::string& name, const std::string& value) {
    const auto stored = rig_->values().put(kTenant, AccountId(account), value);
    CHECK(stored.ok());
    did(account, domain::SetTag{{}, name, "yes", *stored});
    truth_.values.push_back({kTenant, AccountId(account), *stored, value, false});
  }

  void collect(LedgerRig& rig) {
    truth_.ledger_id = rig.log().ledger_id();
    for (const std::string_view name : replay::kSecretNames) {
      const auto secret = rig.values().secret(name, eventstore::PrivateStore::IfMissing::kCorrupt);
      CHECK(secret.ok());
      truth_.secrets.push_back(*secret);
    }
  }

  /// The entries are read from the files, and must be what clients were told.
  void check() {
    for (const char* image : kImages) {
      std::vector<eventstore::Entry> entries = replay::entries_of(root_ + "/" + image);
      CHECK(truth_.entries.empty() || truth_.entries == entries);
      truth_.entries = std::move(entries);
    }
    std::map<std::uint64_t, std::string> events;
    for (const eventstore::Entry& entry : truth_.entries) {
      eventstore::for_each_event(entry, [&](std::uint64_t position, std::string_view bytes) {
        events[position] = bytes;
        return true;
      });
    }
    CHECK(acknowledged_.size() > 30);
    for (const auto& placed : acknowledged_) {
      CHECK(events.at(placed->position) == eventstore::encode_event(placed->event));
    }
  }

  void write_truth() const {
    std::string bytes;
    WireWriter wire(bytes);
    wire.text(truth_.ledger_id);
    wire.fixed64(static_cast<std::uint64_t>(truth_.closed.micros));
    for (const std::string& secret : truth_.secrets) wire.text(secret);
    wire.varint(truth_.values.size());
    for (const PrivateFact& fact : truth_.values) {
      wire.text(fact.tenant.value());
      wire.text(fact.account.value());
      wire.text(fact.name.reference);
      wire.text(fact.name.commitment);
      wire.text(fact.value);
      wire.fixed8(fact.erased ? 1 : 0);
    }
    for (const eventstore::Entry& entry : truth_.entries) {
      wire.text(eventstore::encode_entry(entry));
    }
    eventstore::write_file(truth_file(root_), bytes);
  }

  const std::string root_;
  const replay::TickingClock clock_;
  LedgerRig* rig_ = nullptr;
  std::uint64_t keys_ = 0;
  std::uint64_t older_ = 0;
  std::vector<eventstore::PlacedEventPtr> acknowledged_;
  Truth truth_;
};

Truth read_truth(const std::string& root) {
  const std::string bytes = eventstore::file_bytes(truth_file(root));
  WireReader wire(bytes);
  const auto text = [&wire] { return std::string(wire.text()); };
  Truth truth;
  truth.ledger_id = text();
  truth.closed.micros = static_cast<std::int64_t>(wire.fixed64());
  for (std::size_t i = 0; i < replay::kSecretNames.size(); ++i) truth.secrets.push_back(text());
  truth.values.resize(wire.varint());
  for (PrivateFact& fact : truth.values) {
    fact.tenant = TenantId(text());
    fact.account = AccountId(text());
    fact.name.reference = text();
    fact.name.commitment = text();
    fact.value = text();
    fact.erased = wire.fixed8() != 0;
  }
  while (wire.ok() && !wire.at_end()) {
    auto entry = eventstore::decode_entry(text());
    CHECK(entry.ok());
    truth.entries.push_back(std::move(*entry));
  }
  CHECK(wire.ok());
  return truth;
}

Files read_files(const std::string& directory) {
  Files files;
  for (const auto& item : fs::recursive_directory_iterator(directory)) {
    if (!item.is_regular_file()) continue;
    files[item.path().lexically_relative(directory).string()] =
        eventstore::file_bytes(item.path().string());
  }
  return files;
}

}  // namespace

void make_ledger(const std::string& root) { Work(root).run(); }

Ledger load_ledger(const std::string& root) {
  Ledger ledger;
  ledger.truth = read_truth(root);
  std::vector<Files> older;
  for (std::uint64_t i = 0; fs::exists(older_directory(root, i)); ++i) {
    older.push_back(read_files(older_directory(root, i)));
  }
  for (const char* name : kImages) {
    Image image{name, root + "/" + name, {}, older};
    image.files = read_files(image.directory);
    ledger.images.push_back(std::move(image));
  }
  return ledger;
}

}  // namespace daybook::damage

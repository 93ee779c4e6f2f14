#include "app/demo_data.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "domain/account.h"
#include "domain/account_events.h"
#include "domain/base/check.h"
#include "domain/base/int128.h"
#include "domain/base/power_of_ten.h"
#include "domain/base/time.h"
#include "domain/currency.h"
#include "domain/event.h"
#include "domain/money.h"
#include "eventstore/command.h"

namespace daybook::app {
namespace {

using domain::AccountCommand;
using domain::Money;

constexpr std::int64_t kDayMicros = std::int64_t{86'400} * 1'000'000;

struct CurrencyScale {
  std::string_view code;
  std::uint64_t factor;  ///< Minor units that stand for about one cent of a dollar.
};
constexpr std::array<CurrencyScale, 5> kCurrencies = {
    {{"USD", 1}, {"RUB", 90}, {"EUR", 1}, {"JPY", 1}, {"KWD", 3}}};

constexpr std::array<std::string_view, 15> kTexts = {"Server hours, small",
                                                     "Object storage, GiB-hours",
                                                     "Outgoing traffic",
                                                     "Аренда сервера, почасовая",
                                                     "Хранилище, гибибайт-часы",
                                                     "Исходящий трафик",
                                                     "שעות שרת",
                                                     "אחסון אובייקטים",
                                                     "תעבורה יוצאת",
                                                     "सर्वर के घंटे",
                                                     "ऑब्जेक्ट भंडारण",
                                                     "बाहर जाने वाला ट्रैफ़िक",
                                                     "ชั่วโมงเซิร์ฟเวอร์",
                                                     "พื้นที่จัดเก็บอ็อบเจกต์",
                                                     "การรับส่งข้อมูลขาออก"};

constexpr std::array<std::string_view, 3> kPlans = {"basic", "standard", "large"};
constexpr std::array<std::string_view, 4> kRegions = {"eu-1", "us-2", "ap-1", "me-1"};

std::uint64_t scale_of(domain::Currency currency) {
  for (const auto& row : kCurrencies) {
    if (row.code == currency.code()) return row.factor;
  }
  CHECK(false);
}

Money money_of(std::uint64_t minor_units, domain::Currency currency) {
  return {{int128{minor_units} * power_of_ten(domain::kAmountDecimals - currency.exponent())},
          currency};
}

/// Commands that may say when they count.
bool has_effective_time(const AccountCommand& command) {
  return std::holds_alternative<domain::TopUp>(command) ||
         std::holds_alternative<domain::PostCharge>(command) ||
         std::holds_alternative<domain::CaptureHold>(command) ||
         std::holds_alternative<domain::RefundCharge>(command) ||
         std::holds_alternative<domain::IssueCreditNote>(command) ||
         std::holds_alternative<domain::PostAdjustment>(command) ||
         std::holds_alternative<domain::NoteUsage>(command);
}

}  // namespace

DemoData::DemoData(std::uint64_t seed, Instant now)
    : random_(seed),
      begin_{now.micros - kDays * kDayMicros},
      step_micros_(kDays * kDayMicros / kRounds) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < kAccounts; ++i) {
    Account account;
    account.id = "cust-";
    for (int digit = 0; digit < 8; ++digit) account.id.push_back(kHex[below(kHex.size())]);
    const auto currency = domain::Currency::parse(kCurrencies[i % kCurrencies.size()].code);
    CHECK(currency.has_value());
    account.currency = *currency;
    accounts_.push_back(std::move(account));
  }
}

/// Not uniform to the last bit, and the same on every machine, which std's distributions are not.
std::uint64_t DemoData::below(std::uint64_t bound) { return random_() % bound; }

std::string DemoData::text() { return std::string(kTexts[below(kTexts.size())]); }

std::string DemoData::service(const Account& account) {
  return "srv-" + account.id.substr(5, 3) + std::to_string(1 + below(3));
}

Money DemoData::payment(const Account& account, std::uint64_t from, std::uint64_t to) {
  return money_of((from + below(to - from)) * scale_of(account.currency), account.currency);
}

Money DemoData::price(const Account& account) {
  Money money = payment(account, 5, 900);
  // Two more decimals than the minor unit has, on half of the prices.
  if (below(2) == 0) money.amount.units += money_of(1, account.currency).amount.units / 100 * 37;
  return money;
}

AccountCommand DemoData::opening(const Account& account) {
  const bool postpaid = is_rare(8);
  return domain::OpenAccount{
      account.currency,
      postpaid ? domain::AccountMode::kPostpaid : domain::AccountMode::kPrepaid,
      {{"plan", std::string(kPlans[below(kPlans.size())])},
       {"region", std::string(kRegions[below(kRegions.size())])}}};
}

AccountCommand DemoData::about_holds(const Account& account) {
  if (account.hold == 0) {
    return domain::PlaceHold{price(account), std::nullopt, text(), service(account)};
  }
  if (is_rare(3)) return domain::ReleaseHold{{account.hold}, "Not needed any more"};
  return domain::CaptureHold{{account.hold}, std::nullopt, text()};
}

AccountCommand DemoData::money_back(Account& account) {
  if (account.charge != 0 && below(2) == 0) {
    const std::uint64_t charge = std::exchange(account.charge, 0);
    return domain::RefundCharge{{charge}, std::nullopt, "Outage of the service"};
  }
  Money amount = payment(account, 10, 300);
  if (below(2) == 0) return domain::IssueCreditNote{amount, "Goodwill after an outage"};
  if (is_rare(3)) amount.amount.units = -amount.amount.units;
  return domain::PostAdjustment{
      amount, "Meter corrected", {{"ticket", std::to_string(below(9000))}}};
}

AccountCommand DemoData::activity(Account& account) {
  const std::uint64_t die = below(100);
  if (die < 58) {
    const auto enforce = is_rare(4) ? domain::Enforcement::kRecord : domain::Enforcement::kStrict;
    return domain::PostCharge{price(account), enforce, text(), service(account), {}};
  }
  if (die < 68) {
    return domain::TopUp{payment(account, 2'000, 12'000), std::nullopt, std::nullopt, text()};
  }
  if (die < 78) return about_holds(account);
  if (die < 84) return money_back(account);
  if (die < 88) {
    return domain::SetTag{std::nullopt, "plan", std::string(kPlans[below(kPlans.size())]),
                          std::nullopt};
  }
  if (die < 90) {
    return domain::SetCreditLimit{payment(account, 1'000, 20'000), "Yearly review"};
  }
  return domain::NoteUsage{text(), service(account), {{"hours", std::to_string(1 + below(24))}}};
}

std::vector<eventstore::Command> DemoData::next_round() {
  std::vector<eventstore::Command> commands;
  if (round_ >= kRounds) return commands;
  const std::int64_t at = begin_.micros + round_ * step_micros_;
  for (Account& account : accounts_) {
    eventstore::Command command;
    AccountCommand body = domain::SettleAccount{};
    if (round_ == 0) {
      body = opening(account);
    } else if (round_ == 1) {
      body = domain::SetCreditLimit{payment(account, 5'000, 20'000), "Agreed with the customer"};
    } else if (round_ == 2 || round_ + 1 == kRounds) {
      body = domain::TopUp{payment(account, 10'000, 50'000), std::nullopt, std::nullopt, text()};
    } else {
      body = activity(account);
    }
    if (has_effective_time(body)) {
      const auto jitter =
          static_cast<std::int64_t>(below(static_cast<std::uint64_t>(step_micros_)));
      command.effective_at = Instant{at + jitter};
    }
    command.account = AccountId(account.id);
    command.body = std::move(body);
    command.actor = "system";
    command.idempotency_key = "demo:" + std::to_string(round_);
    commands.push_back(std::move(command));
  }
  ++round_;
  return commands;
}

void DemoData::learn(std::size_t account, const eventstore::Answer& answer) {
  if (answer.event == nullptr) return;
  Account& known = accounts_[account];
  const domain::RecordedEvent& event = answer.event->event;
  if (std::holds_alternative<domain::ChargePosted>(event.event)) {
    known.charge = event.version;
  } else if (std::holds_alternative<domain::HoldPlaced>(event.event)) {
    known.hold = event.version;
  } else if (std::holds_alternative<domain::HoldCaptured>(event.event) ||
             std::holds_alternative<domain::HoldReleased>(event.event)) {
    known.hold = 0;
  }
}

}  // namespace daybook::app

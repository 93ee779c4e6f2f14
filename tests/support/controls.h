#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/account.h"
#include "domain/base/check.h"
#include "domain/event.h"
#include "domain/money.h"

/// Standard example values of the tests: one account, one tenant, one morning.
namespace daybook::test {

inline domain::Currency currency(std::string_view code) {
  const auto parsed = domain::Currency::parse(code);
  CHECK(parsed.has_value());
  return *parsed;
}
inline domain::Amount amount(std::string_view text) {
  const auto parsed = domain::parse_amount(text);
  CHECK(parsed.has_value());
  return *parsed;
}
inline domain::Money money(std::string_view text, std::string_view code) {
  return {amount(text), currency(code)};
}
inline domain::Money usd(std::string_view text) { return money(text, "USD"); }
inline domain::Money rub(std::string_view text) { return money(text, "RUB"); }
inline domain::Money eur(std::string_view text) { return money(text, "EUR"); }

inline Instant at(std::string_view rfc3339) {
  const auto parsed = parse_rfc3339(rfc3339);
  CHECK(parsed.has_value());
  return *parsed;
}
/// 2026-01-31T10:00:00Z plus so many seconds.
inline Instant morning(std::int64_t seconds = 0) {
  return {at("2026-01-31T10:00:00Z").micros + seconds * 1'000'000};
}

inline TenantId tenant_id() { return TenantId("main"); }
inline AccountId account_id() { return AccountId("acme"); }

/// The text in the thing's place that other scripts than ours would stand in.
inline constexpr std::string_view kCyrillic = "Аренда сервера";
inline constexpr std::string_view kHebrew = "שרת וירטואלי";
inline constexpr std::string_view kDevanagari = "सर्वर किराया";
inline constexpr std::string_view kThai = "ค่าเช่าเซิร์ฟเวอร์";

// Commands, with what a test does not care about left out.

inline domain::OpenAccount open(std::string_view code, std::vector<domain::InitialTag> tags = {}) {
  return {currency(code), domain::AccountMode::kPrepaid, std::move(tags)};
}
inline domain::TopUp top_up(domain::Money amount) {
  return {amount, std::nullopt, std::nullopt, std::nullopt};
}
inline domain::TopUp paid_by(domain::Money amount, std::string provider, std::string id) {
  return {amount, std::move(provider), std::move(id), std::nullopt};
}
inline domain::PostCharge charge(domain::Money amount) {
  return {amount, domain::Enforcement::kStrict, std::nullopt, std::nullopt, {}};
}
inline domain::PostCharge record_charge(domain::Money amount) {
  return {amount, domain::Enforcement::kRecord, std::nullopt, std::nullopt, {}};
}
inline domain::PlaceHold hold(domain::Money amount,
                              std::optional<Instant> expires_at = std::nullopt) {
  return {amount, expires_at, std::nullopt, std::nullopt};
}
inline domain::CaptureHold capture(std::uint64_t version,
                                   std::optional<domain::Money> amount = std::nullopt) {
  return {{version}, amount, std::nullopt};
}
inline domain::ReleaseHold release(std::uint64_t version) { return {{version}, std::nullopt}; }
inline domain::RefundCharge refund(std::uint64_t version,
                                   std::optional<domain::Money> amount = std::nullopt) {
  return {{version}, amount, "unused"};
}
inline domain::ReverseTopUp reverse(std::uint64_t version) { return {{version}, std::nullopt}; }
inline domain::PayOutBalance pay_out(domain::Money amount) { return {amount, std::nullopt}; }
inline domain::IssueCreditNote credit_note(domain::Money amount) { return {amount, "goodwill"}; }
inline domain::PostAdjustment adjustment(domain::Money amount) { return {amount, "recount", {}}; }
inline domain::SetCreditLimit limit(domain::Money amount) { return {amount, "agreed"}; }
inline domain::SetTag tag(std::string name, std::string value) {
  return {std::nullopt, std::move(name), std::move(value), std::nullopt};
}
inline domain::RemoveTag untag(std::string name) { return {std::nullopt, std::move(name)}; }

/// A refusal by any command but a charge.
inline domain::CommandRefused refused(std::string command, domain::RefusalReason reason,
                                      std::optional<domain::Money> amount = std::nullopt,
                                      std::optional<domain::Money> short_by = std::nullopt) {
  return {std::move(command), reason, amount, short_by};
}

}  // namespace daybook::test

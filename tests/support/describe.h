#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "domain/event.h"

/// Events as text for failing tests: `ChargePosted amount=350.00 RUB enforce=strict ...`.
namespace daybook::test {

/// Takes an event's fields by name, in the order of serialize().
class Describer {
 public:
  template <class... Fields>
  void operator()(Fields&&... fields) {
    ((out_ += " " + std::string(fields.name) + "=" + text_of(fields.value)), ...);
  }
  const std::string& text() const { return out_; }

 private:
  static std::string text_of(const domain::Amount& amount) { return to_text(amount, 2); }
  static std::string text_of(const domain::Currency& currency) {
    return currency.is_none() ? "none" : std::string(currency.code());
  }
  static std::string text_of(const domain::Money& money) {
    return money.currency.is_none() ? "nothing" : to_text(money) + " " + text_of(money.currency);
  }
  static std::string text_of(const std::string& text) { return "'" + text + "'"; }
  static std::string text_of(std::uint64_t number) { return std::to_string(number); }
  static std::string text_of(Instant instant) { return to_rfc3339(instant); }
  static std::string text_of(domain::EventRef ref) { return "#" + std::to_string(ref.version); }
  static std::string text_of(const domain::AccountEventRef& ref) {
    return ref.account.value() + "#" + std::to_string(ref.version);
  }
  static std::string text_of(const AccountId& account) { return account.value(); }
  static std::string text_of(domain::KeyGrant& grant) {
    Describer nested;
    grant.serialize(nested);
    return "{" + nested.text() + " }";
  }
  static std::string text_of(domain::Roles roles) { return std::to_string(roles.bits); }
  static std::string text_of(const domain::PrivateValue& value) {
    return std::to_string(value.reference.size()) + " private bytes";
  }
  static std::string text_of(const domain::Attribute& item) { return item.name + ":" + item.value; }
  static std::string text_of(const domain::InitialTag& item) {
    return item.name + ":" + item.value;
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  static std::string text_of(Enum value) {
    return std::string(name_of(value));
  }
  template <class T>
  static std::string text_of(const std::optional<T>& value) {
    return value ? text_of(*value) : "-";
  }
  template <class T>
  static std::string text_of(const std::vector<T>& values) {
    std::string out = "[";
    for (const auto& value : values) out += text_of(value) + ",";
    return out + "]";
  }

  std::string out_;
};

inline std::string describe(const domain::Event& event) {
  Describer describer;
  std::visit(
      [&](const auto& body) {
        auto copy = body;
        copy.serialize(describer);
      },
      event);
  return std::string(name_of(event)) + describer.text();
}

inline std::string describe(const std::vector<domain::Event>& events) {
  std::string out;
  for (const auto& event : events) out += "  " + describe(event) + "\n";
  return out.empty() ? "  (no event)\n" : out;
}

}  // namespace daybook::test

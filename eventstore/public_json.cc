#include "eventstore/public_json.h"

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "eventstore/event_id.h"
#include "eventstore/json_text.h"

namespace daybook::eventstore {
namespace {

using domain::StreamId;

/// What a presented key is compared with is nobody's business outside; that it was not exchanged
/// later is: the public form binds it and does not show it.
constexpr std::string_view kSecretHmac = "secret_hmac";
constexpr std::string_view kCommitmentTag = "daybook/key-commitment/1";

template <class T>
T& remove_const(const T& value) {
  return const_cast<T&>(value);
}

void append_money(std::string& out, const domain::Money& money) {
  out += R"({"amount":")";
  out += to_text(money);
  out += R"(","currency":")";
  out += money.currency.code();
  out += "\"}";
}

/// Takes an event's fields by name: an "archive" for domain's serialize().
class DataWriter {
 public:
  /// The object comes behind `before`.
  DataWriter(const StreamId& stream, std::string before)
      : stream_(stream), object_(std::move(before)) {}

  template <class... Fields>
  void operator()(Fields&&... fields) {
    (write(fields.name, fields.value), ...);
  }
  std::string text() { return object_.text(); }

 private:
  template <class T>
  void write(std::string_view name, const std::optional<T>& value) {
    if (value) write(name, *value);
  }
  /// An empty list says nothing: it is left out, like an optional value that is not there.
  template <class T>
  void write(std::string_view name, const std::vector<T>& values) {
    if (!values.empty()) object_.raw(name, json_of(values));
  }
  template <class T>
    requires(!std::is_enum_v<T>)
  void write(std::string_view name, const T& value) {
    object_.raw(name, json_of(value));
  }
  void write(std::string_view name, const std::string& value) {
    if (name == kSecretHmac) {
      object_.string("secret_commitment", to_hex(sha256({kCommitmentTag, value})));
    } else {
      object_.string(name, value);
    }
  }
  // What every charge has: without a text of its own.
  void write(std::string_view name, const domain::Money& money) {
    object_.with(name, [&](std::string& out) { append_money(out, money); });
  }
  void write(std::string_view name, Instant instant) { object_.string(name, to_rfc3339(instant)); }
  void write(std::string_view name, std::uint64_t number) {
    object_.string(name, std::to_string(number));
  }
  void write(std::string_view name, const domain::Currency& currency) {
    object_.string(name, currency.code());
  }
  void write(std::string_view name, domain::EventRef ref) {
    object_.string(name, event_id(stream_, ref.version));
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void write(std::string_view name, Enum value) {
    object_.string(name, name_of(value));
  }

  std::string json_of(const domain::AccountEventRef& ref) const {
    return JsonObject()
        .string("account", ref.account.value())
        .string("id", event_id(StreamId::account(stream_.tenant, ref.account), ref.version))
        .text();
  }
  static std::string json_of(const domain::Attributes& attributes) {
    JsonObject object;
    for (const auto& attribute : attributes) object.string(attribute.name, attribute.value);
    return object.text();
  }
  static std::string json_of(const std::vector<domain::InitialTag>& tags) {
    JsonObject object;
    for (const auto& tag : tags) {
      object.raw(tag.name, JsonObject().string("value", tag.value).text());
    }
    return object.text();
  }
  static std::string json_of(const std::vector<AccountId>& accounts) {
    std::vector<std::string> values;
    for (const auto& account : accounts) values.push_back(json_string(account.value()));
    return json_array(values);
  }
  static std::string json_of(domain::Roles roles) { return roles_json(roles); }
  std::string json_of(domain::KeyGrant grant) const {
    DataWriter writer(stream_, {});
    grant.serialize(writer);
    return writer.text();
  }
  static std::string json_of(const domain::PrivateValue& value) {
    return JsonObject()
        .string("commitment", to_hex(value.commitment))
        .string("ref", to_hex(value.reference))
        .text();
  }

  const StreamId& stream_;
  JsonObject object_;
};

}  // namespace

std::string roles_json(domain::Roles roles) {
  std::vector<std::string> values;
  for (const auto role : domain::kAllRoles) {
    if (roles.has(role)) values.push_back(json_string(name_of(role)));
  }
  return json_array(values);
}

std::string money_json(const domain::Money& money) {
  std::string out;
  append_money(out, money);
  return out;
}

void append_public_data_json(std::string& out, const domain::RecordedEvent& event) {
  DataWriter writer(event.stream, std::move(out));
  // serialize() is one function for reading and writing, so it is not const; the writer only reads.
  std::visit([&](const auto& body) { remove_const(body).serialize(writer); }, event.event);
  out = writer.text();
}

std::string public_data_json(const domain::RecordedEvent& event) {
  std::string out;
  append_public_data_json(out, event);
  return out;
}

std::string public_json(const domain::RecordedEvent& event) {
  JsonObject object;
  if (event.stream.kind == domain::StreamKind::kAccount) object.string("account", event.stream.id);
  object.string("actor", event.actor)
      .with("data", [&](std::string& out) { append_public_data_json(out, event); })
      .string("effective_at", to_rfc3339(event.effective_at))
      .string("id", event_id(event.stream, event.version));
  if (!event.idempotency_key.empty()) object.string("idempotency_key", event.idempotency_key);
  object.string("recorded_at", to_rfc3339(event.recorded_at))
      .number("schema_version", 1)
      .string("stream", name_of(event.stream.kind))
      .string("type", name_of(event.event))
      .number("version", event.version);
  return object.text();
}

Hash public_hash(std::string_view canonical_json) { return sha256({canonical_json}); }

}  // namespace daybook::eventstore

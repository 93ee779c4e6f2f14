#include "eventstore/event_codec.h"

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/common.hpp>

#include "domain/base/power_of_ten.h"
#include "domain/event.h"
#include "domain/known_values.h"
#include "domain/posting_rules.h"
#include "eventstore/entry.h"
#include "eventstore/wire.h"

/// The archive pair behind cereal's idiom. cereal's own archives are not
/// canonical and believe any length (docs/decisions.md).
namespace daybook::eventstore {

class EventOut : public cereal::OutputArchive<EventOut, cereal::AllowEmptyClassElision> {
 public:
  explicit EventOut(std::string& out) : OutputArchive(this), wire(out) {}
  WireWriter wire;
};

class EventIn : public cereal::InputArchive<EventIn, cereal::AllowEmptyClassElision> {
 public:
  explicit EventIn(std::string_view bytes) : InputArchive(this), wire(bytes) {}
  WireReader wire;
};

}  // namespace daybook::eventstore

CEREAL_SETUP_ARCHIVE_TRAITS(daybook::eventstore::EventIn, daybook::eventstore::EventOut)

namespace daybook::eventstore {

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

inline void save(EventOut& ar, const bool& value) { ar.wire.fixed8(value ? 1 : 0); }
inline void load(EventIn& ar, bool& value) {
  const std::uint8_t byte = ar.wire.fixed8();
  if (byte > 1) ar.wire.fail();
  value = byte == 1;
}
inline void save(EventOut& ar, const std::uint8_t& value) { ar.wire.fixed8(value); }
inline void load(EventIn& ar, std::uint8_t& value) { value = ar.wire.fixed8(); }
inline void save(EventOut& ar, const std::uint64_t& value) { ar.wire.varint(value); }
inline void load(EventIn& ar, std::uint64_t& value) { value = ar.wire.varint(); }
inline void save(EventOut& ar, const std::int64_t& value) { ar.wire.varint(zigzag(value)); }
inline void load(EventIn& ar, std::int64_t& value) { value = unzigzag(ar.wire.varint()); }

inline void save(EventOut& ar, const std::string& value) { ar.wire.text(value); }
inline void load(EventIn& ar, std::string& value) { value = ar.wire.text(); }

template <class T>
void save(EventOut& ar, const std::optional<T>& value) {
  ar(value.has_value());
  if (value) ar(*value);
}
template <class T>
void load(EventIn& ar, std::optional<T>& value) {
  bool has_value = false;
  ar(has_value);
  if (has_value) {
    ar(value.emplace());
  } else {
    value.reset();
  }
}

template <class T>
void save(EventOut& ar, const std::vector<T>& values) {
  ar.wire.varint(values.size());
  for (const auto& value : values) ar(value);
}
template <class T>
void load(EventIn& ar, std::vector<T>& values) {
  const std::uint64_t count = ar.wire.varint();
  // Every element takes at least one byte: a count beyond the rest is refused, not allocated.
  if (count > ar.wire.remaining()) {
    ar.wire.fail();
    return;
  }
  values.clear();
  for (std::uint64_t i = 0; i < count && ar.wire.ok(); ++i) ar(values.emplace_back());
}

}  // namespace daybook::eventstore

namespace daybook::domain {

using eventstore::EventIn;
using eventstore::EventOut;

namespace {

/// Takes `zeros` zeros off the end of `value` if they are there and the exponent has room for them.
template <std::uint8_t zeros, class Unsigned>
void take_zeros(Unsigned& value, std::uint8_t& exponent) {
  constexpr std::uint64_t power = power_of_ten(zeros);
  if (exponent + zeros > kAmountDecimals || value % power != 0) return;
  value /= power;
  exponent = static_cast<std::uint8_t>(exponent + zeros);
}

/// All of them, as many as the exponent has room for: four steps of half as many each.
template <class Unsigned>
std::uint8_t take_all_zeros(Unsigned& value) {
  std::uint8_t exponent = 0;
  take_zeros<8>(value, exponent);
  take_zeros<4>(value, exponent);
  take_zeros<2>(value, exponent);
  take_zeros<1>(value, exponent);
  return exponent;
}

bool ends_in_zero(int128 mantissa) {
  const auto small = static_cast<std::int64_t>(mantissa);
  return small == mantissa ? small % 10 == 0 : mantissa % 10 == 0;
}

}  // namespace

/// An amount is a decimal exponent 0..12 and the mantissa without trailing zeros: 350.00 takes
/// three bytes instead of seven. Zero is exponent 0.
inline void save(EventOut& ar, const Amount& amount) {
  uint128 mantissa = magnitude_of(amount.units);
  std::uint8_t exponent = 0;
  if (auto small = static_cast<std::uint64_t>(mantissa); small != mantissa) {
    exponent = take_all_zeros(mantissa);
  } else if (small != 0) {  // Most fit 64 bits, where a division by a constant is a multiplication.
    exponent = take_all_zeros(small);
    mantissa = small;
  }
  ar.wire.fixed8(exponent);
  ar.wire.varint128((mantissa << 1) - (amount.is_negative() ? 1U : 0U));
}

inline void load(EventIn& ar, Amount& amount) {
  const std::uint8_t exponent = ar.wire.fixed8();
  const uint128 coded = ar.wire.varint128();
  auto mantissa = static_cast<int128>((coded >> 1) ^ (~(coded & 1) + 1));
  const bool is_shortest = exponent == (mantissa == 0 ? 0 : kAmountDecimals) ||
                           (mantissa != 0 && !ends_in_zero(mantissa));
  if (exponent > kAmountDecimals || !is_shortest ||
      __builtin_mul_overflow(mantissa, int128{power_of_ten(exponent)}, &mantissa)) {
    ar.wire.fail();
  }
  // Every amount can be negated: postings have two sides.
  if (mantissa == kInt128Min) ar.wire.fail();
  amount.units = ar.wire.ok() ? mantissa : 0;
}

inline void save(EventOut& ar, const Currency& currency) { ar.wire.varint(currency.packed()); }
inline void load(EventIn& ar, Currency& currency) {
  const std::uint64_t packed = ar.wire.varint();
  const auto known =
      packed <= UINT16_MAX ? Currency::unpack(static_cast<std::uint16_t>(packed)) : std::nullopt;
  if (!known) {
    ar.wire.fail();
    return;
  }
  currency = *known;
}

inline void save(EventOut& ar, const Money& money) { ar(money.currency, money.amount); }
inline void load(EventIn& ar, Money& money) { ar(money.currency, money.amount); }

template <class Archive>
void serialize(Archive& ar, EventRef& ref) {
  ar(ref.version);
}
template <class Archive>
void serialize(Archive& ar, AccountEventRef& ref) {
  ar(ref.account, ref.version);
}
template <class Archive>
void serialize(Archive& ar, Attribute& attribute) {
  ar(attribute.name, attribute.value);
}
template <class Archive>
void serialize(Archive& ar, InitialTag& tag) {
  ar(tag.name, tag.value);
}
template <class Archive>
void serialize(Archive& ar, PrivateValue& value) {
  ar(value.reference, value.commitment);
}
inline void save(EventOut& ar, const Roles& roles) { ar.wire.fixed8(roles.bits); }
inline void load(EventIn& ar, Roles& roles) {
  roles.bits = ar.wire.fixed8();
  if (!is_known(roles)) ar.wire.fail();
}

/// The codec takes a field's value; an enumerator must be one we know.
template <class T>
void save(EventOut& ar, const Field<T>& item) {
  if constexpr (std::is_enum_v<T>) {
    ar.wire.fixed8(static_cast<std::uint8_t>(item.value));
  } else {
    ar(item.value);
  }
}
template <class T>
void load(EventIn& ar, Field<T>& item) {
  if constexpr (std::is_enum_v<T>) {
    item.value = static_cast<T>(ar.wire.fixed8());
    if (!is_known(item.value)) ar.wire.fail();
  } else {
    ar(item.value);
  }
}

}  // namespace daybook::domain

namespace daybook::eventstore {
namespace {

constexpr std::uint8_t kEnvelopeFormat = 1;
constexpr std::uint8_t kHasKey = 1;
constexpr std::uint8_t kHasEffectiveAt = 2;
/// Schema of every event type that exists today; a second one brings its struct and its upcaster.
constexpr std::uint8_t kSchema = 1;

/// Default-constructs the event with the stored type number.
template <std::size_t Index = 0>
bool emplace_by_type(domain::Event& event, std::uint64_t type) {
  if constexpr (Index == std::variant_size_v<domain::Event>) {
    return false;
  } else {
    if (std::variant_alternative_t<Index, domain::Event>::kType == type) {
      event.emplace<Index>();
      return true;
    }
    return emplace_by_type<Index + 1>(event, type);
  }
}

struct Envelope {
  EventHead head;
  Instant effective_at;
  std::string_view actor;
  std::uint64_t fingerprint = 0;
  std::uint16_t rules_version = 0;
};

/// Reads everything before the body; the reader fails if it is not what encode_event writes.
Envelope read_envelope(WireReader& wire) {
  Envelope envelope;
  if (wire.fixed8() != kEnvelopeFormat) wire.fail();
  const std::uint64_t type = wire.varint();
  if (type > UINT16_MAX || wire.fixed8() != kSchema) wire.fail();
  envelope.head.type = static_cast<std::uint16_t>(type);
  const std::uint8_t flags = wire.fixed8();
  if ((flags & ~(kHasKey | kHasEffectiveAt)) != 0) wire.fail();
  envelope.head.stream.kind = static_cast<domain::StreamKind>(wire.fixed8());
  if (!is_known(envelope.head.stream.kind)) wire.fail();
  envelope.head.stream.tenant = TenantId(std::string(wire.text()));
  envelope.head.stream.id = wire.text();
  envelope.head.version = wire.varint();
  envelope.head.recorded_at.micros = static_cast<std::int64_t>(wire.fixed64());
  envelope.effective_at = envelope.head.recorded_at;
  if ((flags & kHasEffectiveAt) != 0) {
    const std::int64_t before = unzigzag(wire.varint());
    if (before == 0 || __builtin_sub_overflow(envelope.head.recorded_at.micros, before,
                                              &envelope.effective_at.micros)) {
      wire.fail();
    }
  }
  envelope.actor = wire.text();
  if ((flags & kHasKey) != 0) {
    envelope.head.idempotency_key = wire.text();
    if (envelope.head.idempotency_key.empty()) wire.fail();
    envelope.fingerprint = wire.fixed64();
  }
  const std::uint64_t rules = wire.varint();
  // Postings exist for the rules that this version knows; a newer log is refused here.
  if (rules == 0 || rules > domain::kPostingRulesVersion) wire.fail();
  envelope.rules_version = static_cast<std::uint16_t>(rules);
  return envelope;
}

Status malformed() { return corrupt("an event is not in the stored form"); }

template <class State>
std::string encode_any_state(const State& state) {
  std::string out;
  out.push_back(static_cast<char>(kSchema));
  EventOut archive(out);
  archive(state);
  return out;
}

template <class State>
Result<State> decode_any_state(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != static_cast<char>(kSchema)) {
    return corrupt("a stored state is of another schema");
  }
  State state;
  EventIn archive(bytes.substr(1));
  archive(state);
  if (!archive.wire.ok() || !archive.wire.at_end()) return corrupt("a stored state is malformed");
  return state;
}

}  // namespace

void encode_event(const domain::RecordedEvent& event, std::string& out) {
  WireWriter wire(out);
  const bool has_key = !event.idempotency_key.empty();
  const bool has_effective_at = event.effective_at != event.recorded_at;
  wire.fixed8(kEnvelopeFormat);
  wire.varint(domain::type_of(event.event));
  wire.fixed8(kSchema);
  wire.fixed8(static_cast<std::uint8_t>((has_key ? kHasKey : 0) |
                                        (has_effective_at ? kHasEffectiveAt : 0)));
  wire.fixed8(static_cast<std::uint8_t>(event.stream.kind));
  wire.text(event.stream.tenant.value());
  wire.text(event.stream.id);
  wire.varint(event.version);
  wire.fixed64(static_cast<std::uint64_t>(event.recorded_at.micros));
  if (has_effective_at) {
    wire.varint(zigzag(event.recorded_at.micros - event.effective_at.micros));
  }
  wire.text(event.actor);
  if (has_key) {
    wire.text(event.idempotency_key);
    wire.fixed64(event.fingerprint);
  }
  wire.varint(event.rules_version);
  EventOut archive(out);
  std::visit([&](const auto& body) { archive(body); }, event.event);
}

std::string encode_event(const domain::RecordedEvent& event) {
  constexpr std::size_t usual_bytes = 256;
  std::string out;
  out.reserve(usual_bytes);
  encode_event(event, out);
  return out;
}

Result<domain::RecordedEvent> decode_event(std::string_view bytes) {
  EventIn archive(bytes);
  Envelope envelope = read_envelope(archive.wire);
  domain::RecordedEvent event;
  if (!archive.wire.ok()) return malformed();
  if (!emplace_by_type(event.event, envelope.head.type)) {
    return corrupt("event type " + std::to_string(envelope.head.type) +
                   " is unknown: it was written by a newer version");
  }
  std::visit([&](auto& body) { archive(body); }, event.event);
  if (!archive.wire.ok() || !archive.wire.at_end()) return malformed();
  if (!domain::belongs(envelope.head.stream.kind, event.event)) {
    return corrupt(std::string(domain::name_of(event.event)) + " is no event of a stream of kind " +
                   std::string(domain::name_of(envelope.head.stream.kind)));
  }

  event.stream = std::move(envelope.head.stream);
  event.version = envelope.head.version;
  event.recorded_at = envelope.head.recorded_at;
  event.effective_at = envelope.effective_at;
  event.actor = envelope.actor;
  event.idempotency_key = envelope.head.idempotency_key;
  event.fingerprint = envelope.fingerprint;
  event.rules_version = envelope.rules_version;
  return event;
}

Result<EventHead> decode_event_head(std::string_view bytes) {
  WireReader wire(bytes);
  Envelope envelope = read_envelope(wire);
  if (!wire.ok()) return malformed();
  return std::move(envelope.head);
}

std::string encode_state(const domain::AccountState& state) { return encode_any_state(state); }
std::string encode_state(const domain::TenantState& state) { return encode_any_state(state); }

template <>
Result<domain::AccountState> decode_state(std::string_view bytes) {
  auto state = decode_any_state<domain::AccountState>(bytes);
  if (state.ok() && (!is_known(state->status) || !is_known(state->mode))) {
    return corrupt("a stored account state is malformed");
  }
  return state;
}

template <>
Result<domain::TenantState> decode_state(std::string_view bytes) {
  auto state = decode_any_state<domain::TenantState>(bytes);
  if (!state.ok()) return state;
  for (const auto& currency : state->catalogue.currencies) {
    if (!is_known(currency.status)) return corrupt("a stored tenant state is malformed");
  }
  return state;
}

}  // namespace daybook::eventstore

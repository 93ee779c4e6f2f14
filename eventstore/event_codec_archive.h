#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/common.hpp>

#include "domain/event.h"
#include "domain/known_values.h"
#include "eventstore/wire.h"

/// Private to event_codec.cc: the archive pair behind cereal's idiom. cereal's own archives are not
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

/// An amount is a decimal exponent 0..12 and the mantissa without trailing zeros: 350.00 takes
/// three bytes instead of seven. Zero is exponent 0.
inline void save(EventOut& ar, const Amount& amount) {
  int128 mantissa = amount.units;
  std::uint8_t exponent = 0;
  while (mantissa != 0 && exponent < kAmountDecimals && mantissa % 10 == 0) {
    mantissa /= 10;
    ++exponent;
  }
  ar.wire.fixed8(exponent);
  ar.wire.varint128((static_cast<uint128>(mantissa) << 1) ^ static_cast<uint128>(mantissa >> 127));
}
inline void load(EventIn& ar, Amount& amount) {
  const std::uint8_t exponent = ar.wire.fixed8();
  const uint128 coded = ar.wire.varint128();
  auto mantissa = static_cast<int128>((coded >> 1) ^ (~(coded & 1) + 1));
  const bool is_shortest =
      mantissa == 0 ? exponent == 0 : exponent == kAmountDecimals || mantissa % 10 != 0;
  if (exponent > kAmountDecimals || !is_shortest) ar.wire.fail();
  for (std::uint8_t i = 0; i < exponent && ar.wire.ok(); ++i) {
    if (__builtin_mul_overflow(mantissa, int128{10}, &mantissa)) ar.wire.fail();
  }
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

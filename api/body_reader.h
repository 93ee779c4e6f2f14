#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_reader.h"
#include "domain/account_events.h"
#include "domain/base/time.h"
#include "domain/event.h"
#include "domain/money.h"

/// Reading a request body member by member against a closed schema, and collecting all that is
/// wrong with it instead of the first thing only. Lengths count UTF-8 bytes. Thread rule: one
/// thread at a time.
namespace daybook::api {

/// One thing that is wrong with a request.
struct InputError {
  std::string pointer;     ///< RFC 6901, into the body; "" is the whole body.
  std::string parameter;   ///< If not empty: the path or query parameter it is about instead.
  std::string detail;      ///< Never quotes the value.
  bool card_data = false;  ///< Answer with the slug kCardDataSlug (api/card_rule.h).

  bool operator==(const InputError&) const = default;
};

/// At most kMax errors; those beyond are dropped.
class InputErrors {
 public:
  static constexpr std::size_t kMax = 20;

  void add(InputError error) {
    if (errors_.size() < kMax) errors_.push_back(std::move(error));
  }
  void at(std::string pointer, std::string detail) {
    add({std::move(pointer), "", std::move(detail), false});
  }
  void in_parameter(std::string_view name, std::string detail) {
    add({"", std::string(name), std::move(detail), false});
  }

  bool empty() const { return errors_.empty(); }
  const std::vector<InputError>& list() const { return errors_; }

 private:
  std::vector<InputError> errors_;
};

/// Which characters a text may have. No rule lets a control character (below 0x20, or DEL) through.
enum class Charset : std::uint8_t {
  kText,          ///< Any other character.
  kVisibleAscii,  ///< `!` to `~`.
  kId,            ///< `[A-Za-z0-9:][A-Za-z0-9._+:-]*`: accounts and services.
  kProvider,      ///< `[A-Za-z0-9._-]+`
  kTagName,       ///< `[A-Za-z0-9_-]+`, and no name that stands for a secret.
  kTenantId,      ///< `[a-z0-9][a-z0-9-]*`
};

struct TextRule {
  std::size_t min_bytes = 0;
  std::size_t max_bytes = 0;
  Charset charset = Charset::kText;
  bool no_card = false;  ///< Refuse what looks like a card number.
};

inline constexpr TextRule kDescriptionRule{0, 1'024, Charset::kText, true};
inline constexpr TextRule kReasonRule{1, 1'024, Charset::kText, true};
inline constexpr TextRule kAccountRule{1, 128, Charset::kId};
inline constexpr TextRule kServiceRule{1, 128, Charset::kId};
inline constexpr TextRule kTenantRule{1, 63, Charset::kTenantId};
inline constexpr TextRule kKeyIdRule{1, 128, Charset::kProvider};
inline constexpr TextRule kProviderRule{1, 64, Charset::kProvider};
inline constexpr TextRule kProviderPaymentRule{1, 255, Charset::kVisibleAscii};
inline constexpr TextRule kNameRule{1, 256, Charset::kText};
inline constexpr TextRule kTagRule{1, 32, Charset::kTagName};
inline constexpr TextRule kTagValueRule{0, 256, Charset::kText, true};
inline constexpr TextRule kTagExtraRule{0, 16'384, Charset::kText, true};
inline constexpr TextRule kAttributeNameRule{1, 64, Charset::kText};
inline constexpr TextRule kAttributeValueRule{0, 1'024, Charset::kText, true};

inline constexpr std::size_t kAttributesMax = 64;
/// Names and values of one set of attributes, or of one set of tags.
inline constexpr std::size_t kAttributesBytesMax = 8'192;

/// What the rule has against the text; nothing if it is as it must be.
struct TextFault {
  std::string detail;
  bool card_data = false;
};
std::optional<TextFault> fault_of(std::string_view text, const TextRule& rule);

/// Reads `YYYY-MM-DDThh:mm:ss[.f]Z`: UTC only, at most six decimals.
std::optional<Instant> parse_utc(std::string_view text);

/// One object of a body. Ask for every member that may be there, then call finish(). A getter that
/// found something wrong says so to the errors and gives nothing (a required one: an empty value);
/// JSON null is never the same as a member left out.
class BodyReader {
 public:
  /// `value` and `errors` outlive the reader. `pointer` is the value's own. If the value is no
  /// object that is the one error, and all members are as if they had been left out.
  BodyReader(const JsonValue& value, InputErrors& errors, std::string pointer = "");

  std::optional<std::string> optional_text(std::string_view name, const TextRule& rule);
  std::string required_text(std::string_view name, const TextRule& rule);

  /// `{"amount":"30.25","currency":"USD"}`.
  std::optional<domain::Money> optional_money(std::string_view name);
  domain::Money required_money(std::string_view name);

  /// A bare decimal in a string, in the currency of its resource.
  std::optional<domain::Amount> optional_decimal(std::string_view name);

  domain::Currency required_currency(std::string_view name);

  std::optional<Instant> optional_instant(std::string_view name);

  domain::Attributes optional_attributes(std::string_view name);
  domain::Attributes required_attributes(std::string_view name);

  /// A list of different texts, with at least one and at most `max_items`.
  std::optional<std::vector<std::string>> optional_texts(std::string_view name,
                                                         const TextRule& rule,
                                                         std::size_t max_items);
  std::vector<std::string> required_texts(std::string_view name, const TextRule& rule,
                                          std::size_t max_items);

  /// One of the values, under the name that answers give it.
  template <class Enum>
  std::optional<Enum> optional_choice(std::string_view name, std::initializer_list<Enum> values) {
    std::vector<std::string_view> words;
    for (const Enum value : values) words.push_back(domain::name_of(value));
    const auto at = optional_word(name, words);
    return at ? std::optional(values.begin()[*at]) : std::nullopt;
  }

  /// A list of different values, at least one of them.
  template <class Enum>
  std::vector<Enum> required_choices(std::string_view name, std::initializer_list<Enum> values) {
    std::vector<std::string_view> words;
    for (const Enum value : values) words.push_back(domain::name_of(value));
    std::vector<Enum> chosen;
    for (const std::size_t at : required_words(name, words)) {
      chosen.push_back(values.begin()[at]);
    }
    return chosen;
  }

  /// The member, to be read by a reader of its own at pointer_to(name); null if it is not there.
  const JsonValue* optional_value(std::string_view name);

  std::string pointer_to(std::string_view name) const;

  /// Members that nobody asked for are errors.
  void finish();

 private:
  const JsonValue* member(std::string_view name);
  const JsonValue* required_member(std::string_view name);
  std::optional<std::string> text_of(const JsonValue& value, std::string pointer,
                                     const TextRule& rule);
  std::optional<domain::Money> money_of(const JsonValue& value, std::string pointer);
  std::optional<domain::Amount> decimal_of(const JsonValue& value, std::string pointer);
  std::optional<domain::Currency> currency_of(const JsonValue& value, std::string pointer);
  domain::Attributes attributes_of(const JsonValue& value, const std::string& pointer);
  std::optional<std::vector<std::string>> texts_of(const JsonValue& value,
                                                   const std::string& pointer, const TextRule& rule,
                                                   std::size_t max_items);
  /// The place in `words` of the member's text.
  std::optional<std::size_t> optional_word(std::string_view name,
                                           const std::vector<std::string_view>& words);
  /// The places in `words` of the texts of the member's list.
  std::vector<std::size_t> required_words(std::string_view name,
                                          const std::vector<std::string_view>& words);
  std::optional<std::size_t> word_of(const JsonValue& value, std::string pointer,
                                     const std::vector<std::string_view>& words);

  const JsonValue& value_;
  InputErrors& errors_;
  std::string pointer_;
  std::vector<std::string_view> asked_;
};

/// RFC 6901: the pointer to a member or element of what `parent` points to.
std::string pointer_into(std::string_view parent, std::string_view name);

}  // namespace daybook::api

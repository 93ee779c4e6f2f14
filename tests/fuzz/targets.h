#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

/// What the fuzzers call: one function for each way in which bytes of strangers, or of a damaged
/// disk, come in. Each takes any bytes and throws Broken when a property does not hold; a CHECK or
/// a sanitizer stops the process. Deterministic: the same bytes do the same.
///
/// Two programs share them: libFuzzer's (preset fuzz, scripts/fuzz), and the test that replays the
/// committed corpora in every build (replay_test.cc).
namespace daybook::fuzz {

/// A property that does not hold; the text says which.
class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool holds, const char* property) {
  if (!holds) throw Broken(property);
}

void command_json(std::string_view bytes);
void json(std::string_view bytes);
void event(std::string_view bytes);
void entry(std::string_view bytes);
void stored_rows(std::string_view bytes);
void http_gate(std::string_view bytes);
void http_session(std::string_view bytes);
void http_values(std::string_view bytes);
void focus_csv(std::string_view bytes);
void settings(std::string_view bytes);
/// Holds a fault on purpose, for scripts/fuzz --self-test: whoever cannot find it finds nothing.
void planted(std::string_view bytes);

struct Target {
  std::string_view name;  ///< Also of its corpus: tests/fuzz/corpus/<name>/.
  void (*run)(std::string_view bytes);
};

/// All but `planted`.
inline constexpr Target kTargets[] = {
    {"command_json", command_json},
    {"json", json},
    {"event", event},
    {"entry", entry},
    {"stored_rows", stored_rows},
    {"http_gate", http_gate},
    {"http_session", http_session},
    {"http_values", http_values},
    {"focus_csv", focus_csv},
    {"settings", settings},
};

}  // namespace daybook::fuzz

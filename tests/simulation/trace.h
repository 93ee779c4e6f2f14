#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>

namespace daybook::simulation {

/// An invariant was broken; the text says which and how.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Violation(otherwise);
}

/// What a run did: a hash over every line, the last lines, and how often each path was walked.
class Trace {
 public:
  static constexpr std::size_t kLastLines = 30;

  explicit Trace(bool print = false) : print_(print) {}

  void line(const std::string& text) {
    for (const char c : text + "\n") hash_ = (hash_ ^ static_cast<std::uint8_t>(c)) * 0x100000001B3;
    if (print_) std::printf("%s\n", text.c_str());
    last_.push_back(text);
    if (last_.size() > kLastLines) last_.pop_front();
  }
  void mark(const std::string& path) { ++marks_[path]; }

  std::uint64_t hash() const { return hash_; }
  const std::map<std::string, std::uint64_t>& marks() const { return marks_; }
  std::string last_lines() const {
    std::string text;
    for (const auto& line : last_) text += "  " + line + "\n";
    return text;
  }

 private:
  bool print_;
  std::uint64_t hash_ = 0xCBF29CE484222325;
  std::deque<std::string> last_;
  std::map<std::string, std::uint64_t> marks_;
};

}  // namespace daybook::simulation

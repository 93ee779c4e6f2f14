#pragma once

#include <memory>
#include <set>
#include <string>

#include "tests/damage/ledger.h"
#include "tests/damage/mutation.h"

namespace daybook::damage {

enum class Verdict : unsigned char {
  kNone,              ///< Not tried.
  kHarmless,          ///< Opens, and everything acknowledged is there, at a second opening too.
  kRefused,           ///< The opening says what is damaged.
  kRefusedOtherwise,  ///< It says something, but not that there is damage.
  kFoundReading,      ///< It opens, and the read that meets the damage says so.
  kTold,  ///< All events are there, and the start says that a closed moment may be open again.
  kClosedEarlier,  ///< All events are there; a moment that was closed is open again, untold.
  kFoundByVerify,  ///< It opens with something gone or changed, and `daybook verify` says so.
  kAssertion,  ///< An assertion of RocksDB ends the process while it opens: loud, but no message.
  kSilent,     ///< It opens with something gone or changed, and nothing says so.
  kCrash,
  kHang,
  kCount,
};
const char* name_of(Verdict verdict);

/// What an oracle of a self-test does wrong.
enum class Weakness {
  kNone,
  kNoWatermark,  ///< Takes whatever entries are in the log for the log.
  kNoVerify,     ///< Never asks verify.
  kAborts,       ///< Ends the process where the watermark is deleted.
  kHangs,        ///< Never answers there.
};

struct Judgement {
  Verdict verdict = Verdict::kNone;
  std::string detail;
};

/// Opens damaged copies of a ledger as `daybook serve` does and reads all that is in them; where
/// something is not as it was and no opening said so, asks `daybook verify`.
///
/// A store is judged alone, the others by their contents: what is opened on the damage is the one
/// that was damaged (and the watermark with the log); read models and private values follow the log
/// from memory, because if that differs the fault is judged by that alone. Waits of the product
/// between two looks at files are left out (nanosleep answers at once).
/// Starts threads of RocksDB: in a process of its own. Thread rule: one thread.
class Judge {
 public:
  /// Works in `scratch`, which it makes and empties.
  Judge(const Ledger& ledger, std::string scratch, Weakness weakness);
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  Judgement judge(const Mutation& mutation);

  /// Opens and verifies a whole copy that is not damaged; the files of `image` that nothing read a
  /// byte of. Fails (CHECK) if anything is not as it was.
  std::set<std::string> unread_files(const Image& image);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook::damage

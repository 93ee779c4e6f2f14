#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "domain/base/result.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/kv.h"

namespace daybook::projections {

/// A rule from the log to rows of one table: a name, a code version, and how an entry changes them.
/// Its state is exactly the fold of the log: `state == fold(log)`, byte for byte, which a rebuild
/// and compare proves. It can be thrown away at any time.
///
/// Rows and checkpoint are one batch in one table, so that a crash never parts them. Row keys must
/// not start with a NUL byte: those are the projector's (checkpoint).
/// Thread rule: apply and finish by the projector's thread alone.
class Projection {
 public:
  virtual ~Projection() = default;

  virtual std::string_view name() const = 0;
  /// Raised when the same log gives other rows: the table is then rebuilt.
  virtual std::uint32_t code_version() const = 0;
  virtual eventstore::Table table() const = 0;

  /// Takes the next entry; called once for each, in order. An error stops the projector: nothing of
  /// the batch is written, and no entry is ever skipped.
  virtual Status apply(const eventstore::DecodedEntry& entry, eventstore::KvBatch& batch) = 0;

  /// Called before the batch is written: the place to put rows that many events changed, once.
  virtual Status finish(eventstore::KvBatch& batch) {
    static_cast<void>(batch);
    return {};
  }

  /// About how much memory the rows take that it keeps until finish(), what finish() puts
  /// included: what bounds a batch. Asked after each entry.
  virtual std::size_t changed_bytes() const { return 0; }

  /// Forgets what it keeps in memory: the table was emptied, or the batch was not written.
  virtual void reset() {}
};

}  // namespace daybook::projections

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "domain/base/result.h"
#include "eventstore/kv.h"

namespace daybook::replay {

/// A KvStore that goes away with its object: in memory, or in a directory of its own.
/// Crash: the directory, `daybook-scratch-XXXXXX`, stays behind and may be deleted.
class ScratchStore {
 public:
  /// `dir` empty: the system's directory for temporary files. Errors: kIo.
  static Result<std::unique_ptr<ScratchStore>> on_disk(
      const std::string& dir, const std::vector<eventstore::TableSpec>& tables);
  static std::unique_ptr<ScratchStore> in_memory(std::size_t table_count);

  ~ScratchStore();
  ScratchStore(const ScratchStore&) = delete;
  ScratchStore& operator=(const ScratchStore&) = delete;

  eventstore::KvStore& kv() { return *store_; }

 private:
  ScratchStore(std::unique_ptr<eventstore::KvStore> store, std::string path);

  std::unique_ptr<eventstore::KvStore> store_;
  std::string path_;  ///< Empty: in memory.
};

}  // namespace daybook::replay

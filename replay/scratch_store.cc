#include "replay/scratch_store.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "eventstore/files.h"
#include "eventstore/memory_kv.h"
#include "eventstore/rocks_kv.h"
#include "replay/ledger_files.h"

namespace daybook::replay {

Result<std::unique_ptr<ScratchStore>> ScratchStore::on_disk(
    const std::string& dir, const std::vector<eventstore::TableSpec>& tables) {
  std::error_code error;
  const std::string parent =
      dir.empty() ? std::filesystem::temp_directory_path(error).string() : dir;
  if (error) return eventstore::errno_status("find", "temporary directory", error.value());
  std::string path = parent + "/daybook-scratch-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return eventstore::errno_status("create directory", path, errno);
  }
  auto store = eventstore::RocksKv::open(path + "/kv", tables, {});
  if (!store.ok()) {
    static_cast<void>(remove_tree(path));  // The error that matters is the first.
    return store.status();
  }
  return std::unique_ptr<ScratchStore>(new ScratchStore(std::move(*store), path));
}

std::unique_ptr<ScratchStore> ScratchStore::in_memory(std::size_t table_count) {
  return std::unique_ptr<ScratchStore>(
      new ScratchStore(std::make_unique<eventstore::MemoryKv>(table_count), ""));
}

ScratchStore::ScratchStore(std::unique_ptr<eventstore::KvStore> store, std::string path)
    : store_(std::move(store)), path_(std::move(path)) {}

ScratchStore::~ScratchStore() {
  store_.reset();
  if (!path_.empty()) static_cast<void>(remove_tree(path_));  // Best effort: it is only scratch.
}

}  // namespace daybook::replay

#include "eventstore/rocks_sorted_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include "domain/base/check.h"
#include "eventstore/side_by_side.h"

namespace daybook::eventstore {
namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

SortedFiles::~SortedFiles() {
  std::error_code ignored;  // Ingested files are gone from here, and the next opener looks again.
  for (const File& file : files_) std::filesystem::remove(file.path, ignored);
}

rocksdb::Status SortedFiles::build(const KvBatch& batch, const FamilyOf& family_of,
                                   std::size_t threads) {
  CHECK(files_.empty());
  std::error_code error;
  std::filesystem::create_directory(directory_, error);
  if (error) return rocksdb::Status::IOError(directory_, error.message());

  const std::span<const KvBatch::Operation> operations = batch.operations();
  std::vector<std::span<const KvBatch::Operation>> tables;
  for (std::size_t i = 0; i < operations.size();) {
    std::size_t end = i;
    while (end < operations.size() && operations[end].table == operations[i].table) ++end;
    tables.push_back(operations.subspan(i, end - i));
    const Table table = operations[i].table;
    const std::string path = directory_ + "/" + std::to_string(table) + ".sst";
    for (const File& earlier : files_) CHECK(earlier.path != path);
    files_.push_back({family_of(table), path, {}, {}});
    i = end;
  }
  std::vector<rocksdb::Status> written(tables.size());
  side_by_side(tables.size(), threads, [&](std::size_t i) {
    written[i] = write(files_[i], tables[i]);
    return Status();
  });
  const auto failed =
      std::find_if(written.begin(), written.end(), [](const auto& status) { return !status.ok(); });
  return failed == written.end() ? rocksdb::Status() : *failed;
}

rocksdb::Status SortedFiles::write(File& file, std::span<const KvBatch::Operation> operations) {
  // One of that name may be a second name of a file that was taken in: writing on in it would be
  // writing into the store.
  std::error_code error;
  std::filesystem::remove(file.path, error);
  if (error) return rocksdb::Status::IOError(file.path, error.message());
  const bool drops_pages = false;  // Compaction reads it soon.
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), *file.family.options, file.family.handle,
                                drops_pages);
  rocksdb::Status status = writer.Open(file.path);
  for (std::size_t i = 0; i < operations.size() && status.ok(); ++i) {
    // In the order of keys their bytes lie anywhere: what comes soon is fetched meanwhile.
    if (constexpr std::size_t kAhead = 8; i + kAhead < operations.size()) {
      __builtin_prefetch(operations[i + kAhead].key.data());
    }
    const KvBatch::Operation& operation = operations[i];
    status = operation.value ? writer.Put(slice(operation.key), slice(*operation.value))
                             : writer.Delete(slice(operation.key));
  }
  rocksdb::ExternalSstFileInfo info;
  if (status.ok()) status = writer.Finish(&info);
  file.checksum = info.file_checksum;
  file.checksum_function = info.file_checksum_func_name;
  return status;
}

rocksdb::Status SortedFiles::ingest(rocksdb::DB& db) const {
  if (files_.empty()) return {};
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (const File& file : files_) {
    rocksdb::IngestExternalFileArg& argument = arguments.emplace_back();
    argument.column_family = file.family.handle;
    argument.external_files = {file.path};
    argument.files_checksums = {file.checksum};
    argument.files_checksum_func_names = {file.checksum_function};
    argument.options.move_files = true;
    argument.options.write_global_seqno = false;    // Or the checksum would not fit the file.
    argument.options.verify_file_checksum = false;  // Computed as it was written, a moment ago.
  }
  return db.IngestExternalFiles(arguments);
}

Status discard_sorted_files(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  return error ? io_error("remove " + directory + ": " + error.message()) : Status();
}

}  // namespace daybook::eventstore

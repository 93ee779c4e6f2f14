#include "eventstore/rocks_sorted_files.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include "domain/base/check.h"

namespace daybook::eventstore {
namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

SortedFiles::~SortedFiles() {
  std::error_code ignored;  // Ingested files are gone from here, and the next opener looks again.
  for (const File& file : files_) std::filesystem::remove(file.path, ignored);
}

rocksdb::Status SortedFiles::build(const KvBatch& batch, const FamilyOf& family_of) {
  CHECK(files_.empty());
  std::error_code error;
  std::filesystem::create_directory(directory_, error);
  if (error) return rocksdb::Status::IOError(directory_, error.message());

  const std::vector<KvBatch::Operation>& operations = batch.operations();
  for (std::size_t i = 0; i < operations.size();) {
    const Table table = operations[i].table;
    const Family family = family_of(table);
    const std::string path = directory_ + "/" + std::to_string(table) + ".sst";
    for (const File& earlier : files_) CHECK(earlier.path != path);
    // One of that name may be a second name of a file that was taken in: writing on in it would
    // be writing into the store.
    std::filesystem::remove(path, error);
    if (error) return rocksdb::Status::IOError(path, error.message());
    files_.push_back({family.handle, path, {}, {}});
    const bool drops_pages = false;  // Compaction reads it soon.
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), *family.options, family.handle,
                                  drops_pages);
    rocksdb::Status status = writer.Open(path);
    for (; status.ok() && i < operations.size() && operations[i].table == table; ++i) {
      const KvBatch::Operation& operation = operations[i];
      status = operation.value ? writer.Put(slice(operation.key), slice(*operation.value))
                               : writer.Delete(slice(operation.key));
    }
    rocksdb::ExternalSstFileInfo info;
    if (status.ok()) status = writer.Finish(&info);
    if (!status.ok()) return status;
    files_.back().checksum = info.file_checksum;
    files_.back().checksum_function = info.file_checksum_func_name;
  }
  return {};
}

rocksdb::Status SortedFiles::ingest(rocksdb::DB& db) const {
  if (files_.empty()) return {};
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (const File& file : files_) {
    rocksdb::IngestExternalFileArg& argument = arguments.emplace_back();
    argument.column_family = file.handle;
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

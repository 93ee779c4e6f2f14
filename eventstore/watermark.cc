#include "eventstore/watermark.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/watermark_slots.h"

namespace daybook::eventstore {
namespace {

constexpr int kReadAttemptsMax = 3;

Result<WatermarkFile::Loaded> load_once(int descriptor, const std::string& path) {
  std::string bytes(kWatermarkBytes + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got =
        ::pread(descriptor, bytes.data() + size, bytes.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  auto loaded = decode_watermark(bytes);
  if (!loaded.ok()) return corrupt(path + ": " + loaded.status().message());
  return loaded;
}

Result<WatermarkFile::Loaded> load_from(int descriptor, const std::string& path) {
  // A read beside a writer may catch a slot halfway; the next read does not catch the same one.
  Result<WatermarkFile::Loaded> best = load_once(descriptor, path);
  for (int attempt = 1; attempt < kReadAttemptsMax; ++attempt) {
    if (best.ok() && !best->slot_damaged) break;
    Result<WatermarkFile::Loaded> again = load_once(descriptor, path);
    if (again.ok()) best = std::move(again);
  }
  return best;
}

}  // namespace

Status WatermarkFile::create(const std::string& path, const LogHead& head, Instant closed) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return errno_status("create", path, errno);
  // Space is taken now: a full disk must not stop the watermark of an entry that is already synced.
  if (const int error = ::posix_fallocate(file.get(), 0, kWatermarkBytes); error != 0) {
    return errno_status("allocate", path, error);
  }
  for (std::uint64_t i = 0; i < 2; ++i) {
    const Status written =
        write_all(file, encode_watermark_slot(i, head, closed), watermark_slot_offset(i), path);
    if (!written.ok()) return written;
  }
  if (::fsync(file.get()) != 0) return errno_status("sync", path, errno);
  return sync_directory(parent_of(path));
}

Result<WatermarkFile::Loaded> WatermarkFile::load(const std::string& path) {
  const auto file = open_regular(path, O_RDONLY);
  if (!file.ok()) return file.status();
  return load_from(file->get(), path);
}

Result<std::unique_ptr<WatermarkFile>> WatermarkFile::open(const std::string& path, Sync sync) {
  auto file = open_regular(path, O_RDWR);
  if (!file.ok()) return file.status();
  Result<Loaded> loaded = load_from(file->get(), path);
  if (!loaded.ok()) return loaded.status();
  if (!sync) sync = [](int descriptor) { return ::fdatasync(descriptor); };
  return std::unique_ptr<WatermarkFile>(
      new WatermarkFile(path, std::move(*file), *loaded, std::move(sync)));
}

WatermarkFile::WatermarkFile(std::string path, Descriptor file, Loaded loaded, Sync sync)
    : path_(std::move(path)),
      file_(std::move(file)),
      at_open_(loaded),
      sequence_(loaded.sequence),
      sync_(std::move(sync)) {}

Status WatermarkFile::confirm() {
  CHECK(sequence_ == at_open_.sequence);
  return write(at_open_.head, at_open_.closed);
}

Status WatermarkFile::store(const LogHead& head, Instant closed) {
  ++sequence_;
  return write(head, closed);
}

Status WatermarkFile::write(const LogHead& head, Instant closed) {
  if (!failed_.ok()) return failed_;
  failed_ = write_all(file_, encode_watermark_slot(sequence_, head, closed),
                      watermark_slot_offset(sequence_), path_);
  if (failed_.ok() && sync_(file_.get()) != 0) failed_ = errno_status("sync", path_, errno);
  return failed_;
}

}  // namespace daybook::eventstore

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

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

Status write_fully(int descriptor, std::string_view bytes, std::size_t offset,
                   const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return errno_status("write", path, written < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return {};
}

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
  if (!loaded.ok()) return corrupt("watermark " + path + ": " + loaded.status().message());
  return loaded;
}

Result<WatermarkFile::Loaded> load_from(int descriptor, const std::string& path) {
  // A read beside a writer may catch both slots halfway; the next read does not catch the same two.
  for (int attempt = 1;; ++attempt) {
    Result<WatermarkFile::Loaded> loaded = load_once(descriptor, path);
    if (loaded.ok() || attempt == kReadAttemptsMax) return loaded;
  }
}

Result<int> open_existing(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor >= 0) return descriptor;
  if (errno == ENOENT) return not_found("watermark " + path + ": no such file");
  return errno_status("open", path, errno);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
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
    const Status written = write_fully(file.get(), encode_watermark_slot(i, head, closed),
                                       watermark_slot_offset(i), path);
    if (!written.ok()) return written;
  }
  if (::fsync(file.get()) != 0) return errno_status("sync", path, errno);
  return sync_directory(directory_of(path));
}

Result<WatermarkFile::Loaded> WatermarkFile::load(const std::string& path) {
  const Result<int> opened = open_existing(path, O_RDONLY);
  if (!opened.ok()) return opened.status();
  const Descriptor file(*opened);
  return load_from(file.get(), path);
}

Result<std::unique_ptr<WatermarkFile>> WatermarkFile::open(const std::string& path, Sync sync) {
  const Result<int> opened = open_existing(path, O_RDWR);
  if (!opened.ok()) return opened.status();
  Descriptor file(*opened);
  Result<Loaded> loaded = load_from(file.get(), path);
  if (!loaded.ok()) return loaded.status();
  if (!sync) sync = [](int descriptor) { return ::fdatasync(descriptor); };
  return std::unique_ptr<WatermarkFile>(
      new WatermarkFile(path, file.release(), *loaded, std::move(sync)));
}

WatermarkFile::WatermarkFile(std::string path, int descriptor, Loaded loaded, Sync sync)
    : path_(std::move(path)),
      descriptor_(descriptor),
      at_open_(loaded),
      sequence_(loaded.sequence),
      sync_(std::move(sync)) {}

WatermarkFile::~WatermarkFile() { ::close(descriptor_); }

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
  failed_ = write_fully(descriptor_, encode_watermark_slot(sequence_, head, closed),
                        watermark_slot_offset(sequence_), path_);
  if (failed_.ok() && sync_(descriptor_) != 0) failed_ = errno_status("sync", path_, errno);
  return failed_;
}

}  // namespace daybook::eventstore

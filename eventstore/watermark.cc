#include "eventstore/watermark.h"

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "domain/base/check.h"
#include "eventstore/files.h"
#include "eventstore/wire.h"

namespace daybook::eventstore {
namespace {

constexpr std::size_t kSlotBytes = 4096;
constexpr std::size_t kFileBytes = 2 * kSlotBytes;
constexpr std::size_t kHashBytes = 32;
constexpr std::uint32_t kMagic = 0x314D5744;  // "DWM1", little-endian.
constexpr int kReadAttemptsMax = 3;

struct Slot {
  std::uint64_t sequence = 0;
  LogHead head;
  Instant closed;
};

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

std::string encode_slot(const Slot& slot) {
  std::string out;
  out.reserve(kSlotBytes);
  WireWriter writer(out);
  writer.fixed32(kMagic);
  writer.fixed32(slot.head.generation);
  writer.fixed64(slot.sequence);
  writer.fixed64(slot.head.entry_count);
  writer.fixed64(slot.head.next_position);
  writer.fixed64(static_cast<std::uint64_t>(slot.head.last_recorded_at.micros));
  writer.raw(bytes_of(slot.head.chain));
  writer.fixed64(static_cast<std::uint64_t>(slot.closed.micros));
  out.resize(kSlotBytes - kHashBytes, '\0');
  const Hash checksum = sha256({out});
  out.append(bytes_of(checksum));
  return out;
}

std::optional<Slot> decode_slot(std::string_view bytes) {
  const std::string_view content = bytes.substr(0, kSlotBytes - kHashBytes);
  const Hash checksum = sha256({content});
  if (bytes.substr(content.size()) != bytes_of(checksum)) return std::nullopt;
  WireReader reader(content);
  if (reader.fixed32() != kMagic) return std::nullopt;
  Slot slot;
  slot.head.generation = reader.fixed32();
  slot.sequence = reader.fixed64();
  slot.head.entry_count = reader.fixed64();
  slot.head.next_position = reader.fixed64();
  slot.head.last_recorded_at.micros = static_cast<std::int64_t>(reader.fixed64());
  const std::string_view chain = reader.raw(kHashBytes);
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    slot.head.chain[i] = static_cast<std::uint8_t>(chain[i]);
  }
  slot.closed.micros = static_cast<std::int64_t>(reader.fixed64());
  return slot;
}

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
  std::string bytes(kFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got =
        ::pread(descriptor, bytes.data() + size, bytes.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size != kFileBytes) {
    return corrupt("watermark " + path + ": expected " + std::to_string(kFileBytes) +
                   " bytes, found " + (size > kFileBytes ? "more" : std::to_string(size)));
  }
  std::optional<Slot> newest;
  bool damaged = false;
  for (std::uint64_t i = 0; i < 2; ++i) {
    const auto slot = decode_slot(std::string_view(bytes).substr(i * kSlotBytes, kSlotBytes));
    // A slot in the wrong place is as bad as a damaged one: the next write would hit its twin.
    if (!slot || slot->sequence % 2 != i) {
      damaged = true;
    } else if (!newest || slot->sequence > newest->sequence) {
      newest = slot;
    }
  }
  if (!newest) return corrupt("watermark " + path + ": both slots are damaged");
  return WatermarkFile::Loaded{newest->head, newest->closed, newest->sequence, damaged};
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
  if (const int error = ::posix_fallocate(file.get(), 0, kFileBytes); error != 0) {
    return errno_status("allocate", path, error);
  }
  for (std::uint64_t i = 0; i < 2; ++i) {
    const Status written =
        write_fully(file.get(), encode_slot({i, head, closed}), i * kSlotBytes, path);
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

Status WatermarkFile::store(const LogHead& head, Instant closed) {
  if (!failed_.ok()) return failed_;
  ++sequence_;
  const std::size_t offset = (sequence_ % 2) * kSlotBytes;
  failed_ = write_fully(descriptor_, encode_slot({sequence_, head, closed}), offset, path_);
  if (failed_.ok() && sync_(descriptor_) != 0) failed_ = errno_status("sync", path_, errno);
  return failed_;
}

}  // namespace daybook::eventstore

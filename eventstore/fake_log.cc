#include "eventstore/fake_log.h"

#include <algorithm>
#include <optional>
#include <random>

#include "domain/base/check.h"

namespace daybook::eventstore {

class FakeLog::Cursor final : public EntryCursor {
 public:
  Cursor(const FakeLog& log, std::uint64_t position) : log_(log), position_(position) {}

  Result<std::optional<Entry>> next() override {
    const std::lock_guard lock(log_.mutex_);
    if (!index_) {
      // Not settled before there is an entry: a later one may still hold the position.
      const auto end = log_.ends_.begin() + static_cast<std::ptrdiff_t>(log_.head_.entry_count);
      auto found = std::upper_bound(log_.ends_.begin(), end, position_);
      if (position_ == 0) found = log_.ends_.begin();
      // Entries without events end where they begin: they are all there is of what comes next.
      while (found == end || is_empty(found)) {
        if (found == log_.ends_.begin() || *(found - 1) != position_ || !is_empty(found - 1)) break;
        --found;
      }
      if (found == end) return std::optional<Entry>();
      index_ = static_cast<std::uint64_t>(found - log_.ends_.begin());
    }
    if (*index_ >= log_.head_.entry_count) return std::optional<Entry>();
    Result<Entry> entry = decode_entry(log_.entries_[(*index_)++]);
    CHECK(entry.ok());
    return std::optional<Entry>(std::move(*entry));
  }

 private:
  bool is_empty(std::vector<std::uint64_t>::const_iterator at) const {
    return at == log_.ends_.begin() ? *at == 0 : *(at - 1) == *at;
  }

  const FakeLog& log_;
  const std::uint64_t position_;
  std::optional<std::uint64_t> index_;
};

LogHead FakeLog::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

Instant FakeLog::closed() const {
  const std::lock_guard lock(mutex_);
  return std::max(promised_, head_.last_recorded_at);
}

Status FakeLog::close(Instant time) {
  const std::lock_guard lock(mutex_);
  if (time <= std::max(promised_, head_.last_recorded_at)) return {};
  if (closed_ != AppendOutcome::kCommitted) return io_error("the log has failed");
  promised_ = time;
  return {};
}

AppendOutcome FakeLog::append(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (closed_ != AppendOutcome::kCommitted) return closed_;
  CHECK(check_continues(head_, entry).ok());

  const std::uint64_t number = appends_++;
  if (const auto scripted = script_.find(number); scripted != script_.end()) {
    return fail(entry, scripted->second);
  }
  if (per_mille_ > 0) {
    std::mt19937_64 random(seed_ + number);
    if (random() % 1'000 < per_mille_) {
      return fail(entry, random() % 2 == 0 ? Fault::kLoseEntry : Fault::kKeepEntry);
    }
  }
  entries_.push_back(encode_entry(entry));
  ends_.push_back(entry.end_position());
  head_ = kept_ = head_after(entry, chain_of(entry));
  return AppendOutcome::kCommitted;
}

AppendOutcome FakeLog::fail(const Entry& entry, Fault fault) {
  closed_ = fault == Fault::kFenceEntry ? AppendOutcome::kFenced : AppendOutcome::kUnknown;
  if (fault == Fault::kKeepEntry) {
    entries_.push_back(encode_entry(entry));
    ends_.push_back(entry.end_position());
    kept_ = head_after(entry, chain_of(entry));
  }
  return closed_;
}

void FakeLog::crash() {
  const std::lock_guard lock(mutex_);
  head_ = kept_;
  closed_ = AppendOutcome::kCommitted;
}

Result<std::unique_ptr<EntryCursor>> FakeLog::read(std::uint64_t position) const {
  return std::unique_ptr<EntryCursor>(std::make_unique<Cursor>(*this, position));
}

}  // namespace daybook::eventstore

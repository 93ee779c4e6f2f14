#include "api/event_streams.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "api/account_view.h"
#include "api/answers.h"
#include "api/paging.h"
#include "api/problem.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/json_text.h"
#include "eventstore/position.h"
#include "projections/tables.h"

namespace daybook::api {
namespace {

using domain::StreamId;
using eventstore::PlacedEvent;

/// Events and bytes of one chunk of a stream, which waits in memory for its client; and events of
/// the log looked at for one.
constexpr std::size_t kChunkEvents = 64;
constexpr std::size_t kChunkBytes = std::size_t{16} << 10;
constexpr std::size_t kLookedAtMax = 100'000;

/// Where events come from, from a place on.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// Up to `limit` more; `at_end` tells that there is nothing more now.
  struct Chunk {
    std::vector<std::shared_ptr<const PlacedEvent>> events;
    bool at_end = false;
  };
  virtual Result<Chunk> read(std::size_t limit) = 0;
  /// The next chunk begins with this event of the last one.
  virtual void go_back_to(const PlacedEvent& event) = 0;
};

/// The events of one stream up to a version, or for ever.
class StreamSource final : public EventSource {
 public:
  StreamSource(const eventstore::KvStore& store, StreamId stream, std::uint64_t next,
               std::optional<std::uint64_t> upto)
      : store_(store), stream_(std::move(stream)), next_(next), upto_(upto) {}

  std::uint64_t next_version() const { return next_; }

  Result<Chunk> read(std::size_t limit) override {
    const auto rows = store_.snapshot();
    const projections::StreamReader reader(
        *rows, {projections::kStreamsTable, projections::kStatesTable}, stream_);
    auto last = reader.last_version();
    if (!last.ok()) return last.status();
    const std::uint64_t upto = std::min(*last, upto_.value_or(*last));
    Chunk chunk;
    if (next_ <= upto) {
      auto events = reader.events(next_, upto, limit);
      if (!events.ok()) return events.status();
      chunk.events = std::move(*events);
      next_ += chunk.events.size();
    }
    chunk.at_end = next_ > upto;
    return chunk;
  }
  void go_back_to(const PlacedEvent& event) override { next_ = event.event.version; }

 private:
  const eventstore::KvStore& store_;
  StreamId stream_;
  std::uint64_t next_;
  std::optional<std::uint64_t> upto_;
};

/// A tenant's events of the whole log, up to a position (exclusive) or for ever. Between two chunks
/// it keeps a position alone: a cursor pins storage, and an entry is up to megabytes.
class LogSource final : public EventSource {
 public:
  LogSource(const eventstore::EventLog& log, LogEntries& entries, TenantId tenant,
            std::uint64_t next, std::optional<std::uint64_t> end)
      : log_(log), entries_(entries), tenant_(std::move(tenant)), next_(next), end_(end) {}

  std::uint64_t next_position() const { return next_; }

  Result<Chunk> read(std::size_t limit) override {
    Chunk chunk;
    std::size_t looked_at = 0;
    std::unique_ptr<eventstore::EntryCursor> cursor;
    while (chunk.events.size() < limit && looked_at < kLookedAtMax) {
      const std::uint64_t head = log_.head().next_position;
      chunk.at_end = next_ >= std::min(head, end_.value_or(head));
      if (chunk.at_end) break;
      auto entry = entry_at_next(cursor);
      if (!entry.ok()) return entry.status();
      looked_at += take_from(**entry, limit, chunk);
      // In the middle of it, or where others are who wait for the same: the end of the log.
      const std::uint64_t entry_end = (*entry)->entry.end_position();
      if (next_ < entry_end || entry_end == head) entries_.keep(std::move(*entry));
    }
    return chunk;
  }
  void go_back_to(const PlacedEvent& event) override { next_ = event.position; }

 private:
  /// `cursor`, if there is one, stands there.
  Result<LogEntries::EntryPtr> entry_at_next(std::unique_ptr<eventstore::EntryCursor>& cursor) {
    if (LogEntries::EntryPtr kept = entries_.find(next_)) {
      cursor.reset();
      return kept;
    }
    if (cursor == nullptr) {
      auto opened = log_.read(next_);
      if (!opened.ok()) return opened.status();
      cursor = std::move(*opened);
    }
    auto entry = cursor->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) return corrupt("position " + std::to_string(next_) + " is not in the log");
    auto decoded = eventstore::decode_events(std::move(**entry));
    if (!decoded.ok()) return decoded.status();
    return LogEntries::EntryPtr(
        std::make_shared<const eventstore::DecodedEntry>(std::move(*decoded)));
  }

  std::size_t take_from(const eventstore::DecodedEntry& entry, std::size_t limit, Chunk& chunk) {
    const std::uint64_t begin = next_;
    const std::uint64_t end = std::min(entry.entry.end_position(), end_.value_or(UINT64_MAX));
    for (; next_ < end && chunk.events.size() < limit; ++next_) {
      const auto& event = entry.events[next_ - entry.entry.base_position];
      if (event.stream.tenant != tenant_) continue;
      chunk.events.push_back(std::make_shared<const PlacedEvent>(PlacedEvent{event, next_}));
    }
    return next_ - begin;
  }

  const eventstore::EventLog& log_;
  LogEntries& entries_;
  TenantId tenant_;
  std::uint64_t next_;
  std::optional<std::uint64_t> end_;
};

void append_event(std::string& out, const PlacedEvent& placed, EventFormat format,
                  std::uint32_t generation) {
  if (format == EventFormat::kNdjson) {
    out += event_row_json(placed, generation);
    out.push_back('\n');
    return;
  }
  out += "id: " + to_text(eventstore::PublicPosition{generation, 0, placed.position}) + "\nevent: ";
  out += domain::name_of(placed.event.event);
  out += "\ndata: " + event_row_json(placed, generation) + "\n\n";
}

/// Reads chunks on the workers and hands them to the socket as it takes them. Holds one chunk.
class EventBody final : public BodyStream {
 public:
  EventBody(std::unique_ptr<EventSource> source, EventFormat format, const ReadRequest& request,
            const StreamServices& services)
      : shared_(std::make_shared<Shared>()),
        format_(format),
        principal_(request.principal),
        services_(services) {
    shared_->source = std::move(source);
    shared_->format = format;
    shared_->generation = request.generation;
    shared_->request_id = request.request_id;
    shared_->operator_log = services.sources.operator_log;
    ends_at_ = later_by(services.sources.clock.steady(), services.sse_max_micros);
  }

  void subscribe(std::function<void()> wake) override {
    shared_->wake = wake;
    if (endless()) subscription_ = services_.applied.subscribe(std::move(wake));
  }

  Next next(std::string& out, std::size_t room) override {
    // A revocation is an event, so it wakes a stream; the rest it learns at the next heartbeat.
    if (!services_.keys.is_valid(principal_)) return endless() ? Next::kEnd : Next::kAbort;
    if (endless() && services_.sources.clock.steady() >= ends_at_) return Next::kEnd;
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->ready.empty()) {
      out += std::exchange(shared_->ready, {});
      return Next::kData;
    }
    if (shared_->failed) return Next::kAbort;
    if (shared_->at_end && !endless()) return Next::kEnd;
    if (shared_->reading) {
      shared_->asked_again = true;
    } else {
      shared_->reading = true;
      const std::size_t bytes = std::min(room, kChunkBytes);
      if (!services_.workers.post_part([shared = shared_, bytes] { fill(*shared, bytes); })) {
        return Next::kAbort;
      }
    }
    return Next::kNothingYet;
  }

  std::string_view heartbeat() const override {
    return format_ == EventFormat::kServerSent ? ": still here\n\n" : "";
  }
  bool endless() const override { return format_ == EventFormat::kServerSent; }

 private:
  struct Shared {
    std::mutex mutex;
    std::unique_ptr<EventSource> source;
    EventFormat format{};
    std::uint32_t generation = 0;
    std::string request_id;
    OperatorLog* operator_log = nullptr;
    std::function<void()> wake;
    // Guarded by mutex; source is used by the one reader that `reading` lets in.
    std::string ready;
    bool reading = false;
    bool asked_again = false;  ///< While reading: what is new may have been missed.
    bool at_end = false;
    bool failed = false;
  };

  static void fill(Shared& shared, std::size_t bytes) {
    auto chunk = shared.source->read(kChunkEvents);
    std::string text;
    if (chunk.ok()) {
      if (!chunk->events.empty()) text.reserve(bytes + bytes / 4);
      for (const auto& placed : chunk->events) {
        if (text.size() >= bytes) {
          shared.source->go_back_to(*placed);
          chunk->at_end = false;
          break;
        }
        append_event(text, *placed, shared.format, shared.generation);
      }
    } else if (shared.operator_log != nullptr) {
      shared.operator_log->failed("event stream", chunk.status(), shared.request_id);
    }
    bool wake = false;
    {
      const std::lock_guard lock(shared.mutex);
      shared.reading = false;
      shared.failed = !chunk.ok();
      shared.at_end = chunk.ok() && chunk->at_end;
      shared.ready = std::move(text);
      // Nothing and not for ever at the end: the next commit wakes.
      wake = !shared.ready.empty() || shared.failed || !shared.at_end ||
             std::exchange(shared.asked_again, false) || shared.format == EventFormat::kNdjson;
    }
    if (wake && shared.wake) shared.wake();
  }

  std::shared_ptr<Shared> shared_;
  EventFormat format_;
  Principal principal_;
  StreamServices services_;
  SteadyTime ends_at_;
  std::unique_ptr<Signal::Subscription> subscription_;
};

/// Where a client wants to go on: after a position, or at the cursor that `request` then follows.
struct After {
  std::optional<std::uint64_t> position;
  ReadRequest request;
};

std::variant<After, HttpResponse> read_after(const ReadRequest& request,
                                             const std::optional<std::string>& last_event_id,
                                             const ReadSources& sources) {
  std::optional<std::string> text = last_event_id;
  if (!text) text = request.query.find("after");
  if (!text) text = request.query.find("cursor");
  if (!text) return After{std::nullopt, request};
  const auto position = eventstore::parse_position(*text);
  if (!position) {
    auto pinned = follow_cursor(request, sources.cursors, *text);
    if (auto* refusal = std::get_if<HttpResponse>(&pinned)) return std::move(*refusal);
    return After{std::nullopt, std::move(std::get<ReadRequest>(pinned))};
  }
  if (position->generation != request.generation) {
    return problem(410, "gone", "the position is of another generation of the ledger",
                   request.request_id);
  }
  if (position->partition != 0) {
    return problem(400, "malformed-position", "there is no such partition", request.request_id);
  }
  // What is recorded before it would be passed over in silence.
  if (position->position >= sources.log.head().next_position) {
    const std::string name = last_event_id ? "Last-Event-ID" : "after";
    return invalid_query(request.request_id, {{"", "lies in the future", name}});
  }
  return After{position->position, request};
}

constexpr const char* kNdjsonType = "application/x-ndjson";

HttpResponse stream_response(std::unique_ptr<EventSource> source, EventFormat format,
                             const ReadRequest& request, const StreamServices& services,
                             const std::string& position) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type",
                                format == EventFormat::kNdjson ? kNdjsonType : "text/event-stream");
  if (!position.empty()) response.headers.emplace_back("Daybook-Position", position);
  response.stream = std::make_shared<EventBody>(std::move(source), format, request, services);
  return response;
}

/// Lines have no room for `next`: each is an event and nothing else, so a header carries it.
HttpResponse lines_response(const std::vector<std::shared_ptr<const PlacedEvent>>& events,
                            const std::optional<std::string>& next, const ReadRequest& request,
                            const std::string& position) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", kNdjsonType);
  if (next) response.headers.emplace_back("Daybook-Next", *next);
  for (const auto& placed : events) {
    append_event(response.body, *placed, EventFormat::kNdjson, request.generation);
  }
  speak_for(response, position);
  return response;
}

HttpResponse page_response(EventFormat format,
                           const std::vector<std::shared_ptr<const PlacedEvent>>& events,
                           const std::optional<std::string>& next, const ReadRequest& request,
                           const std::string& position) {
  if (format == EventFormat::kNdjson) return lines_response(events, next, request, position);
  std::vector<std::string> rows;
  for (const auto& placed : events) rows.push_back(event_row_json(*placed, request.generation));
  HttpResponse response = json_response(page_json(rows, next, position));
  speak_for(response, position);
  return response;
}

std::optional<std::size_t> given_limit(const ReadRequest& request,
                                       std::vector<FieldError>& errors) {
  const std::size_t limit = request.query.limit(errors);
  return request.query.find("limit") ? std::optional(limit) : std::nullopt;
}

/// A page holds what fits into one answer.
bool is_page(EventFormat format, const std::optional<std::size_t>& limit) {
  return format == EventFormat::kPage || (format == EventFormat::kNdjson && limit);
}

HttpResponse account_events(const ReadRequest& request, EventFormat format, const After& after,
                            const StreamServices& services, std::optional<std::size_t> limit) {
  const Reading reading(request, services.sources);
  auto view = reading.account_view();
  if (auto* refusal = std::get_if<HttpResponse>(&view)) return std::move(*refusal);
  const auto& account = std::get<AccountView>(view);
  const StreamId stream = StreamId::account(request.principal.tenant, reading.account());

  std::uint64_t next = 1;
  const std::uint64_t upto = account.state.version;
  const std::string& position = account.position_text;
  if (after.position) {
    auto seen = reading.account_stream().version_at_position(*after.position);
    if (!seen.ok()) return reading.failed(seen.status());
    next = *seen + 1;
  } else if (!request.place.empty()) {
    next = std::stoull(request.place[0]);
  }
  if (!is_page(format, limit)) {
    const bool endless = format == EventFormat::kServerSent;
    return stream_response(
        std::make_unique<StreamSource>(services.sources.store, stream, next,
                                       endless ? std::nullopt : std::optional(upto)),
        format, request, services, position);
  }
  StreamSource source(services.sources.store, stream, next, upto);
  auto chunk = source.read(limit.value_or(50));
  if (!chunk.ok()) return reading.failed(chunk.status());
  std::optional<std::string> more;
  if (!chunk->at_end) {
    more = next_cursor(request, services.sources.cursors, account.position,
                       {std::to_string(source.next_version())});
  }
  return page_response(format, chunk->events, more, request, position);
}

HttpResponse log_events(const ReadRequest& request, EventFormat format, const After& after,
                        const StreamServices& services, std::optional<std::size_t> limit) {
  const Reading reading(request, services.sources);
  auto shown = reading.position_at_point();
  if (!shown.ok()) return reading.failed(shown.status());
  const auto state = reading.terms_at_point();
  if (!state.ok()) return reading.failed(state.status());
  if (!*shown || state->version == 0) return reading.not_yet();

  std::uint64_t next = 0;
  const std::uint64_t end = **shown + 1;
  if (after.position) {
    next = *after.position + 1;
  } else if (!request.place.empty()) {
    next = std::stoull(request.place[0]);
  }
  const std::string position = reading.position_text(end - 1);
  const TenantId& tenant = request.principal.tenant;
  if (!is_page(format, limit)) {
    const bool endless = format == EventFormat::kServerSent;
    return stream_response(
        std::make_unique<LogSource>(services.sources.log, services.log_entries, tenant, next,
                                    endless ? std::nullopt : std::optional(end)),
        format, request, services, position);
  }
  LogSource source(services.sources.log, services.log_entries, tenant, next, end);
  auto chunk = source.read(limit.value_or(50));
  if (!chunk.ok()) return reading.failed(chunk.status());
  std::optional<std::string> more;
  if (source.next_position() < end) {
    more = next_cursor(request, services.sources.cursors, end - 1,
                       {std::to_string(source.next_position())});
  }
  return page_response(format, chunk->events, more, request, position);
}

}  // namespace

std::optional<EventFormat> event_format(std::optional<std::string_view> accept) {
  if (!accept) return EventFormat::kPage;
  const auto takes = [&](std::string_view type) { return accept->find(type) != accept->npos; };
  if (takes("text/event-stream")) return EventFormat::kServerSent;
  if (takes("application/x-ndjson")) return EventFormat::kNdjson;
  if (takes("application/json") || takes("*/*") || takes("application/*")) {
    return EventFormat::kPage;
  }
  return std::nullopt;
}

HttpResponse event_response(const ReadRequest& request, EventFormat format,
                            std::optional<std::string> last_event_id,
                            const StreamServices& services) {
  std::vector<FieldError> errors;
  const auto limit = given_limit(request, errors);
  if (format == EventFormat::kServerSent && limit) {
    errors.push_back({"", "a stream of events goes on: it has no pages", "limit"});
  }
  if (format == EventFormat::kServerSent && request.point.is_past()) {
    const std::string name = request.point.as_of ? "as_of" : "as_of_position";
    errors.push_back({"", "a stream of events goes on: it does not end in the past", name});
  }
  if (!errors.empty()) return invalid_query(request.request_id, std::move(errors));
  auto after = read_after(request, last_event_id, services.sources);
  if (auto* refusal = std::get_if<HttpResponse>(&after)) return std::move(*refusal);
  const auto& place = std::get<After>(after);
  return request.operation == Operation::kListEvents
             ? log_events(place.request, format, place, services, limit)
             : account_events(place.request, format, place, services, limit);
}

}  // namespace daybook::api

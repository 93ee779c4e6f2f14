#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/api_key.h"
#include "api/http_message.h"
#include "api/log_entries.h"
#include "api/read_context.h"
#include "api/signal.h"
#include "api/worker_pool.h"

/// Events as they are asked for: a JSON page, NDJSON, or Server-Sent Events, of one account or of
/// the whole log of a tenant.
namespace daybook::api {

enum class EventFormat : std::uint8_t { kPage, kNdjson, kServerSent };

/// By `Accept`; nothing where none of the three is acceptable.
std::optional<EventFormat> event_format(std::optional<std::string_view> accept);

/// What streams live on besides the sources. Everything outlives the streams.
struct StreamServices {
  const ReadSources& sources;
  WorkerPool& workers;
  Signal& applied;  ///< Notified when there is more to read.
  const KeyRing& keys;
  LogEntries& log_entries;          ///< Of the sources' log.
  std::int64_t sse_max_micros = 0;  ///< A Server-Sent stream ends then; its client comes again.
};

/// Answers `GET /v1/accounts/{account}/events` and `GET /v1/events`. `last_event_id` is the header
/// of a reconnecting client. Runs on a reader thread; a stream in the answer reads on the workers.
/// Once its key is revoked a stream gives nothing more.
HttpResponse event_response(const ReadRequest& request, EventFormat format,
                            std::optional<std::string> last_event_id,
                            const StreamServices& services);

}  // namespace daybook::api

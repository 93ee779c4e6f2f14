#include "api/http_session.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/wait_traits.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/system/error_code.hpp>

#include "api/http_gate.h"
#include "api/http_message.h"
#include "api/http_parser.h"
#include "api/http_room.h"
#include "api/http_wire.h"

namespace daybook::api {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
// The concrete executor, not any_io_executor: no type erasure on every operation.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using TlsStream = asio::ssl::stream<Socket>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using Token = asio::use_awaitable_t<Executor>;
using Waiter = asio::async_result<Token, void()>::handler_type;
template <class T>
using Task = asio::awaitable<T, Executor>;

constexpr Token kAwait;
constexpr asio::as_tuple_t<Token> kTuple(kAwait);
constexpr std::size_t kReadStep = 2048;       // a request's usual header fits
constexpr std::size_t kCopiedBody = 16384;    // below this one copy beats a second buffer
constexpr std::size_t kLingerBytes = 262144;  // read and dropped after a last answer
constexpr unsigned kBurst = 16;               // pipelined requests before others get a turn

template <class Stream>
class Session final : public HttpSession, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(std::shared_ptr<HttpWorker> worker, Stream stream, std::string peer)
      : worker_(std::move(worker)),
        core_(*worker_->core),
        config_(core_.config),
        executor_(worker_->context->get_executor()),
        stream_(std::move(stream)),
        timer_(executor_),
        buffer_(config_.gate.max_header_bytes),
        peer_(std::move(peer)),
        waiting_(core_) {}

  void start() {
    worker_->sessions.insert(this->shared_from_this());
    asio::co_spawn(executor_, run(this->shared_from_this()), asio::detached);
  }

  void drain() override {
    draining_ = true;
    if (phase_ == Phase::kIdle) cancel_io();
    if (phase_ == Phase::kStream) wake();
  }

  void abort() override {
    draining_ = true;
    aborted_ = true;
    error_code ignored;
    socket().close(ignored);
    if (phase_ == Phase::kStream || (phase_ == Phase::kHandler && take(sequence_))) wake();
  }

  void give_room(Clock::time_point now) override {
    if (!waiting_.is_slow(out_.sent(), now)) return;
    waiting_.release();
    core_.answers_cut.fetch_add(1);
    abort();
  }

  void take_answer(HttpResponse response) override {
    response_ = std::move(response);
    wake();
  }

 private:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  /// What the coroutine is suspended in.
  enum class Phase {
    kIdle,     ///< Waiting for the first byte of a request.
    kIo,       ///< Any other read or write.
    kHandler,  ///< Waiting for respond().
    kStream,   ///< Waiting for a BodyStream to have more.
  };
  enum class Head { kAccepted, kRefused, kClosed };
  enum class Body { kComplete, kTimeout, kNoRoom, kClosed };

  Socket& socket() {
    if constexpr (kTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  // --- time ---------------------------------------------------------------------------------

  /// One timer per connection, moved only when a deadline comes nearer: a busy connection pushes
  /// its deadlines ahead and touches the timer queue every few seconds, not at every operation.
  void set_deadline(Clock::time_point at) {
    expired_ = false;
    deadline_ = at;
    if (!armed_ || at < armed_at_) arm();
  }

  void arm() {
    armed_ = true;
    armed_at_ = deadline_;
    timer_.expires_at(deadline_);
    timer_.async_wait([self = this->shared_from_this()](const error_code& ec) {
      if (!ec && !self->done_) self->on_timer();
    });
  }

  void on_timer() {
    armed_ = false;
    if (Clock::now() < deadline_) return arm();
    expired_ = true;
    switch (phase_) {
      case Phase::kIdle:
      case Phase::kIo:
        return cancel_io();
      case Phase::kHandler:
        if (take(sequence_)) wake();
        return;
      case Phase::kStream:
        return wake();
    }
  }

  void cancel_io() {
    error_code ignored;
    socket().cancel(ignored);
  }

  /// Suspends until wake().
  Task<void> suspend() {
    Token token;
    return asio::async_initiate<Token, void()>(
        [this](Waiter&& waiter) { waiter_.emplace(std::move(waiter)); }, token);
  }

  void wake() {
    if (!waiter_) return;
    Waiter waiter = std::move(*waiter_);
    waiter_.reset();
    std::move(waiter)();
  }

  // --- the life of a connection -------------------------------------------------------------

  Task<void> run(std::shared_ptr<Session> self) {
    try {
      bool ready = true;
      if constexpr (kTls) ready = co_await handshake();
      if (ready) co_await serve();
      if (linger_ && !aborted_) co_await linger();
    } catch (const std::exception&) {
      core_.failures.fetch_add(1);  // out of memory, or a bug: this connection only
    }
    self->finish();
  }

  void finish() {
    done_ = true;
    timer_.cancel();
    error_code ignored;
    socket().close(ignored);
    worker_->sessions.erase(this->shared_from_this());
    if (core_.open_connections.fetch_sub(1) == 1) {
      const std::lock_guard lock(core_.mutex);
      core_.all_closed.notify_all();
    }
  }

  Task<bool> handshake() {
    set_deadline(Clock::now() + config_.tls_handshake_deadline);
    if constexpr (kTls) {
      const auto [ec] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kTuple);
      if (ec && expired_) core_.timeouts.fetch_add(1);
      co_return !ec;
    }
    co_return true;
  }

  Task<void> serve() {
    for (;;) {
      // Whoever answered from outside is still below us on the stack; and a client that sends
      // many requests at once must not keep the thread.
      if (buffer_.size() > 0 && (yield_due_ || ++burst_ >= kBurst)) {
        co_await asio::post(executor_, kAwait);
        burst_ = 0;
      }
      yield_due_ = false;
      const Head outcome = co_await read_head();
      if (outcome == Head::kClosed) co_return;
      ++requests_;
      core_.requests.fetch_add(1, std::memory_order_relaxed);
      request_id_ = worker_->ids.next();
      bool whole = false;
      if (outcome == Head::kAccepted) {
        whole = co_await exchange();
      } else {
        core_.refused.fetch_add(1, std::memory_order_relaxed);
        whole = co_await refuse();
      }
      if (!whole) co_return;
      linger_ = !keep_alive_;
      if (linger_) co_return;
    }
  }

  /// Says goodbye so that the last answer arrives: closing a socket with unread bytes would reset
  /// the connection and may take the answer with it.
  Task<void> linger() {
    error_code ignored;
    phase_ = Phase::kIo;
    set_deadline(Clock::now() + config_.linger);
    if constexpr (kTls) {
      [[maybe_unused]] const auto [ec] = co_await stream_.async_shutdown(kTuple);
    }
    socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    std::size_t dropped = 0;
    while (!expired_ && dropped < kLingerBytes) {
      buffer_.clear();
      const auto [ec, count] =
          co_await socket().async_read_some(buffer_.prepare(buffer_.max_size()), kTuple);
      if (ec) co_return;
      dropped += count;
    }
  }

  // --- header -------------------------------------------------------------------------------

  std::string_view buffered() const {
    return {static_cast<const char*>(buffer_.cdata().data()), buffer_.size()};
  }

  /// Reads until the header is whole, then puts it through the gate. Leaves it in the buffer.
  Task<Head> read_head() {
    const bool first = requests_ == 0;
    std::size_t scanned = 0;
    head_only_ = false;
    head_.close = false;
    phase_ = buffer_.size() == 0 ? Phase::kIdle : Phase::kIo;
    const bool idle = phase_ == Phase::kIdle && !first;
    set_deadline(Clock::now() + (idle ? config_.idle_deadline : config_.header_deadline));
    for (;;) {
      const HeaderScan scan = scan_header(buffered(), scanned, config_.gate);
      if (scan.refusal) co_return reject(*scan.refusal);
      if (scan.end > 0) co_return judge(scan.end);
      scanned = buffer_.size();
      if (scanned > 0) begin_head(first);
      if (expired_) co_return head_timeout();
      if (scanned == 0 && draining_) co_return Head::kClosed;
      const std::size_t room = std::min(kReadStep, buffer_.max_size() - scanned);
      const auto [ec, count] = co_await stream_.async_read_some(buffer_.prepare(room), kTuple);
      buffer_.commit(count);
      if (ec) co_return expired_ ? head_timeout() : Head::kClosed;
    }
  }

  /// The first bytes of a header are here, and not all of it: its own deadline runs from now.
  void begin_head(bool first) {
    if (phase_ != Phase::kIdle) return;
    phase_ = Phase::kIo;
    if (!first) set_deadline(Clock::now() + config_.header_deadline);
  }

  Head head_timeout() {
    if (buffer_.size() == 0) return Head::kClosed;  // nothing was asked, nothing is answered
    core_.timeouts.fetch_add(1);
    return reject({408, "timeout", "The header took too long to arrive.", true});
  }

  Head reject(const Refusal& refusal) {
    refusal_ = refusal;
    head_size_ = 0;
    phase_ = Phase::kIo;
    return Head::kRefused;
  }

  Head judge(std::size_t size) {
    phase_ = Phase::kIo;
    const std::string_view raw = buffered().substr(0, size);
    std::optional<Refusal> refusal = gate(raw, config_.gate, head_);
    head_only_ = head_.method == "HEAD";
    if (!refusal && !beast_agrees(raw, head_, config_.gate)) {
      refusal = Refusal{400, "malformed-framing", "The header can be read in two ways.", true};
    }
    if (refusal) reject(*refusal);
    head_size_ = size;
    return refusal ? Head::kRefused : Head::kAccepted;
  }

  Task<bool> refuse() {
    const std::uint64_t unread = refusal_.close ? 0 : head_.content_length;
    const bool expects = head_.expect_continue;
    buffer_.consume(head_size_);
    HttpResponse response = refusal_answer(refusal_, request_id_);
    co_return co_await answer_unread(std::move(response), unread, expects);
  }

  // --- one request and its answer -----------------------------------------------------------

  HttpResponse closing(int status, std::string_view slug, std::string_view detail) const {
    return closing_problem(status, slug, detail, request_id_);
  }

  HttpResponse internal() {
    core_.failures.fetch_add(1);
    return closing(500, "internal", "The server failed; whether it acted is not known.");
  }

  std::variant<HttpResponse, BodyLimit> ask_handler(const HttpRequest& request) {
    try {
      return core_.handler->on_header(request);
    } catch (...) {
      return internal();
    }
  }

  /// False: the connection is broken, nothing more can be said on it.
  Task<bool> exchange() {
    HttpRequest request = to_request(head_, head_size_);
    request.peer = peer_;
    request.request_id = request_id_;
    const std::uint64_t length = head_.content_length;
    const bool expects = head_.expect_continue;
    buffer_.consume(head_size_);
    std::variant<HttpResponse, BodyLimit> verdict = ask_handler(request);
    if (auto* refusal = std::get_if<HttpResponse>(&verdict)) {
      co_return co_await answer_unread(std::move(*refusal), length, expects);
    }
    request.context = std::move(std::get<BodyLimit>(verdict).context);
    if (length > std::get<BodyLimit>(verdict).bytes) {
      co_return co_await answer(
          closing(413, "too-large", "The body is larger than this route takes."));
    }
    BodyReservation room(core_, length);
    if (length > 0) {
      const Body body = co_await read_body(request.body, room, length, expects);
      if (body == Body::kClosed) co_return false;
      if (body == Body::kNoRoom) {
        co_return co_await answer(
            closing(503, "overloaded", "Too many request bodies are in flight."));
      }
      if (body == Body::kTimeout) {
        co_return co_await answer(closing(408, "timeout", "The body took too long to arrive."));
      }
    }
    if (!ask(std::move(request))) {
      phase_ = Phase::kHandler;
      set_deadline(Clock::now() + config_.handler_deadline);
      co_await suspend();
      phase_ = Phase::kIo;
      yield_due_ = true;
    }
    if (!response_) {
      core_.timeouts.fetch_add(1);
      // Not `overloaded`, which says that nothing was done.
      response_ = closing(503, "storage-degraded",
                          "No answer was ready in time; whether it acted is not known.");
    }
    HttpResponse response = std::move(*response_);
    response_.reset();
    co_return co_await answer(std::move(response));
  }

  /// Hands the request over. True: the answer is there already.
  bool ask(HttpRequest request) {
    response_.reset();
    const std::uint64_t sequence = ++sequence_;
    pending_.store(sequence);
    try {
      core_.handler->on_request(std::move(request),
                                [weak = this->weak_from_this(), sequence](HttpResponse response) {
                                  const std::shared_ptr<Session> self = weak.lock();
                                  if (self) self->deliver(sequence, std::move(response));
                                });
    } catch (...) {
      if (take(sequence)) response_ = internal();
    }
    return response_.has_value();
  }

  /// Whoever turns the number to 0 (answer, deadline, abort) decides what becomes of the request.
  bool take(std::uint64_t sequence) {
    return sequence != 0 && pending_.compare_exchange_strong(sequence, 0);
  }

  /// Any thread.
  void deliver(std::uint64_t sequence, HttpResponse response) {
    if (!take(sequence)) return;
    if (executor_.running_in_this_thread()) {
      response_ = std::move(response);
      return wake();
    }
    if (!worker_->answers.push({this->shared_from_this(), std::move(response)})) return;
    asio::post(executor_, [worker = worker_] {
      for (auto& [session, answer] : worker->answers.take()) {
        session->take_answer(std::move(answer));
      }
    });
  }

  // --- body ---------------------------------------------------------------------------------

  Body body_failure() {
    if (!expired_) return Body::kClosed;
    core_.timeouts.fetch_add(1);
    return Body::kTimeout;
  }

  Task<Body> read_body(std::string& body, BodyReservation& room, std::uint64_t length,
                       bool expects) {
    const std::size_t ready = std::min<std::uint64_t>(buffer_.size(), length);
    if (!room.fits(length) || !room.grow_to(ready)) co_return Body::kNoRoom;
    body.assign(buffered().substr(0, ready));
    buffer_.consume(ready);
    if (expects && ready == 0) {
      out_.clear();
      out_.text() = "HTTP/1.1 100 Continue\r\n\r\n";
      if (!write_now() && !co_await write_rest(config_.write_stall)) co_return Body::kClosed;
    }
    if (body.size() == length) co_return Body::kComplete;
    const Clock::time_point start = Clock::now();
    while (body.size() < length) {
      const std::size_t had = body.size();
      const std::size_t step = std::min<std::uint64_t>(length - had, body_step(had));
      if (!room.grow_to(had + step)) co_return Body::kNoRoom;
      set_deadline(start + body_allowance(config_, had));
      body.resize(had + step);
      const auto [ec, count] = co_await stream_.async_read_some(
          asio::buffer(body.data() + had, body.size() - had), kTuple);
      body.resize(had + count);
      if (ec) co_return body_failure();
    }
    co_return Body::kComplete;
  }

  /// Reads and drops the body of a request that was answered without it.
  Task<bool> discard(std::uint64_t length) {
    const Clock::time_point start = Clock::now();
    std::uint64_t dropped = 0;
    for (;;) {
      const std::size_t ready = std::min<std::uint64_t>(buffer_.size(), length - dropped);
      buffer_.consume(ready);
      dropped += ready;
      if (dropped == length) co_return true;
      set_deadline(start + body_allowance(config_, dropped));
      const auto [ec, count] = co_await stream_.async_read_some(
          buffer_.prepare(std::min(kReadStep, buffer_.max_size())), kTuple);
      buffer_.commit(count);
      if (ec) co_return body_failure() == Body::kComplete;
    }
  }

  // --- answer -------------------------------------------------------------------------------

  /// Answers a request whose body was not read: reads past a small one, else closes. A client that
  /// waits for 100 may send its body or not, so there the end of the request is not known.
  Task<bool> answer_unread(HttpResponse response, std::uint64_t unread, bool expects) {
    if (unread > config_.max_drained_body_bytes || (expects && unread > 0)) response.close = true;
    const bool sent = co_await answer(std::move(response));
    if (!sent || !keep_alive_ || unread == 0) co_return sent;
    co_return co_await discard(unread);
  }

  Task<bool> answer(HttpResponse response) {
    if (!is_sendable(response)) response = internal();
    keep_alive_ = !response.close && !head_.close && !draining_ &&
                  requests_ < config_.max_requests_per_connection;
    const bool has_body = !head_only_ && status_has_body(response.status);
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    out_.clear();
    append_response_head(out_.text(), response, {request_id_, worker_->date.at(now), !keep_alive_});
    if (has_body && response.stream != nullptr) {
      co_return co_await send_stream(std::move(response.stream));
    }
    if (has_body && response.body.size() <= kCopiedBody) {
      out_.text().append(response.body);
    } else if (has_body) {
      out_.set_body(std::move(response.body));
    }
    const bool sent = write_now() || co_await write_rest(config_.write_stall);
    out_.clear();  // an idle connection holds no large answer
    co_return sent;
  }

  std::array<asio::const_buffer, 2> unsent() const {
    const auto [text, body] = out_.rest();
    return {asio::buffer(text.data(), text.size()), asio::buffer(body.data(), body.size())};
  }

  /// Most answers fit the socket's buffer: one system call, no trip through the scheduler. An
  /// error is left to write_rest() to find again.
  bool write_now() {
    if constexpr (!kTls) {
      error_code ec;
      const std::size_t count = stream_.write_some(unsent(), ec);
      if (!ec) out_.advance(count);
    }
    return out_.done();
  }

  Task<bool> write_rest(std::chrono::milliseconds stall) {
    bool sent = out_.done() || may_wait();
    while (sent && !out_.done()) {
      const Clock::time_point now = Clock::now();
      waiting_.moved(now);
      set_deadline(now + stall);
      const auto [ec, count] = co_await stream_.async_write_some(unsent(), kTuple);
      if (ec && expired_) core_.timeouts.fetch_add(1);
      sent = !ec;
      if (sent) out_.advance(count);
    }
    waiting_.release();
    co_return sent;
  }

  /// Whether there is room for what is left of the answer; those who read theirs too slowly make
  /// some. Without any the connection ends: whoever asked may ask again, a command with its key.
  bool may_wait() {
    if (waiting_.hold(out_.size(), Clock::now())) return true;
    worker_->make_room();
    if (waiting_.fits()) return true;
    core_.answers_cut.fetch_add(1);
    return false;
  }

  // --- streams ------------------------------------------------------------------------------

  Task<bool> flush_stream() {
    const bool sent = write_now() || co_await write_rest(config_.stream_stall);
    out_.clear();
    co_return sent;
  }

  BodyStream::Next pull(BodyStream& stream) {
    chunk_.clear();
    try {
      return stream.next(chunk_, config_.stream_chunk_bytes);
    } catch (...) {
      core_.failures.fetch_add(1);
      return BodyStream::Next::kAbort;
    }
  }

  void subscribe(BodyStream& stream) {
    stream.subscribe([weak = this->weak_from_this()] {
      const std::shared_ptr<Session> self = weak.lock();
      if (!self || self->stream_ready_.exchange(true)) return;
      // Always posted: whoever notifies may hold a lock that next() takes.
      asio::post(self->executor_, [self] {
        if (self->phase_ == Phase::kStream) self->wake();
      });
    });
  }

  /// `out_` holds the header. False also where the stream could not be completed: the missing
  /// last chunk and the cut connection tell the client.
  Task<bool> send_stream(std::shared_ptr<BodyStream> stream) {
    if (yield_due_) co_await asio::post(executor_, kAwait);
    yield_due_ = false;
    stream_ready_ = false;
    subscribe(*stream);
    for (;;) {
      if (aborted_) co_return false;
      const BodyStream::Next next = pull(*stream);
      if (next == BodyStream::Next::kAbort) co_return false;
      append_chunk(out_.text(), chunk_);
      const bool ending = draining_ && stream->endless();
      if (next == BodyStream::Next::kEnd || ending) {
        if (ending) keep_alive_ = false;
        out_.text().append(kLastChunk);
        co_return co_await flush_stream();
      }
      if (!out_.done() && !co_await flush_stream()) co_return false;
      if (next == BodyStream::Next::kNothingYet && !co_await wait_stream(*stream)) {
        co_return false;
      }
    }
  }

  /// Waits for the stream's wake(), at most a heartbeat, which is then put into `out_`.
  Task<bool> wait_stream(BodyStream& stream) {
    if (stream_ready_.exchange(false)) co_return true;
    const std::string_view heartbeat = stream.heartbeat();
    phase_ = Phase::kStream;
    set_deadline(Clock::now() +
                 (heartbeat.empty() ? config_.handler_deadline : config_.stream_heartbeat));
    co_await suspend();
    phase_ = Phase::kIo;
    const bool woken = stream_ready_.exchange(false) || !expired_;
    if (woken) co_return true;
    append_chunk(out_.text(), heartbeat);
    if (heartbeat.empty()) core_.timeouts.fetch_add(1);
    co_return !heartbeat.empty();
  }

  const std::shared_ptr<HttpWorker> worker_;  // first, so that its io_context goes last
  HttpCore& core_;
  const HttpServerConfig& config_;
  Executor executor_;
  Stream stream_;
  Timer timer_;
  boost::beast::flat_buffer buffer_;
  const std::string peer_;

  Clock::time_point deadline_;
  Clock::time_point armed_at_;
  bool armed_ = false;
  bool expired_ = false;
  Phase phase_ = Phase::kIo;
  std::optional<Waiter> waiter_;

  RequestHead head_;
  std::size_t head_size_ = 0;
  Refusal refusal_;
  bool head_only_ = false;
  std::string request_id_;
  std::uint64_t requests_ = 0;
  unsigned burst_ = 0;
  bool yield_due_ = false;

  std::uint64_t sequence_ = 0;
  std::atomic<std::uint64_t> pending_{0};  // the request that respond() may still answer, or 0
  std::optional<HttpResponse> response_;
  std::atomic<bool> stream_ready_{false};

  Outgoing out_;
  AnswerReservation waiting_;
  std::string chunk_;
  bool keep_alive_ = true;
  bool linger_ = false;
  bool draining_ = false;
  bool aborted_ = false;
  bool done_ = false;
};

}  // namespace

HttpWorker::HttpWorker(std::shared_ptr<HttpCore> shared_core)
    : core(std::move(shared_core)), context(std::make_unique<asio::io_context>(1)) {}

HttpWorker::~HttpWorker() = default;

void start_session(const std::shared_ptr<HttpWorker>& worker, int fd, bool ipv6, std::string peer) {
  const auto protocol = ipv6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
  Socket socket(worker->context->get_executor(), protocol, fd);
  socket.non_blocking(true);
  if (worker->core->tls == nullptr) {
    std::make_shared<Session<Socket>>(worker, std::move(socket), std::move(peer))->start();
    return;
  }
  TlsStream stream(std::move(socket), *worker->core->tls);
  std::make_shared<Session<TlsStream>>(worker, std::move(stream), std::move(peer))->start();
}

}  // namespace daybook::api

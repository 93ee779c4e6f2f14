#include "app/node.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/resource.h>

#include "api/command_service.h"
#include "api/fingerprint.h"
#include "api/http_server.h"
#include "api/metrics.h"
#include "api/service.h"
#include "app/resolve_host.h"
#include "app/settings.h"
#include "app/version.h"
#include "domain/base/check.h"
#include "domain/base/time.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "eventstore/files.h"
#include "eventstore/ledger.h"
#include "eventstore/log_index.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_kv.h"
#include "eventstore/rocks_log.h"
#include "eventstore/system_ports.h"
#include "projections/all_projections.h"
#include "projections/due.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/backup.h"
#include "replay/ledger_files.h"
#include "replay/witness.h"

namespace daybook::app {
namespace {

using eventstore::RocksKv;
using eventstore::RocksLog;

/// Reads the ledger's tenants' keys as of the last event that the states have. Steps from tenant to
/// tenant: their accounts are many.
Status load_keys(const eventstore::KvStore& store, api::KeyRing& keys) {
  const auto rows = store.snapshot();
  std::string from = "L";
  for (;;) {
    const auto cursor = rows->scan(projections::kStatesTable, from, "M");
    if (!cursor->valid()) return cursor->status();
    // "L" tenant NUL kind id NUL
    const std::string_view key = cursor->key();
    const std::size_t end = key.find('\0');
    if (end == std::string_view::npos) return corrupt("states: a key without a tenant");
    const TenantId tenant(std::string(key.substr(1, end - 1)));
    auto row = rows->get(projections::kStatesTable,
                         eventstore::latest_state_key(domain::StreamId::of_tenant(tenant)));
    if (!row.ok()) return row.status();
    if (*row) {
      auto state = eventstore::decode_state<domain::TenantState>(**row);
      if (!state.ok()) return state.status();
      keys.load(tenant, *state);
    }
    from.assign(key.substr(0, end)).push_back('\1');
  }
}

Result<ListenAddress> listen_of(const Config& config) {
  auto listen = parse_listen(config.listen);
  if (!listen) return invalid("listen address " + config.listen + ": expected HOST:PORT");
  return std::move(*listen);
}

Result<api::HttpServerConfig> edge_of(const Config& config) {
  const auto listen = listen_of(config);
  if (!listen.ok()) return listen.status();
  auto address = resolve_host(listen->host);
  if (!address.ok()) {
    return invalid("listen address " + config.listen + ": " + address.status().message());
  }
  api::HttpServerConfig edge;
  edge.address = std::move(*address);
  edge.port = listen->port;
  edge.tls_certificate_file = config.tls_certificate_file;
  edge.tls_key_file = config.tls_key_file;
  edge.max_connections = config.connections_max;
  return edge;
}

/// Before a ledger is begun: a witness that has seen one tells that the place is wrong.
Status check_unseen(const Config& config) {
  if (config.witness_file.empty()) return {};
  const auto seen = replay::seen_by_witness(config.witness_file);
  if (seen.status().code() == StatusCode::kNotFound) return {};
  if (!seen.ok()) return seen.status();
  if (seen->head.entry_count == 0) return {};
  return corrupt("witness " + config.witness_file + " has seen " +
                 std::to_string(seen->head.next_position) + " events, and there is no ledger in " +
                 config.data_dir);
}

}  // namespace

struct Node::Parts {
  Parts(const Config& settings, OperatorLog* log_of_operator)
      : config(settings), operator_log(log_of_operator) {}

  Status open_stores();
  Status read_secrets(std::string& cursor_secret);
  void start_filling_key_filter();
  Status ask_witness();
  Status close_again(Instant closed);
  Status start_core();
  Status create_first_tenant();
  void watch();
  void watch_stores();
  void tell_witness();
  void watch_disk();
  void settle_due(Instant now);
  void failed(std::string_view what, const Status& reason);
  void repaired(const std::string& found) const;
  void tell(std::string_view what, const Status& cause) const;

  Config config;
  OperatorLog* operator_log;
  eventstore::SystemClock clock;
  eventstore::SystemRandom random;

  // In the order in which a fact flows; destroyed the other way round.
  std::unique_ptr<RocksLog> log;
  std::unique_ptr<replay::Witness> witness;  ///< None where none is configured.
  std::unique_ptr<RocksKv> derived;
  std::unique_ptr<RocksKv> private_rows;
  std::unique_ptr<eventstore::PrivateStore> private_store;
  std::unique_ptr<projections::PrivateFollower> private_follower;
  std::unique_ptr<eventstore::LogIndex> index;
  std::unique_ptr<projections::Projector> projector;
  std::unique_ptr<api::KeyRing> keys;
  std::string key_pepper;
  std::string fingerprint_secret;
  api::Signal applied;
  std::unique_ptr<eventstore::Ledger> ledger;

  std::jthread filter_filler;  ///< Ends before what it reads.

  std::unique_ptr<api::CursorCodec> cursors;
  std::unique_ptr<api::ReadSources> sources;
  std::unique_ptr<api::WorkerPool> workers;
  std::unique_ptr<api::WorkerPool> batches;
  std::unique_ptr<api::CommandService> commands;
  api::Metrics metrics;
  std::unique_ptr<api::Service> service;
  std::unique_ptr<api::HttpServer> server;

  std::string new_admin_key;
  mutable std::mutex mutex;
  std::condition_variable wakes;
  std::function<void()> failure_callback;  ///< Guarded by mutex.
  Status failure;                          ///< Guarded by mutex.
  bool stopping = false;                   ///< Guarded by mutex.
  bool stopped = false;                    ///< The owner's thread.
  std::thread watcher;
};

Status Node::Parts::open_stores() {
  Status placed;
  if (!eventstore::path_exists(config.data_dir)) {
    placed = replay::check_outside_backups(config.data_dir);
  }
  if (placed.ok()) placed = eventstore::make_directories(config.data_dir);
  if (placed.ok() && !config.witness_file.empty() &&
      eventstore::lies_in(config.witness_file, config.data_dir)) {
    return invalid("the witness file " + config.witness_file +
                   " lies in the data directory, with which it would be put back");
  }
  if (placed.ok()) placed = replay::check_no_backup(config.data_dir);
  const replay::LedgerFiles files(config.data_dir);
  const bool is_new =
      !eventstore::path_exists(files.log) && !eventstore::path_exists(files.watermark);
  if (placed.ok() && is_new) placed = replay::check_new_place(config.data_dir);
  if (!placed.ok()) return placed;
  if (is_new) {
    if (Status unseen = check_unseen(config); !unseen.ok()) return unseen;
  }
  RocksLog::Options log_options;
  log_options.create_if_missing = true;
  // An identity is given once, to a ledger that has none.
  if (!eventstore::path_exists(files.watermark)) {
    log_options.ledger_id = eventstore::to_hex(random.bytes(16));
  }
  auto opened_log = RocksLog::open(config.data_dir, log_options);
  if (!opened_log.ok()) return opened_log.status();
  log = std::move(*opened_log);
  for (const std::string& found : log->findings()) repaired(found);
  if (Status held = ask_witness(); !held.ok()) return held;
  auto opened_rows = replay::open_projections(config.data_dir, RocksKv::Options{});
  if (!opened_rows.ok()) return opened_rows.status();
  derived = std::move(*opened_rows);
  auto opened_private = replay::open_private(config.data_dir, RocksKv::Mode::kReadWrite);
  if (!opened_private.ok()) return opened_private.status();
  private_rows = std::move(*opened_private);
  private_store = std::make_unique<eventstore::PrivateStore>(*private_rows, random);
  return {};
}

/// What it has seen must be there; from now on it sees what is. One that is gone may have seen
/// more: only for a log that has nothing yet, or when told to, another takes its place.
Status Node::Parts::ask_witness() {
  if (config.witness_file.empty()) return {};
  const replay::Seen seen = replay::see(*log);
  auto opened = replay::Witness::open(config.witness_file);
  if (opened.status().code() == StatusCode::kNotFound) {
    if (seen.head.entry_count > 0 && !config.witness_new) {
      return corrupt("witness " + config.witness_file + " is not there, and the ledger has " +
                     std::to_string(seen.head.next_position) +
                     " events; nobody can tell whether it had more. Put the file back; if there "
                     "never was one, or a restore is meant, start once with --witness-new");
    }
    opened = replay::Witness::make(config.witness_file, seen);
  }
  if (!opened.ok()) return opened.status();
  // Only a witness that agrees is told more: what it knows is the proof.
  if (Status held = (*opened)->check(*log); !held.ok()) return held;
  for (const std::string& found : (*opened)->findings()) repaired(found);
  if (Status closed = close_again((*opened)->closed()); !closed.ok()) return closed;
  if (Status told = (*opened)->remember(replay::see(*log)); !told.ok()) return told;
  witness = std::move(*opened);  // Only one that can be told is told again at the end.
  return {};
}

/// A watermark that was damaged or put back may have forgotten up to when the log was closed, and
/// what was read as of such a time is final.
Status Node::Parts::close_again(Instant closed) {
  const Instant known = log->closed();
  if (closed <= known) return {};
  if (Status status = log->close(closed); !status.ok()) return status;
  repaired("watermark: the log was closed up to " + to_rfc3339(closed) +
           ", as the witness knows, and the watermark said " + to_rfc3339(known) +
           "; it is closed again");
  return {};
}

/// Before the first event is recorded all secrets are there; with events, one that is missing was
/// lost, and another in its place would silently void keys and idempotency keys.
Status Node::Parts::read_secrets(std::string& cursor_secret) {
  using eventstore::PrivateStore;
  const auto if_missing = log->head().next_position == 0 ? PrivateStore::IfMissing::kMake
                                                         : PrivateStore::IfMissing::kCorrupt;
  for (const auto& [name, secret] :
       {std::pair(PrivateStore::kApiKeysSecret, &key_pepper),
        std::pair(PrivateStore::kFingerprintsSecret, &fingerprint_secret),
        std::pair(PrivateStore::kCursorsSecret, &cursor_secret)}) {
    auto value = private_store->secret(name, if_missing);
    if (!value.ok())
      return Status(value.status().code(), config.data_dir + ": " + value.status().message());
    *secret = std::move(*value);
  }
  return {};
}

void Node::Parts::start_filling_key_filter() {
  filter_filler = std::jthread([this](const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "key-filter");
    // For the calling thread only, on Linux; without the right to it nothing changes.
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, 10));
    // Without it every look-up reads the table, which tells what is wrong with it.
    Status filled = index->fill_key_filter(stop);
    if (filled.ok() && index->key_filter().is_full()) {
      filled = unavailable("more keys than it has memory for; each look-up reads the table");
    }
    if (!filled.ok()) tell("key filter", filled);
  });
}

Status Node::Parts::start_core() {
  std::string cursor_secret;
  Status status = read_secrets(cursor_secret);
  if (!status.ok()) return status;
  private_follower = std::make_unique<projections::PrivateFollower>(*log, *private_store, clock);
  status = private_follower->open();
  if (!status.ok()) return status;
  index = std::make_unique<eventstore::LogIndex>(
      *derived, *log,
      eventstore::LogIndex::Tables{projections::kKeysTable, projections::kStreamsTable,
                                   projections::kStatesTable});
  projector = std::make_unique<projections::Projector>(
      *log, *derived, clock, projections::all_projections(*derived, &index->key_filter()));
  projector->on_applied([this](std::uint64_t position) {
    index->publish(position);
    if (ledger != nullptr) ledger->indexed(position);
    applied.notify();
  });
  projector->on_failed([this] {
    if (ledger != nullptr) ledger->index_stopped();
  });
  status = projector->run_once();
  if (!status.ok()) return status;
  index->publish(projector->applied());
  keys = std::make_unique<api::KeyRing>(key_pepper);
  status = load_keys(*derived, *keys);
  if (!status.ok()) return status;

  eventstore::LedgerLimits limits;
  limits.queue_commands_max = config.queue_commands_max;
  limits.index_lag_events_max = config.index_lag_events_max;
  limits.queue_bytes_max = config.queue_bytes_max;
  limits.window_bytes_max = config.window_bytes_max;
  limits.sequencer.resident_streams_max = config.resident_streams_max;
  limits.sequencer.resident_bytes_max = config.resident_bytes_max;
  limits.sequencer.refusals.burst = config.refusals_burst;
  limits.sequencer.refusals.per_second = config.refusals_per_second;
  ledger = std::make_unique<eventstore::Ledger>(*log, *index, clock, limits);
  ledger->on_commit([this](const eventstore::Entry& entry) {
    // A revocation counts before it is answered.
    bool concerns_private = false;
    eventstore::for_each_event(entry, [&](std::uint64_t, std::string_view bytes) {
      const auto head = eventstore::decode_event_head(bytes);
      if (head.ok() && projections::PrivateFollower::concerns(head->type)) concerns_private = true;
      if (head.ok() && head->stream.kind == domain::StreamKind::kTenant) {
        const auto event = eventstore::decode_event(bytes);
        if (event.ok()) keys->apply(*event);
      }
      return true;
    });
    private_follower->committed(entry, concerns_private);
    projector->notify();
  });
  ledger->on_index_wanted([this] { projector->hurry(); });
  ledger->on_failure([this] { failed("log of record", log->failure()); });
  ledger->on_look_up_failure([this](const Status& cause) { tell("look-up", cause); });
  projector->start();
  private_follower->start();
  start_filling_key_filter();

  cursors = std::make_unique<api::CursorCodec>(std::move(cursor_secret));
  sources = std::make_unique<api::ReadSources>(
      api::ReadSources{*derived, *log, *private_store, *cursors, clock, operator_log});
  workers = std::make_unique<api::WorkerPool>(config.reader_threads, config.reader_queue_max);
  batches = std::make_unique<api::WorkerPool>(1, config.batch_queue_max, "batches");
  commands = std::make_unique<api::CommandService>(api::CommandService::Services{
      *ledger, *index, *projector, *private_store, *private_follower, random, *workers,
      fingerprint_secret, key_pepper, log->head().generation,
      std::chrono::milliseconds(config.duplicate_wait_ms)});
  return create_first_tenant();
}

Status Node::Parts::create_first_tenant() {
  const TenantId tenant(kFirstTenant);
  auto state = index->tenant_state(tenant);
  if (!state.ok()) return state.status();
  if (state->version > 0) return {};
  domain::Roles roles;
  roles.add(domain::Role::kAdmin);
  api::MintedKey minted = api::mint_key(random, key_pepper, "first admin key", roles, {});
  // The key before the tenant: a crash in between leaves a key that opens nothing, and the next
  // start makes another; the other way round nobody could enter.
  constexpr unsigned kOwnerOnly = 0600;
  Status status = replay::write_file_durably(replay::LedgerFiles(config.data_dir).admin_key,
                                             minted.secret + "\n", kOwnerOnly);
  if (!status.ok()) return status;
  eventstore::Command command;
  command.tenant = tenant;
  command.body = domain::TenantCommand(domain::CreateTenant{std::nullopt, minted.key});
  command.actor = "system";
  std::promise<eventstore::AnswerKind> done;
  ledger->submit(std::move(command),
                 [&done](const eventstore::Answer& answer) { done.set_value(answer.kind); });
  if (done.get_future().get() != eventstore::AnswerKind::kRecorded) {
    return io_error(config.data_dir + ": the first tenant could not be recorded");
  }
  new_admin_key = std::move(minted.secret);
  return {};
}

/// The timer: sends `settle` where something is due and nothing else happens, and watches the
/// stores and the disk under them.
void Node::Parts::watch() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    settle_due(clock.now());
    watch_stores();
    tell_witness();
    watch_disk();
    lock.lock();
    wakes.wait_for(lock, std::chrono::milliseconds(config.settle_interval_ms),
                   [this] { return stopping; });
  }
}

/// The log tells of its failures itself, but not between two appends; the other stores go on
/// refusing. A node with a store that takes nothing more, or with something behind it that has
/// stopped, can only be started again.
void Node::Parts::watch_stores() {
  log->watch_place({"private/CURRENT"});
  for (const auto& [what, status] : {std::pair("log of record", log->failure()),
                                     std::pair("store of the read models", derived->failure()),
                                     std::pair("private store", private_rows->failure()),
                                     std::pair("read models", projector->status().error),
                                     std::pair("erasures", private_follower->status())}) {
    if (!status.ok()) return failed(what, status);
  }
}

/// A witness that cannot be told any more says nothing of what follows: that is not what was asked
/// for.
void Node::Parts::tell_witness() {
  if (witness == nullptr) return;
  if (Status told = witness->remember(replay::see(*log)); !told.ok()) failed("witness", told);
}

void Node::Parts::watch_disk() {
  const auto free = eventstore::free_bytes(config.data_dir);
  if (!free.ok()) tell("free space", free.status());
  const std::lock_guard lock(mutex);
  if (free.ok() && service != nullptr) {
    service->set_storage_full(*free < config.disk_reserve_bytes);
  }
}

void Node::Parts::settle_due(Instant now) {
  constexpr std::size_t kAtOnce = 256;
  const auto rows = derived->snapshot();
  const auto due = projections::due_by(*rows, projections::kDueTable, now, kAtOnce);
  if (!due.ok()) return tell("what is due", due.status());
  for (const auto& hold : *due) {
    eventstore::Command command;
    command.tenant = hold.stream.tenant;
    command.account = AccountId(hold.stream.id);
    command.body = domain::AccountCommand(domain::SettleAccount{});
    command.actor = "system";
    ledger->submit(std::move(command), [](const eventstore::Answer&) {});
  }
}

void Node::Parts::failed(std::string_view what, const Status& reason) {
  std::function<void()> callback;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex);
    is_first = failure.ok();
    // Whatever it was, the node has failed; what its cause is called is for those who look for it.
    if (is_first) failure = io_error(std::string(what) + ": " + reason.message());
    callback = failure_callback;
  }
  if (is_first) tell(what, reason);
  if (callback) callback();
}

void Node::Parts::repaired(const std::string& found) const {
  if (operator_log != nullptr) operator_log->repaired(found);
}

void Node::Parts::tell(std::string_view what, const Status& cause) const {
  if (operator_log != nullptr) operator_log->failed(what, cause, "");
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() { stop(); }

Result<std::unique_ptr<Node>> Node::open(const Config& config, OperatorLog* operator_log) {
  auto parts = std::make_unique<Parts>(config, operator_log);
  Status status = parts->open_stores();
  // From here on the node's destructor ends what was started.
  std::unique_ptr<Node> node(new Node(std::move(parts)));
  if (status.ok()) status = node->parts_->start_core();
  if (!status.ok()) return status;
  Parts& started = *node->parts_;
  started.watcher = std::thread([&started] { started.watch(); });
  return node;
}

Status Node::check_new(const Config& config) {
  if (eventstore::path_exists(replay::LedgerFiles(config.data_dir).log)) return {};
  const auto edge = edge_of(config);
  return edge.ok() ? api::check_edge(*edge) : edge.status();
}

Result<std::string> Node::serve() {
  const auto listen = listen_of(parts_->config);
  if (!listen.ok()) return listen.status();
  const auto edge = edge_of(parts_->config);
  if (!edge.ok()) return edge.status();
  api::ServiceLimits limits;
  limits.read_wait_micros = parts_->config.read_wait_ms * 1'000;
  limits.ready_lag_events_max = parts_->config.index_lag_events_max;
  limits.sse_max_micros = parts_->config.event_stream_max_ms * 1'000;
  auto service = std::make_unique<api::Service>(
      api::ServiceParts{*parts_->ledger, *parts_->projector, *parts_->keys, *parts_->commands,
                        *parts_->sources, *parts_->workers, *parts_->batches, parts_->applied,
                        parts_->metrics, TenantId(kFirstTenant), generation(), version_json(),
                        parts_->operator_log},
      limits);
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->service = std::move(service);
  }
  parts_->watch_disk();  // before the first command, not at the next look
  parts_->server = std::make_unique<api::HttpServer>(*edge, *parts_->service);
  parts_->service->watch_edge([server = parts_->server.get()] { return server->stats(); });
  auto port = parts_->server->start();
  if (!port.ok()) return port.status();
  const std::string scheme = edge->tls_certificate_file.empty() ? "http://" : "https://";
  return scheme + listen->host_in_url() + ":" + std::to_string(*port);
}

void Node::stop() {
  Parts& parts = *parts_;
  if (std::exchange(parts.stopped, true)) return;
  if (parts.server != nullptr) parts.server->stop(std::chrono::milliseconds(parts.config.drain_ms));
  {
    const std::lock_guard lock(parts.mutex);
    parts.stopping = true;
  }
  parts.wakes.notify_all();
  const bool was_watched = parts.watcher.joinable();
  if (was_watched) parts.watcher.join();
  if (parts.ledger != nullptr) parts.ledger->stop();
  if (was_watched) parts.watch_stores();  // what has happened since the last look
  parts.tell_witness();
  if (parts.batches != nullptr) parts.batches->stop();
  if (parts.workers != nullptr) parts.workers->stop();
  // What it could not do is done at the next opening.
  if (parts.private_follower != nullptr) {
    const Status ended = parts.private_follower->stop();
    if (!ended.ok()) parts.failed("private store", ended);
  }
  parts.filter_filler.request_stop();
  if (parts.filter_filler.joinable()) parts.filter_filler.join();
  // What is not flushed is read again. Where a store has failed, nothing is written any more.
  // Its thread ends in any case, and readers are let go, before what they use is gone.
  if (parts.projector == nullptr) return;
  if (!failure().ok()) return parts.projector->abandon();
  const Status ended = parts.projector->stop();
  if (!ended.ok()) parts.failed("read models", ended);
}

const std::string& Node::new_admin_key() const { return parts_->new_admin_key; }

void Node::on_failure(std::function<void()> callback) {
  std::unique_lock lock(parts_->mutex);
  parts_->failure_callback = callback;
  const bool already = !parts_->failure.ok();
  lock.unlock();
  if (already) callback();
}

Status Node::failure() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->failure;
}

Status Node::stop_after(Status work) {
  stop();
  const Status why = failure();
  if (why.ok()) return work;
  return work.ok() ? why : Status(why.code(), work.message() + ": " + why.message());
}

void Node::submit(eventstore::Command command, eventstore::Completion complete) {
  parts_->ledger->submit(std::move(command), std::move(complete));
}

std::uint64_t Node::fingerprint(const api::RequestIdentity& request) const {
  return api::request_fingerprint(parts_->fingerprint_secret, request);
}

Status Node::catch_up() {
  constexpr std::int64_t kPatienceMicros = 600'000'000;
  std::promise<bool> done;
  const bool waits =
      parts_->projector->when_applied(parts_->ledger->committed(), kPatienceMicros,
                                      [&done](bool reached) { done.set_value(reached); });
  if (!waits || !done.get_future().get()) return unavailable("the read models did not catch up");
  return {};
}

std::uint64_t Node::committed() const { return parts_->ledger->committed(); }

std::uint32_t Node::generation() const { return parts_->log->head().generation; }

}  // namespace daybook::app

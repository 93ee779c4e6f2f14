#include "app/node.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "api/command_service.h"
#include "api/fingerprint.h"
#include "api/http_server.h"
#include "api/metrics.h"
#include "api/service.h"
#include "app/version.h"
#include "domain/base/check.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "eventstore/files.h"
#include "eventstore/ledger.h"
#include "eventstore/log_index.h"
#include "eventstore/private_store.h"
#include "eventstore/rocks_kv.h"
#include "eventstore/rocks_log.h"
#include "eventstore/system_ports.h"
#include "projections/due.h"
#include "projections/private_follower.h"
#include "projections/projector.h"
#include "projections/tables.h"
#include "replay/ledger_files.h"

namespace daybook::app {
namespace {

using eventstore::RocksKv;
using eventstore::RocksLog;

/// Reads the ledger's tenants' keys as of the last event that the states have.
Status load_keys(const eventstore::KvStore& store, api::KeyRing& keys) {
  const auto rows = store.snapshot();
  const auto cursor = rows->scan(projections::kStatesTable, "L", "M");
  for (; cursor->valid(); cursor->next()) {
    // "L" tenant NUL kind id NUL
    const std::string_view key = cursor->key();
    const std::size_t end = key.find('\0');
    const bool is_tenant = end != std::string_view::npos && end + 1 < key.size() &&
                           key[end + 1] == static_cast<char>(domain::StreamKind::kTenant);
    if (!is_tenant) continue;
    auto state = eventstore::decode_tenant_state(cursor->value());
    if (!state.ok()) return state.status();
    keys.load(TenantId(std::string(key.substr(1, end - 1))), *state);
  }
  return cursor->status();
}

/// Splits HOST:PORT; an IPv6 address stands in brackets.
Result<std::pair<std::string, std::uint16_t>> parse_listen(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const Status wrong = invalid("listen address " + text + ": expected HOST:PORT");
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return wrong;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string digits = text.substr(colon + 1);
  if (digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos)
    return wrong;
  const unsigned long port = std::stoul(digits);
  if (port > UINT16_MAX) return wrong;
  return std::pair(host, static_cast<std::uint16_t>(port));
}

}  // namespace

struct Node::Parts {
  explicit Parts(const Config& settings) : config(settings) {}

  Status open_stores();
  Status read_secrets(std::string& cursor_secret);
  Status start_core();
  Status create_first_tenant();
  void watch();
  void settle_due(Instant now);
  void failed();

  Config config;
  eventstore::SystemClock clock;
  eventstore::SystemRandom random;

  // In the order in which a fact flows; destroyed the other way round.
  std::unique_ptr<RocksLog> log;
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

  std::unique_ptr<api::CursorCodec> cursors;
  std::unique_ptr<api::ReadSources> sources;
  std::unique_ptr<api::WorkerPool> workers;
  std::unique_ptr<api::CommandService> commands;
  api::Metrics metrics;
  std::unique_ptr<api::Service> service;
  std::unique_ptr<api::HttpServer> server;

  std::string new_admin_key;
  std::function<void()> failure_callback;

  std::mutex mutex;
  std::condition_variable wakes;
  bool stopping = false;  ///< Guarded by mutex.
  bool stopped = false;   ///< The owner's thread.
  std::thread watcher;
};

Status Node::Parts::open_stores() {
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (error) return io_error(config.data_dir + ": " + error.message());
  RocksLog::Options log_options;
  log_options.create_if_missing = true;
  // An identity is given once, to a ledger that has none.
  if (!eventstore::path_exists(replay::LedgerFiles(config.data_dir).watermark)) {
    log_options.ledger_id = eventstore::to_hex(random.bytes(16));
  }
  auto opened_log = RocksLog::open(config.data_dir, log_options);
  if (!opened_log.ok()) return opened_log.status();
  log = std::move(*opened_log);
  auto opened_rows = replay::open_projections(config.data_dir, RocksKv::Options{});
  if (!opened_rows.ok()) return opened_rows.status();
  derived = std::move(*opened_rows);
  auto opened_private = replay::open_private(config.data_dir, RocksKv::Mode::kReadWrite);
  if (!opened_private.ok()) return opened_private.status();
  private_rows = std::move(*opened_private);
  private_store = std::make_unique<eventstore::PrivateStore>(*private_rows, random);
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
  projector = std::make_unique<projections::Projector>(*log, *derived, clock,
                                                       replay::all_projections(*derived));
  projector->on_applied([this](std::uint64_t position) {
    index->publish(position);
    if (ledger != nullptr) ledger->indexed(position);
    applied.notify();
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
  limits.sequencer.resident_streams_max = config.resident_streams_max;
  limits.sequencer.refusals_burst = config.refusals_burst;
  limits.sequencer.refusals_per_second = config.refusals_per_second;
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
  ledger->on_failure([this] { failed(); });
  projector->start();
  private_follower->start();

  cursors = std::make_unique<api::CursorCodec>(std::move(cursor_secret));
  sources = std::make_unique<api::ReadSources>(
      api::ReadSources{*derived, *log, *private_store, *cursors, clock});
  workers = std::make_unique<api::WorkerPool>(config.reader_threads, config.reader_queue_max);
  commands = std::make_unique<api::CommandService>(api::CommandService::Services{
      *ledger, *private_store, *private_follower, clock, random, *workers, fingerprint_secret,
      key_pepper, log->head().generation});
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

/// The timer: sends `settle` where something is due and nothing else happens, and watches the disk.
void Node::Parts::watch() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    settle_due(clock.now());
    const auto free = eventstore::free_bytes(config.data_dir);
    lock.lock();
    if (free.ok() && service != nullptr) {
      service->set_storage_full(*free < config.disk_reserve_bytes);
    }
    wakes.wait_for(lock, std::chrono::milliseconds(config.settle_interval_ms),
                   [this] { return stopping; });
  }
}

void Node::Parts::settle_due(Instant now) {
  constexpr std::size_t kAtOnce = 256;
  const auto rows = derived->snapshot();
  const auto due = projections::due_by(*rows, projections::kDueTable, now, kAtOnce);
  if (!due.ok()) return;  // The projector publishes what is wrong with its store.
  for (const auto& hold : *due) {
    eventstore::Command command;
    command.tenant = hold.stream.tenant;
    command.account = AccountId(hold.stream.id);
    command.body = domain::AccountCommand(domain::SettleAccount{});
    command.actor = "system";
    ledger->submit(std::move(command), [](const eventstore::Answer&) {});
  }
}

void Node::Parts::failed() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex);
    callback = failure_callback;
  }
  if (callback) callback();
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() { stop(); }

Result<std::unique_ptr<Node>> Node::open(const Config& config) {
  auto parts = std::make_unique<Parts>(config);
  Status status = parts->open_stores();
  // From here on the node's destructor ends what was started.
  std::unique_ptr<Node> node(new Node(std::move(parts)));
  if (status.ok()) status = node->parts_->start_core();
  if (!status.ok()) return status;
  Parts& started = *node->parts_;
  started.watcher = std::thread([&started] { started.watch(); });
  return node;
}

Result<std::string> Node::serve() {
  auto listen = parse_listen(parts_->config.listen);
  if (!listen.ok()) return listen.status();
  api::ServiceLimits limits;
  limits.read_wait_micros = parts_->config.read_wait_ms * 1'000;
  limits.ready_lag_events_max = parts_->config.index_lag_events_max;
  auto service = std::make_unique<api::Service>(
      api::ServiceParts{*parts_->ledger, *parts_->projector, *parts_->keys, *parts_->commands,
                        *parts_->sources, *parts_->workers, parts_->applied, parts_->metrics,
                        TenantId(kFirstTenant), generation(), version_json()},
      limits);
  api::HttpServerConfig server_config;
  server_config.address = listen->first;
  server_config.port = listen->second;
  server_config.tls_certificate_file = parts_->config.tls_certificate_file;
  server_config.tls_key_file = parts_->config.tls_key_file;
  server_config.max_connections = parts_->config.connections_max;
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->service = std::move(service);
  }
  parts_->server = std::make_unique<api::HttpServer>(server_config, *parts_->service);
  auto port = parts_->server->start();
  if (!port.ok()) return port.status();
  const std::string scheme = server_config.tls_certificate_file.empty() ? "http://" : "https://";
  const bool is_v6 = listen->first.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + listen->first + "]" : listen->first;
  return scheme + host + ":" + std::to_string(*port);
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
  if (parts.watcher.joinable()) parts.watcher.join();
  if (parts.ledger != nullptr) parts.ledger->stop();
  if (parts.workers != nullptr) parts.workers->stop();
  // What it could not do is done at the next opening.
  if (parts.private_follower != nullptr) static_cast<void>(parts.private_follower->stop().ok());
  // Its error was published while it mattered; what is not flushed is read again.
  if (parts.projector != nullptr) static_cast<void>(parts.projector->stop().ok());
}

const std::string& Node::new_admin_key() const { return parts_->new_admin_key; }

void Node::on_failure(std::function<void()> callback) {
  const std::lock_guard lock(parts_->mutex);
  parts_->failure_callback = std::move(callback);
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
  const Instant deadline{parts_->clock.now().micros + kPatienceMicros};
  const bool waits = parts_->projector->when_applied(
      parts_->ledger->committed(), deadline, [&done](bool reached) { done.set_value(reached); });
  if (!waits || !done.get_future().get()) return unavailable("the read models did not catch up");
  return {};
}

std::uint64_t Node::committed() const { return parts_->ledger->committed(); }

std::uint32_t Node::generation() const { return parts_->log->head().generation; }

}  // namespace daybook::app

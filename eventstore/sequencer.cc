#include "eventstore/sequencer.h"

#include <algorithm>
#include <utility>

#include "domain/base/check.h"
#include "domain/posting_rules.h"
#include "eventstore/event_codec.h"
#include "eventstore/memory_use.h"

namespace daybook::eventstore {
namespace {

/// Of the length before each event of a body.
constexpr std::size_t kFrameBytesMax = 3;
static_assert(kEventBytesMax < (std::size_t{1} << (7 * kFrameBytesMax)));

bool is_refusal(const domain::Event& event) {
  return std::holds_alternative<domain::ChargeRefused>(event) ||
         std::holds_alternative<domain::CommandRefused>(event);
}

}  // namespace

Sequencer::Sequencer(const LogHead& head, std::uint32_t partition, SequencerLimits limits)
    : partition_(partition),
      limits_(limits),
      generation_(head.generation),
      entry_count_(head.entry_count),
      chain_(head.chain),
      last_recorded_at_(head.last_recorded_at),
      committed_(head.next_position),
      tail_(head.next_position),
      floor_(head.next_position),
      refusals_(limits.refusals) {}

bool Sequencer::offer(PreparedCommand& prepared, Instant now) {
  CHECK(wants_more());
  if (failed_) {
    prepared.complete(Answer{});
    return true;
  }
  // The index is never behind the floor: both kinds of lack are made good by looking again.
  prepared.look_again_at = floor_;
  now = std::max(now, last_recorded_at_);
  const bool is_account_command = prepared.command.is_account_command();
  const bool is_done = prepared.lookups.as_of >= floor_ &&
                       (is_account_command ? offer_account_command(prepared, now)
                                           : offer_tenant_command(prepared, now));
  // A tenant that is here stays; an account may be let go before the command comes back.
  if (!is_done) prepared.look_again_for = {.tenant = !has_tenant(prepared), .account = true};
  return is_done;
}

bool Sequencer::offer_account_command(PreparedCommand& prepared, Instant now) {
  ResidentTenant* tenant = resident_tenant(prepared);
  ResidentAccount* account = resident_account(prepared);
  if (tenant == nullptr || account == nullptr) return false;
  const Dedup dedup = answer_duplicate(prepared, account->state.version);
  if (dedup != Dedup::kNew) return dedup == Dedup::kAnswered;
  const domain::Catalogue& catalogue = tenant->state.catalogue;
  settle(prepared.command, *account, catalogue, now);
  if (answer_early(prepared, account->state.version, now)) return true;

  const PlacedEventPtr claim = claim_of(prepared);
  const PlacedEventPtr referenced = referenced_by(prepared, *account);
  const PlacedEventPtr latest_reference = latest_reference_for(prepared);
  domain::AccountFacts facts{.now = now,
                             .account = &prepared.command.account,
                             .catalogue = &catalogue,
                             .keyed = !prepared.command.idempotency_key.empty()};
  if (referenced != nullptr) facts.referenced = &referenced->event;
  if (latest_reference != nullptr) facts.latest_reference = &latest_reference->event;
  if (claim != nullptr) facts.claim = std::get_if<domain::PaymentClaimed>(&claim->event.event);

  domain::Outcome outcome = domain::decide(std::get<domain::AccountCommand>(prepared.command.body),
                                           account->state, facts);
  auto* decision = std::get_if<domain::Decision>(&outcome);
  if (decision == nullptr || decision->events.empty()) {
    conclude(prepared, std::move(outcome), account->state.version);
    return true;
  }
  if (is_refusal(decision->events.back()) &&
      !refusals_.take(stream_key(prepared.command.stream()), now)) {
    answer(prepared, {.kind = AnswerKind::kRefusalsLimited, .version = account->state.version});
    return true;
  }
  PlacedEventPtr event = record(prepared, *account, std::move(*decision), now);
  if (event == nullptr) {
    reject_too_large(prepared, account->state.version);
    return true;
  }
  const auto* repeat = std::get_if<domain::NoChange>(&event->event.event);
  Answer done{.kind = AnswerKind::kRecorded, .event = event, .version = account->state.version};
  if (repeat != nullptr && repeat->of) {
    done.kind = AnswerKind::kReplayed;
    done.original = claimed_top_up(prepared);
    CHECK(done.original != nullptr);
  }
  answer(prepared, std::move(done));
  return true;
}

bool Sequencer::offer_tenant_command(PreparedCommand& prepared, Instant now) {
  ResidentTenant* tenant = resident_tenant(prepared);
  if (tenant == nullptr) return false;
  const Dedup dedup = answer_duplicate(prepared, tenant->state.version);
  if (dedup != Dedup::kNew) return dedup == Dedup::kAnswered;
  if (answer_early(prepared, tenant->state.version, now)) return true;
  domain::Outcome outcome =
      domain::decide(std::get<domain::TenantCommand>(prepared.command.body), tenant->state,
                     !prepared.command.idempotency_key.empty());
  auto* decision = std::get_if<domain::Decision>(&outcome);
  if (decision == nullptr || decision->events.empty()) {
    conclude(prepared, std::move(outcome), tenant->state.version);
    return true;
  }
  if (is_refusal(decision->events.back()) &&
      !refusals_.take(stream_key(prepared.command.stream()), now)) {
    answer(prepared, {.kind = AnswerKind::kRefusalsLimited, .version = tenant->state.version});
    return true;
  }
  PlacedEventPtr event = record(prepared, *tenant, std::move(*decision), now);
  if (event == nullptr) {
    reject_too_large(prepared, tenant->state.version);
    return true;
  }
  answer(
      prepared,
      {.kind = AnswerKind::kRecorded, .event = std::move(event), .version = tenant->state.version});
  return true;
}

/// What is answered before anything is decided: a stale If-Match, a time in the future.
bool Sequencer::answer_early(PreparedCommand& prepared, std::uint64_t version, Instant now) {
  const Command& command = prepared.command;
  if (command.if_match && *command.if_match != version) {
    answer(prepared, {.kind = AnswerKind::kVersionMismatch, .version = version});
    return true;
  }
  if (command.effective_at && *command.effective_at > now) {
    answer(prepared, {.kind = AnswerKind::kRejected,
                      .rejection = {domain::RejectionKind::kInvalid, "/effective_at",
                                    "must not lie in the future"},
                      .version = version});
    return true;
  }
  return false;
}

void Sequencer::conclude(PreparedCommand& prepared, domain::Outcome outcome,
                         std::uint64_t version) {
  Answer done{.kind = AnswerKind::kUnchanged, .version = version};
  if (auto* rejection = std::get_if<domain::Rejection>(&outcome)) {
    done.kind = AnswerKind::kRejected;
    done.rejection = std::move(*rejection);
  }
  answer(prepared, std::move(done));
}

void Sequencer::settle(const Command& command, ResidentAccount& account,
                       const domain::Catalogue& catalogue, Instant now) {
  // Each round ends up to kSettledPerDecision of at most kOpenHoldsMax holds.
  for (auto due = domain::settle(account.state, catalogue, now); !due.empty();
       due = domain::settle(account.state, catalogue, now)) {
    std::vector<Draft> drafts;
    drafts.reserve(due.size());
    for (auto& event : due) {
      domain::evolve(account.state, event, now);
      Draft& draft = drafts.emplace_back();
      draft.event() = {.stream = command.stream(),
                       .version = account.state.version,
                       .recorded_at = now,
                       .effective_at = now,
                       .actor = "system",
                       .rules_version = domain::kPostingRulesVersion,
                       .event = std::move(event)};
      draft.bytes = encode_event(draft.event());
    }
    make_room(drafts);
    for (Draft& draft : drafts) account.recent.add(append(draft)->position);
    account.end_position = tail_.next_position();
  }
}

template <class State>
PlacedEventPtr Sequencer::record(const PreparedCommand& prepared, Resident<State>& stream,
                                 domain::Decision decision, Instant now) {
  const Command& command = prepared.command;
  std::vector<Draft> drafts;
  drafts.reserve(decision.events.size() + 2);
  const auto draft = [&](domain::StreamId id, std::uint64_t version) -> Draft& {
    domain::RecordedEvent& event = drafts.emplace_back().event();
    event.stream = std::move(id);
    event.version = version;
    event.recorded_at = now;
    event.effective_at = now;
    event.actor = command.actor;
    event.rules_version = domain::kPostingRulesVersion;
    return drafts.back();
  };
  if (decision.claim) {
    // Directly before the top-up: claimed_top_up() counts on it.
    Draft& claim = draft(domain::StreamId::payment(command.tenant, decision.claim->provider,
                                                   decision.claim->provider_payment_id),
                         1);
    claim.event().event = std::move(*decision.claim);
    claim.keys.push_back(lookup_key(LookupKind::kPaymentClaim, claim.event().stream, ""));
  }
  const std::size_t first = drafts.size();
  for (auto& body : decision.events) {
    Draft& event = draft(command.stream(), stream.state.version + drafts.size() - first + 1);
    event.event().event = std::move(body);
    if (command.effective_at) event.event().effective_at = *command.effective_at;
  }
  const std::size_t last = drafts.size() - 1;
  if (!command.idempotency_key.empty()) {
    drafts[last].event().idempotency_key = command.idempotency_key;
    drafts[last].event().fingerprint = command.fingerprint;
    drafts[last].keys.push_back(prepared.lookups.key);
  }
  for (std::size_t i = first; i <= last; ++i) {
    if (const auto version = reference_of(drafts[i].event().event)) {
      drafts[i].keys.push_back(latest_reference_key(command.stream(), *version));
    }
  }
  if (decision.adopted) {
    Draft& adopted =
        draft(domain::StreamId::partition(command.tenant), decision.adopted->catalogue_version);
    adopted.event().actor = "system";
    adopted.event().event = *decision.adopted;
  }
  // All are encoded before anything changes, so that too large is still a no without a trace.
  for (auto& item : drafts) {
    item.bytes = encode_event(item.event());
    if (item.bytes.size() > kEventBytesMax) return nullptr;
  }
  make_room(drafts);
  PlacedEventPtr answering;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    if (first <= i && i <= last) {
      domain::evolve(stream.state, drafts[i].event());
      stream.grown += drafts[i].bytes.size();
      resident_bytes_ += drafts[i].bytes.size();
    }
    PlacedEventPtr placed = append(drafts[i]);
    if (first <= i && i <= last) stream.recent.add(placed->position);
    if (i == last) {
      answering = std::move(placed);
      stream.end_position = tail_.next_position();
    }
  }
  stream.recent.drop_before(tail_.base_position());
  // Measured again when it may have doubled: in all, a constant effort for each event.
  if (stream.grown > stream.counted) count(stream);
  return answering;
}

PlacedEventPtr Sequencer::append(Draft& draft) {
  const std::shared_ptr<PlacedEvent> placed = std::move(draft.placed);
  placed->position = tail_.next_position();

  if (open_.count == 0) {
    open_ = Entry{};
    open_.partition = partition_;
    open_.generation = generation_;
    open_.entry_no = entry_count_;
    open_.base_position = placed->position;
    open_.prev_chain = chain_;
    open_.first_recorded_at = placed->event.recorded_at;
  }
  const std::size_t offset = open_.body.size();
  CHECK(draft.bytes.size() <= kEventBytesMax);
  append_event_bytes(open_.body, draft.bytes);
  ++open_.count;
  open_.last_recorded_at = placed->event.recorded_at;
  last_recorded_at_ = placed->event.recorded_at;

  tail_.push(offset, draft.keys);
  return placed;
}

void Sequencer::reject_too_large(PreparedCommand& prepared, std::uint64_t version) {
  answer(prepared, {.kind = AnswerKind::kRejected,
                    .rejection = {domain::RejectionKind::kInvalid, "",
                                  "its event would be larger than " +
                                      std::to_string(kEventBytesMax) + " bytes"},
                    .version = version});
}

void Sequencer::answer(PreparedCommand& prepared, Answer answer) {
  answer.position = tail_.next_position();
  if (answer.position <= committed_) {
    prepared.complete(std::move(answer));
  } else {
    const std::size_t bytes = answer.kind == AnswerKind::kRecorded ? 0 : memory_of(answer);
    waiting_bytes_ += bytes;
    waiting_.push_back({answer.position, bytes, std::move(prepared.complete), std::move(answer)});
  }
}

void Sequencer::make_room(const std::vector<Draft>& drafts) {
  std::size_t bytes = 0;
  for (const Draft& draft : drafts) bytes += kFrameBytesMax + draft.bytes.size();
  const auto fits = [&] {
    return open_.body.size() + bytes <= kEntryBodyBytesMax &&
           open_.count + drafts.size() <= kEntryEventsMax;
  };
  if (open_.count > 0 && !fits()) ready_.push_back(seal());
  CHECK(fits());
}

std::shared_ptr<const Entry> Sequencer::take_entry() {
  if (ready_.empty()) return seal();
  auto entry = std::move(ready_.front());
  ready_.pop_front();
  return entry;
}

std::shared_ptr<const Entry> Sequencer::seal() {
  CHECK(open_.count > 0);
  auto entry = std::make_shared<const Entry>(std::move(open_));
  open_ = Entry{};
  chain_ = chain_of(*entry);
  ++entry_count_;
  tail_.seal(entry);
  return entry;
}

void Sequencer::note_committed(std::uint64_t position) {
  CHECK(position >= committed_);
  committed_ = position;
}

void Sequencer::give_answers() {
  while (!waiting_.empty() && waiting_.front().position <= committed_) {
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= waiting.bytes;
    waiting.complete(std::move(waiting.answer));
  }
}

void Sequencer::on_failed() {
  failed_ = true;
  ready_.clear();
  for (auto& waiting : waiting_) waiting.complete(Answer{});
  waiting_.clear();
  waiting_bytes_ = 0;
}

void Sequencer::on_indexed(std::uint64_t position) {
  indexed_ = std::min(position, committed_);
  if (indexed_ > limits_.window_slack_events) {
    tail_.drop_before(indexed_ - limits_.window_slack_events);
  }
  tail_.shrink_to(limits_.window_slack_bytes, indexed_);
  floor_ = std::max(floor_, tail_.base_position());
  const auto is_beyond_bounds = [this] {
    return accounts_.size() > limits_.resident_streams_max ||
           resident_bytes_ > limits_.resident_bytes_max;
  };
  // Only what the log index has; before that is so, it has nothing of what was used later either.
  // Look-ups made before a state was let go are too old for it.
  while (is_beyond_bounds() && !by_use_.empty()) {
    const Loaded<domain::AccountState>* coldest = by_use_.back();
    const ResidentAccount& account = coldest->value;
    if (account.end_position > indexed_) break;
    floor_ = std::max(floor_, account.end_position);
    residents_.remove(coldest->key());
    resident_bytes_ -= account.counted + account.grown;
    by_use_.pop_back();
    accounts_.erase(*coldest);
  }
}

template <class State>
void Sequencer::count(Resident<State>& stream) {
  resident_bytes_ -= stream.counted + stream.grown;
  stream.counted = sizeof(stream) + memory_of(stream.state) + stream.recent.bytes();
  stream.grown = 0;
  resident_bytes_ += stream.counted;
}

/// A stream that comes into memory with the state that the look-ups have.
template <class State>
Sequencer::Loaded<State>* Sequencer::load(Residents<State>& streams, std::string_view key,
                                          const std::optional<State>& state) {
  if (!state) return nullptr;
  residents_.add(key);
  Loaded<State>& loaded = streams.add(key, {});
  loaded.value.state = *state;
  count(loaded.value);
  return &loaded;
}

Sequencer::ResidentAccount* Sequencer::resident_account(const PreparedCommand& prepared) {
  const std::string key = stream_key(prepared.command.stream());
  if (auto* found = accounts_.find(key)) {
    by_use_.splice(by_use_.begin(), by_use_, found->value.place);
    return &found->value;
  }
  auto* loaded = load(accounts_, key, prepared.lookups.account);
  if (loaded == nullptr) return nullptr;
  loaded->value.place = by_use_.insert(by_use_.begin(), loaded);
  return &loaded->value;
}

Sequencer::ResidentTenant* Sequencer::resident_tenant(const PreparedCommand& prepared) {
  // Tenants are few and always wanted: once in memory they stay.
  const std::string key = stream_key(domain::StreamId::of_tenant(prepared.command.tenant));
  if (auto* found = tenants_.find(key)) return &found->value;
  auto* loaded = load(tenants_, key, prepared.lookups.tenant);
  return loaded == nullptr ? nullptr : &loaded->value;
}

bool Sequencer::has_tenant(const PreparedCommand& prepared) const {
  return tenants_.contains(stream_key(domain::StreamId::of_tenant(prepared.command.tenant)));
}

Sequencer::Dedup Sequencer::answer_duplicate(PreparedCommand& prepared, std::uint64_t version) {
  const Command& command = prepared.command;
  if (command.idempotency_key.empty()) return Dedup::kNew;
  PlacedEventPtr event = prepared.lookups.key_event;
  PlacedEventPtr original = prepared.lookups.original;
  if (event == nullptr) {
    const auto position = tail_.find(prepared.lookups.key);
    if (!position) return Dedup::kNew;
    event = tail_.event_at(*position, open_.body);
  }
  CHECK(event->event.idempotency_key == command.idempotency_key);
  CHECK(event->event.stream == command.stream());
  if (event->event.fingerprint != command.fingerprint) {
    answer(prepared, {.kind = AnswerKind::kKeyReused, .version = version});
    return Dedup::kAnswered;
  }
  const auto* repeat = std::get_if<domain::NoChange>(&event->event.event);
  if (repeat != nullptr && repeat->of && original == nullptr) {
    // The event says which it repeats; the body of a retry only leads there.
    original = claimed_top_up(prepared);
    if (original == nullptr || original->event.stream != command.stream() ||
        original->event.version != repeat->of->version) {
      prepared.look_again_at = event->position + 1;
      return Dedup::kLookAgain;
    }
  }
  answer(prepared, {.kind = AnswerKind::kReplayed,
                    .event = std::move(event),
                    .original = std::move(original),
                    .version = version});
  return Dedup::kAnswered;
}

/// The event that the command names: in the window, or else what the index said. It has everything
/// before the window, so together they miss nothing.
PlacedEventPtr Sequencer::referenced_by(const PreparedCommand& prepared,
                                        const ResidentAccount& account) const {
  const auto version = referenced_version(prepared.command);
  if (!version) return nullptr;
  const auto position = account.recent.find(*version, account.state.version);
  if (!position || *position < tail_.base_position()) return prepared.lookups.referenced;
  return tail_.event_at(*position, open_.body);
}

/// The newest refund or reversal of it, likewise.
PlacedEventPtr Sequencer::latest_reference_for(const PreparedCommand& prepared) const {
  const auto version = referenced_version(prepared.command);
  if (!version) return nullptr;
  const auto position = tail_.find(latest_reference_key(prepared.command.stream(), *version));
  return position ? tail_.event_at(*position, open_.body) : prepared.lookups.latest_reference;
}

PlacedEventPtr Sequencer::claim_of(const PreparedCommand& prepared) const {
  const auto stream = payment_stream(prepared.command);
  if (!stream) return nullptr;
  const auto position = tail_.find(lookup_key(LookupKind::kPaymentClaim, *stream, ""));
  return position ? tail_.event_at(*position, open_.body) : prepared.lookups.claim;
}

PlacedEventPtr Sequencer::claimed_top_up(const PreparedCommand& prepared) const {
  const auto stream = payment_stream(prepared.command);
  if (!stream) return nullptr;
  const auto position = tail_.find(lookup_key(LookupKind::kPaymentClaim, *stream, ""));
  return position ? tail_.event_at(*position + 1, open_.body) : prepared.lookups.claimed_top_up;
}

}  // namespace daybook::eventstore

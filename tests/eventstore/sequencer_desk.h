#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "eventstore/decoded_entry.h"
#include "eventstore/sequencer.h"
#include "tests/support/controls.h"

namespace daybook::eventstore {

/// A sequencer driven by hand: the test is the log, its index and its clock, step by step, on one
/// thread. Every entry taken is checked as a link of the chain and read back from its stored form.
class Desk {
 public:
  struct Reply {
    std::vector<Answer> answers;
    bool answered() const { return !answers.empty(); }
    const Answer& answer() const {
      static const Answer kNone{.kind = AnswerKind::kUnknown};
      EXPECT_EQ(answers.size(), 1U) << "not answered, or more than once";
      return answers.empty() ? kNone : answers.front();
    }
  };
  using ReplyPtr = std::shared_ptr<Reply>;

  explicit Desk(SequencerLimits limits = {}, LogHead head = {})
      : sequencer(head, kPartition, limits), head_(head), indexed_(head.next_position) {}

  static constexpr std::uint32_t kPartition = 3;

  static Command command(domain::AccountCommand body, std::string key = "",
                         std::string account = "acme") {
    Command result;
    result.tenant = test::tenant_id();
    result.account = AccountId(std::move(account));
    result.body = std::move(body);
    result.actor = "key:k1";
    result.idempotency_key = std::move(key);
    result.fingerprint = 1;
    return result;
  }
  static Command tenant_command(domain::TenantCommand body, std::string key = "") {
    Command result = command(domain::SettleAccount{}, std::move(key), "");
    result.body = std::move(body);
    return result;
  }

  /// What the index, which has everything before indexed(), knows about a command.
  Lookups look_up(const Command& command) const {
    Lookups lookups;
    lookups.as_of = indexed_;
    const domain::StreamId stream = command.stream();
    if (!command.idempotency_key.empty()) {
      lookups.key = lookup_key(LookupKind::kIdempotencyKey, stream, command.idempotency_key);
    }
    lookups.tenant.emplace();
    if (command.is_account_command()) lookups.account.emplace();
    const auto named = referenced_version(command);
    const auto payment = payment_stream(command);
    for (const auto& placed : log_) {
      if (placed->position >= indexed_) break;
      const auto& event = placed->event;
      if (event.stream == domain::StreamId::of_tenant(command.tenant)) {
        evolve(*lookups.tenant, event);
      }
      if (payment && event.stream == *payment) {
        lookups.claim = placed;
        const auto& claimed = std::get<domain::PaymentClaimed>(event.event);
        if (claimed.top_up.account == command.account) {
          lookups.claimed_top_up = event_of(stream, claimed.top_up.version);
        }
      }
      if (event.stream != stream) continue;
      if (lookups.account && stream.kind == domain::StreamKind::kAccount) {
        evolve(*lookups.account, event);
      }
      if (!command.idempotency_key.empty() && event.idempotency_key == command.idempotency_key) {
        lookups.key_event = placed;
        const auto* repeat = std::get_if<domain::NoChange>(&event.event);
        if (repeat != nullptr && repeat->of)
          lookups.original = event_of(stream, repeat->of->version);
      }
      if (named && event.version == *named) lookups.referenced = placed;
      if (named && reference_of(event.event) == named) lookups.latest_reference = placed;
    }
    return lookups;
  }

  PreparedCommand prepare(const Command& command, const ReplyPtr& reply) const {
    return {command, look_up(command),
            [reply](Answer answer) { reply->answers.push_back(answer); }};
  }
  /// Offers a command with fresh look-ups; it must be taken.
  ReplyPtr send(const Command& command) {
    auto reply = std::make_shared<Reply>();
    PreparedCommand prepared = prepare(command, reply);
    EXPECT_TRUE(sequencer.offer(prepared, now)) << "the look-ups were refused";
    return reply;
  }
  ReplyPtr send(domain::AccountCommand body, std::string key = "", std::string account = "acme") {
    return send(command(std::move(body), std::move(key), std::move(account)));
  }
  /// Offers, writes and commits; for what a test takes for granted.
  Answer done(const Command& command) {
    const ReplyPtr reply = send(command);
    commit();
    return reply->answer();
  }
  Answer done(domain::AccountCommand body, std::string key = "", std::string account = "acme") {
    return done(command(std::move(body), std::move(key), std::move(account)));
  }

  /// Takes the next entry to the log, where it stays in flight until commit().
  Entry take() {
    const auto entry = sequencer.take_entry();
    EXPECT_EQ(entry->partition, kPartition);
    EXPECT_EQ(entry->generation, head_.generation);
    EXPECT_EQ(entry->entry_no, head_.entry_count);
    EXPECT_EQ(entry->base_position, head_.next_position);
    EXPECT_EQ(entry->prev_chain, head_.chain);
    EXPECT_LE(head_.last_recorded_at, entry->first_recorded_at);
    auto stored = decode_entry(encode_entry(*entry));
    EXPECT_TRUE(stored.ok());
    auto decoded = decode_events(*entry);
    EXPECT_TRUE(decoded.ok());
    EXPECT_EQ(*stored, *entry);
    Instant before = head_.last_recorded_at;
    for (std::size_t i = 0; i < decoded->events.size(); ++i) {
      EXPECT_LE(before, decoded->events[i].recorded_at);
      before = decoded->events[i].recorded_at;
      auto placed = std::make_shared<PlacedEvent>();
      placed->event = std::move(decoded->events[i]);
      placed->position = entry->base_position + i;
      EXPECT_EQ(placed->event.version, ++versions_[placed->event.stream]);
      log_.push_back(std::move(placed));
    }
    EXPECT_EQ(before, entry->last_recorded_at);
    head_.entry_count += 1;
    head_.next_position = entry->end_position();
    head_.chain = chain_of(*entry);
    head_.last_recorded_at = entry->last_recorded_at;
    return *entry;
  }
  void report_committed() { sequencer.on_committed(head_.next_position); }
  /// Writes and commits all there is.
  void commit() {
    while (sequencer.has_entry()) take();
    report_committed();
  }
  /// The index catches up with what is committed.
  void index() {
    indexed_ = head_.next_position;
    sequencer.on_indexed(indexed_);
  }

  const std::vector<PlacedEventPtr>& log() const { return log_; }
  std::uint64_t indexed() const { return indexed_; }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& placed : log_) result.emplace_back(domain::name_of(placed->event.event));
    return result;
  }

  Sequencer sequencer;
  Instant now = test::morning();

 private:
  PlacedEventPtr event_of(const domain::StreamId& stream, std::uint64_t version) const {
    for (const auto& placed : log_) {
      if (placed->event.stream == stream && placed->event.version == version) return placed;
    }
    return nullptr;
  }

  LogHead head_;
  std::uint64_t indexed_;
  std::vector<PlacedEventPtr> log_;
  std::map<domain::StreamId, std::uint64_t> versions_;
};

}  // namespace daybook::eventstore

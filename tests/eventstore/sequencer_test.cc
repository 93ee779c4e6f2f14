#include "eventstore/sequencer.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "eventstore/event_codec.h"
#include "tests/eventstore/sequencer_desk.h"

namespace daybook::eventstore {
namespace {

using domain::RefusalReason;
using test::amount;
using test::capture;
using test::charge;
using test::currency;
using test::hold;
using test::morning;
using test::open;
using test::paid_by;
using test::record_charge;
using test::refund;
using test::reverse;
using test::tenant_id;
using test::top_up;
using test::usd;
using Names = std::vector<std::string>;

template <class Body>
const Body& body_of(const PlacedEventPtr& placed) {
  EXPECT_NE(placed, nullptr);
  return std::get<Body>(placed->event.event);
}

// --- Answers and durability

TEST(SequencerTest, an_answer_waits_for_the_commit_of_its_entry) {
  Desk desk;
  const auto opened = desk.send(open("USD"), "k1");
  const auto topped = desk.send(top_up(usd("5")), "k2");
  EXPECT_FALSE(opened->answered());
  const Entry entry = desk.take();
  EXPECT_EQ(entry.count, 2U);
  EXPECT_FALSE(opened->answered());
  EXPECT_EQ(desk.sequencer.waiting(), 2U);
  desk.sequencer.on_committed(1);
  EXPECT_TRUE(opened->answered());
  EXPECT_FALSE(topped->answered());
  desk.sequencer.on_committed(2);
  EXPECT_EQ(topped->answer().kind, AnswerKind::kRecorded);
  EXPECT_EQ(topped->answer().version, 2U);
  EXPECT_EQ(topped->answer().position, 2U);
  EXPECT_EQ(topped->answer().event->position, 1U);
  EXPECT_EQ(desk.sequencer.waiting(), 0U);
}

TEST(SequencerTest, the_entry_holds_exactly_the_answered_events) {
  Desk desk;
  const auto opened = desk.send(open("USD"), "k1");
  Command charged = Desk::command(record_charge(usd("5")), "k2");
  charged.effective_at = morning(-60);
  charged.fingerprint = 77;
  const auto reply = desk.send(charged);
  desk.commit();
  ASSERT_EQ(desk.log().size(), 2U);
  EXPECT_EQ(desk.log()[0]->event, opened->answer().event->event);
  EXPECT_EQ(desk.log()[1]->event, reply->answer().event->event);
  const auto& event = desk.log()[1]->event;
  EXPECT_EQ(event.stream, charged.stream());
  EXPECT_EQ(event.recorded_at, morning());
  EXPECT_EQ(event.effective_at, morning(-60));
  EXPECT_EQ(event.actor, "key:k1");
  EXPECT_EQ(event.idempotency_key, "k2");
  EXPECT_EQ(event.fingerprint, 77U);
}

TEST(SequencerTest, an_answer_that_rests_on_what_is_not_durable_waits_for_it) {
  Desk desk;
  desk.done(open("USD"));
  desk.send(top_up(usd("5")));
  // Nothing of its own to write, yet what it saw is in the open entry.
  const auto rejected = desk.send(charge(usd("0")));
  const auto unchanged = desk.send(domain::UnfreezeAccount{});
  EXPECT_FALSE(rejected->answered());
  EXPECT_FALSE(unchanged->answered());
  desk.commit();
  EXPECT_EQ(rejected->answer().kind, AnswerKind::kRejected);
  EXPECT_EQ(rejected->answer().rejection.pointer, "/amount/amount");
  EXPECT_EQ(unchanged->answer().kind, AnswerKind::kUnchanged);
  EXPECT_EQ(unchanged->answer().version, 2U);
  // With all durable such an answer comes at once.
  EXPECT_TRUE(desk.send(charge(usd("0")))->answered());
  EXPECT_FALSE(desk.sequencer.has_entry());
}

TEST(SequencerTest, entries_chain_from_the_head_of_the_log) {
  LogHead head{.generation = 2,
               .entry_count = 7,
               .next_position = 100,
               .chain = {},
               .last_recorded_at = morning(-1)};
  head.chain.fill(0xAB);
  Desk desk({}, head);
  for (int i = 0; i < 5; ++i) {  // take() checks every link
    desk.done(open("USD"), "k", "account-" + std::to_string(i));
  }
  EXPECT_EQ(desk.log().front()->position, 100U);
  EXPECT_EQ(desk.sequencer.next_position(), 105U);
}

TEST(SequencerTest, one_entry_is_filled_while_another_is_in_flight) {
  Desk desk;
  const auto first = desk.send(open("USD"));
  const Entry entry = desk.take();
  const auto second = desk.send(top_up(usd("5")));
  desk.sequencer.on_committed(entry.end_position());
  EXPECT_TRUE(first->answered());
  EXPECT_FALSE(second->answered());
  EXPECT_EQ(desk.take().base_position, 1U);
  desk.report_committed();
  EXPECT_TRUE(second->answered());
}

TEST(SequencerTest, after_a_failure_all_that_wait_and_all_that_come_are_unknown) {
  Desk desk;
  const auto waiting = desk.send(open("USD"), "k1");
  desk.take();
  const auto open_entry = desk.send(top_up(usd("5")), "k2");
  desk.sequencer.on_failed();
  EXPECT_EQ(waiting->answer().kind, AnswerKind::kUnknown);
  EXPECT_EQ(open_entry->answer().kind, AnswerKind::kUnknown);
  EXPECT_EQ(desk.send(top_up(usd("5")), "k3")->answer().kind, AnswerKind::kUnknown);
  EXPECT_EQ(desk.sequencer.waiting(), 0U);
}

// --- Time

TEST(SequencerTest, a_clock_that_goes_back_never_makes_recorded_times_go_back) {
  Desk desk;
  desk.done(open("USD"));
  desk.now = morning(-3'600);
  const auto answer = desk.done(top_up(usd("5")));
  EXPECT_EQ(answer.event->event.recorded_at, morning());
  desk.now = morning(1);
  EXPECT_EQ(desk.done(top_up(usd("5"))).event->event.recorded_at, morning(1));
  // Also from the head of a log that was written by a faster clock.
  Desk later({}, {.generation = 0,
                  .entry_count = 1,
                  .next_position = 1,
                  .chain = {},
                  .last_recorded_at = morning(50)});
  EXPECT_EQ(later.done(open("USD")).event->event.recorded_at, morning(50));
}

TEST(SequencerTest, an_effective_time_in_the_future_is_invalid) {
  Desk desk;
  desk.done(open("USD"));
  Command command = Desk::command(top_up(usd("5")), "k1");
  command.effective_at = Instant{morning().micros + 1};
  EXPECT_EQ(desk.done(command).rejection.pointer, "/effective_at");
  command.effective_at = morning();
  EXPECT_EQ(desk.done(command).kind, AnswerKind::kRecorded);
}

TEST(SequencerTest, what_is_due_is_settled_first_by_the_system) {
  Desk desk;
  desk.done(open("USD"));
  desk.done(top_up(usd("10")));
  desk.done(hold(usd("10"), morning(60)));
  desk.now = morning(60);
  const auto answer = desk.done(charge(usd("10")), "k1");
  EXPECT_EQ(answer.kind, AnswerKind::kRecorded);
  EXPECT_EQ(answer.version, 5U);
  EXPECT_EQ(desk.names(), (Names{"AccountOpened", "BalanceToppedUp", "HoldPlaced", "HoldExpired",
                                 "ChargePosted"}));
  EXPECT_EQ(desk.log()[3]->event.actor, "system");
  EXPECT_EQ(desk.log()[3]->event.idempotency_key, "");
  EXPECT_EQ(desk.done(domain::SettleAccount{}).kind, AnswerKind::kUnchanged);
}

class SequencerDueTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  /// An account with this many holds of 1, all due in a minute, and nothing else available.
  static void place_holds(Desk& desk, std::size_t count) {
    desk.done(open("USD"));
    desk.done(top_up(usd(std::to_string(count))));
    for (std::size_t i = 0; i < count; ++i) desk.done(hold(usd("1"), morning(60)));
    desk.now = morning(60);
  }
  static void note_usage(Desk& desk) { desk.send(domain::NoteUsage{"", "", {}}, "", "other"); }
  static std::size_t events_that_fill_an_entry() {
    Desk desk;
    desk.done(open("USD"), "", "other");
    std::size_t count = 0;
    for (; desk.sequencer.wants_more() && count < kEntryEventsMax; ++count) note_usage(desk);
    return count;
  }
  static void expect_all_expired_before_the_charge(const Desk& desk, std::size_t holds) {
    const Names names = desk.names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "HoldExpired"),
              static_cast<std::ptrdiff_t>(holds));
    EXPECT_EQ(names.back(), "ChargePosted");
  }
};

TEST_P(SequencerDueTest, no_strict_charge_is_decided_with_a_due_hold_counted) {
  const std::size_t holds = GetParam();
  Desk desk;
  place_holds(desk, holds);
  const auto answer = desk.done(charge(usd(std::to_string(holds))), "k1");
  ASSERT_EQ(answer.kind, AnswerKind::kRecorded);
  EXPECT_EQ(body_of<domain::ChargePosted>(answer.event).balance_after, usd("0"));
  EXPECT_EQ(answer.version, 3 + 2 * holds);
  expect_all_expired_before_the_charge(desk, holds);
  EXPECT_EQ(desk.done(domain::SettleAccount{}).kind, AnswerKind::kUnchanged);
}

TEST_P(SequencerDueTest, settling_never_overfills_an_entry_that_was_almost_full) {
  const std::size_t holds = GetParam();
  Desk desk;
  place_holds(desk, holds);
  desk.done(open("USD"), "", "other");
  const std::uint64_t begin = desk.sequencer.next_position();
  // One more of these would have closed the entry: there is room for one decision and no more.
  for (std::size_t i = events_that_fill_an_entry(); i > 1; --i) note_usage(desk);
  ASSERT_TRUE(desk.sequencer.wants_more());
  const auto charged = desk.send(charge(usd(std::to_string(holds))), "k1");
  std::uint64_t events = 0;
  while (desk.sequencer.has_entry()) {
    const Entry entry = desk.take();  // read back from its stored form, which has the bounds
    EXPECT_LE(entry.count, kEntryEventsMax);
    events += entry.count;
    EXPECT_EQ(charged->answered(), false);
  }
  EXPECT_EQ(begin + events, desk.sequencer.next_position());
  EXPECT_TRUE(desk.sequencer.wants_more());
  desk.report_committed();
  EXPECT_EQ(charged->answer().kind, AnswerKind::kRecorded);
  expect_all_expired_before_the_charge(desk, holds);
}

INSTANTIATE_TEST_SUITE_P(Counts, SequencerDueTest,
                         ::testing::Values(1U, 255U, 256U, domain::kOpenHoldsMax));

TEST(SequencerTest, a_hold_more_than_an_account_may_have_is_refused) {
  Desk desk;
  desk.done(open("USD"));
  desk.done(top_up(usd("2000")));
  for (std::size_t i = 0; i < domain::kOpenHoldsMax; ++i) desk.done(hold(usd("1"), morning(60)));
  EXPECT_EQ(body_of<domain::CommandRefused>(desk.done(hold(usd("1"), morning(60))).event).reason,
            RefusalReason::kLimitReached);
  // Those that are due make room.
  desk.now = morning(60);
  EXPECT_EQ(desk.done(hold(usd("1"), morning(120))).kind, AnswerKind::kRecorded);
}

// --- Idempotency

/// The places where the event that carries a key may be when the key comes again.
enum class Place { kOpenEntry, kInFlight, kWindow, kIndex };

class SequencerDuplicateTest : public ::testing::TestWithParam<Place> {
 protected:
  SequencerDuplicateTest() : desk_(limits()) { desk_.done(open("USD")), desk_.index(); }
  static SequencerLimits limits() {
    SequencerLimits limits;
    limits.window_slack_events = 0;
    return limits;
  }
  void bring_to_place() {
    if (GetParam() == Place::kInFlight) desk_.take();
    if (GetParam() == Place::kWindow) desk_.commit();
    if (GetParam() == Place::kIndex) desk_.commit(), desk_.index();
  }
  Answer answer_of(const Desk::ReplyPtr& reply) {
    desk_.commit();
    return reply->answer();
  }
  Desk desk_;
};

TEST_P(SequencerDuplicateTest, the_same_key_is_answered_by_the_same_event) {
  const Command command = Desk::command(top_up(usd("5")), "k1");
  const auto first = desk_.send(command);
  bring_to_place();
  const Answer again = answer_of(desk_.send(command));
  EXPECT_EQ(again.kind, AnswerKind::kReplayed);
  EXPECT_EQ(again.event->event, first->answer().event->event);
  EXPECT_EQ(again.event->position, first->answer().event->position);
  EXPECT_EQ(again.original, nullptr);
  EXPECT_EQ(desk_.log().size(), 2U);
}

TEST_P(SequencerDuplicateTest, the_same_key_for_another_request_is_told_so) {
  desk_.send(Desk::command(top_up(usd("5")), "k1"));
  bring_to_place();
  Command other = Desk::command(charge(usd("1")), "k1");
  other.fingerprint = 2;
  EXPECT_EQ(answer_of(desk_.send(other)).kind, AnswerKind::kKeyReused);
  EXPECT_EQ(desk_.log().size(), 2U);
}

TEST_P(SequencerDuplicateTest, a_recorded_refusal_keeps_its_key) {
  const auto first = desk_.send(charge(usd("1")), "k1");
  bring_to_place();
  desk_.send(top_up(usd("5")));  // it would succeed now
  const Answer again = answer_of(desk_.send(charge(usd("1")), "k1"));
  EXPECT_EQ(again.kind, AnswerKind::kReplayed);
  EXPECT_EQ(again.event->event, first->answer().event->event);
  EXPECT_EQ(body_of<domain::ChargeRefused>(again.event).short_by, usd("1"));
}

TEST_P(SequencerDuplicateTest, dedup_comes_before_if_match) {
  Command command = Desk::command(top_up(usd("5")), "k1");
  command.if_match = 1;
  desk_.send(command);
  bring_to_place();
  EXPECT_EQ(answer_of(desk_.send(command)).kind, AnswerKind::kReplayed);
  command.idempotency_key = "k2";
  const Answer stale = answer_of(desk_.send(command));
  EXPECT_EQ(stale.kind, AnswerKind::kVersionMismatch);
  EXPECT_EQ(stale.version, 2U);
}

TEST_P(SequencerDuplicateTest, dedup_comes_before_look_ups_that_only_a_decision_needs) {
  desk_.done(top_up(usd("5")));
  desk_.done(charge(usd("5")));
  desk_.index();
  Command refunded = Desk::command(refund(3, usd("2")), "k1");
  refunded.if_match = 3;
  const auto first = desk_.send(refunded);
  bring_to_place();
  // A newer refund of the charge than the index has is no reason to wait: nothing is decided.
  const Answer again = answer_of(desk_.send(refunded));
  EXPECT_EQ(again.kind, AnswerKind::kReplayed);
  EXPECT_EQ(again.event->event, first->answer().event->event);
  EXPECT_EQ(desk_.log().size(), 4U);
  refunded.fingerprint = 2;
  EXPECT_EQ(answer_of(desk_.send(refunded)).kind, AnswerKind::kKeyReused);
}

TEST_P(SequencerDuplicateTest, the_original_is_the_one_that_was_repeated_not_what_a_retry_names) {
  const auto first = desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k1");
  desk_.done(paid_by(usd("7"), "stripe", "pi_2"), "k2");
  desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k3");
  bring_to_place();
  // The same key and, by chance, the same fingerprint, yet the body of another payment.
  auto reply = std::make_shared<Desk::Reply>();
  PreparedCommand prepared =
      desk_.prepare(Desk::command(paid_by(usd("7"), "stripe", "pi_2"), "k3"), reply);
  if (!desk_.sequencer.offer(prepared, desk_.now)) {
    desk_.commit();
    desk_.index();
    prepared.lookups = desk_.look_up(prepared.command);
    ASSERT_TRUE(desk_.sequencer.offer(prepared, desk_.now));
  }
  desk_.commit();
  EXPECT_EQ(reply->answer().kind, AnswerKind::kReplayed);
  EXPECT_EQ(reply->answer().original->event, first->answer().event->event);
}

TEST_P(SequencerDuplicateTest, a_repeated_payment_is_answered_as_the_first) {
  const auto first = desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k1");
  bring_to_place();
  const auto repeat = desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k2");
  if (GetParam() == Place::kIndex) desk_.commit();
  const auto retry = desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k2");
  desk_.commit();
  EXPECT_EQ(repeat->answer().kind, AnswerKind::kReplayed);
  EXPECT_EQ(body_of<domain::NoChange>(repeat->answer().event).of, domain::EventRef{2});
  EXPECT_EQ(repeat->answer().original->event, first->answer().event->event);
  // The new key is consumed and answers alike, before and after it is indexed.
  EXPECT_EQ(retry->answer().event->event, repeat->answer().event->event);
  EXPECT_EQ(retry->answer().original->event, first->answer().event->event);
  desk_.index();
  const auto late = desk_.done(paid_by(usd("5"), "stripe", "pi_1"), "k2");
  EXPECT_EQ(late.kind, AnswerKind::kReplayed);
  EXPECT_EQ(late.original->event, first->answer().event->event);
  EXPECT_EQ(desk_.names(),
            (Names{"AccountOpened", "PaymentClaimed", "BalanceToppedUp", "NoChange"}));
}

TEST_P(SequencerDuplicateTest, a_payment_claimed_on_another_account_is_refused) {
  desk_.done(open("USD"), "", "other");
  desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k1", "other");
  bring_to_place();
  const Answer answer = answer_of(desk_.send(paid_by(usd("5"), "stripe", "pi_1"), "k1"));
  EXPECT_EQ(answer.kind, AnswerKind::kRecorded);
  EXPECT_EQ(body_of<domain::CommandRefused>(answer.event).reason, RefusalReason::kPaymentConflict);
}

TEST_P(SequencerDuplicateTest, keys_belong_to_their_account) {
  desk_.done(open("USD"), "", "other");
  desk_.send(top_up(usd("5")), "k1", "other");
  bring_to_place();
  EXPECT_EQ(answer_of(desk_.send(top_up(usd("5")), "k1")).kind, AnswerKind::kRecorded);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SequencerDuplicateTest,
                         ::testing::Values(Place::kOpenEntry, Place::kInFlight, Place::kWindow,
                                           Place::kIndex));

TEST(SequencerTest, a_keyed_no_op_is_recorded_and_an_unkeyed_one_is_not) {
  Desk desk;
  desk.done(open("USD"));
  EXPECT_EQ(desk.done(domain::UnfreezeAccount{}).kind, AnswerKind::kUnchanged);
  const auto keyed = desk.done(domain::UnfreezeAccount{}, "k1");
  EXPECT_EQ(keyed.kind, AnswerKind::kRecorded);
  EXPECT_EQ(body_of<domain::NoChange>(keyed.event).of, std::nullopt);
  EXPECT_EQ(desk.done(domain::UnfreezeAccount{}, "k1").kind, AnswerKind::kReplayed);
}

TEST(SequencerTest, what_is_not_recorded_does_not_consume_its_key) {
  Desk desk;
  EXPECT_EQ(desk.done(top_up(usd("5")), "k1").rejection.kind, domain::RejectionKind::kNotFound);
  desk.done(open("USD"));
  Command stale = Desk::command(top_up(usd("5")), "k1");
  stale.if_match = 9;
  EXPECT_EQ(desk.done(stale).kind, AnswerKind::kVersionMismatch);
  EXPECT_EQ(desk.done(top_up(usd("0")), "k1").kind, AnswerKind::kRejected);
  EXPECT_EQ(desk.done(top_up(usd("5")), "k1").kind, AnswerKind::kRecorded);
}

// --- Look-ups that are too old

/// A command that was looked up before `meanwhile` happened must be offered again.
class SequencerLookupTest : public ::testing::Test {
 protected:
  SequencerLookupTest() : desk_(limits()) {
    desk_.done(open("USD"));
    desk_.done(top_up(usd("100")));
    desk_.done(charge(usd("50")));
    desk_.done(hold(usd("10")));
    desk_.index();
  }
  static SequencerLimits limits() {
    SequencerLimits limits;
    limits.window_slack_events = 0;
    limits.resident_streams_max = 0;
    return limits;
  }
  bool offer(PreparedCommand& prepared) { return desk_.sequencer.offer(prepared, desk_.now); }
  Desk desk_;
  Desk::ReplyPtr reply_ = std::make_shared<Desk::Reply>();
};

TEST_F(SequencerLookupTest, older_than_the_window_they_are_sent_back_untouched) {
  const Command command = Desk::command(top_up(usd("5")), "k1");
  PreparedCommand prepared = desk_.prepare(command, reply_);
  desk_.done(command);
  desk_.index();
  EXPECT_FALSE(offer(prepared));
  EXPECT_FALSE(reply_->answered());
  EXPECT_EQ(prepared.command.idempotency_key, "k1");
  ASSERT_TRUE(prepared.complete);
  prepared.lookups = desk_.look_up(command);
  EXPECT_TRUE(offer(prepared));
  EXPECT_EQ(reply_->answer().kind, AnswerKind::kReplayed);
}

TEST_F(SequencerLookupTest, without_a_state_that_is_needed_they_are_sent_back) {
  PreparedCommand prepared = desk_.prepare(Desk::command(top_up(usd("5")), "k", "new"), reply_);
  auto account = std::exchange(prepared.lookups.account, std::nullopt);
  EXPECT_FALSE(offer(prepared));
  prepared.lookups.account = std::move(account);
  EXPECT_TRUE(offer(prepared));
}

TEST_F(SequencerLookupTest, a_named_event_that_the_index_has_not_got_yet_is_in_the_window) {
  const auto placed = desk_.send(hold(usd("5")));  // version 5, in the open entry
  const auto captured = desk_.send(capture(5), "k1");
  desk_.commit();
  ASSERT_EQ(placed->answer().event->event.version, 5U);
  EXPECT_EQ(body_of<domain::HoldCaptured>(captured->answer().event).amount, usd("5"));
  const auto other = desk_.send(hold(usd("6")));  // version 7, committed
  desk_.commit();
  PreparedCommand prepared = desk_.prepare(Desk::command(capture(7), "k2"), reply_);
  EXPECT_EQ(prepared.lookups.referenced, nullptr);
  EXPECT_TRUE(offer(prepared));
  desk_.commit();
  EXPECT_EQ(body_of<domain::HoldCaptured>(reply_->answer().event).amount, usd("6"));
}

TEST_F(SequencerLookupTest, events_that_are_named_are_found_in_the_window_and_before_it) {
  for (int i = 0; i < 300; ++i) desk_.done(charge(usd("0.01")));  // versions 5 to 304
  desk_.index();
  for (int i = 0; i < 5; ++i) desk_.done(charge(usd("0.02")));  // versions 305 to 309
  const std::vector<std::pair<std::uint64_t, std::string>> charges{
      {3, "50"}, {5, "0.01"}, {304, "0.01"}, {305, "0.02"}, {309, "0.02"}};
  for (const auto& [version, amount] : charges) {
    const auto answer = desk_.done(refund(version), "r" + std::to_string(version));
    EXPECT_EQ(body_of<domain::ChargeRefunded>(answer.event).charge.version, version);
    EXPECT_EQ(body_of<domain::ChargeRefunded>(answer.event).amount, usd(amount));
  }
}

TEST_F(SequencerLookupTest, a_version_that_does_not_exist_yet_is_not_found_at_once) {
  EXPECT_EQ(desk_.done(capture(99), "k1").rejection.kind, domain::RejectionKind::kNotFound);
}

TEST_F(SequencerLookupTest, a_newer_refund_of_the_same_charge_in_the_window_counts) {
  PreparedCommand prepared = desk_.prepare(Desk::command(refund(3, usd("30")), "k2"), reply_);
  desk_.done(refund(3, usd("30")), "k1");
  EXPECT_EQ(prepared.lookups.latest_reference, nullptr);
  EXPECT_TRUE(offer(prepared));
  desk_.commit();
  // Had the first refund been overlooked, more than the charge would have been given back.
  EXPECT_EQ(body_of<domain::CommandRefused>(reply_->answer().event).reason,
            RefusalReason::kExceedsOriginal);
}

TEST_F(SequencerLookupTest, a_reversal_in_the_window_is_not_overlooked_either) {
  PreparedCommand prepared = desk_.prepare(Desk::command(reverse(2), "k2"), reply_);
  desk_.send(reverse(2), "k1");
  EXPECT_TRUE(offer(prepared));
  desk_.commit();
  EXPECT_EQ(body_of<domain::CommandRefused>(reply_->answer().event).reason,
            RefusalReason::kAlreadyReversed);
}

TEST_F(SequencerLookupTest, what_is_sent_back_says_how_far_the_index_must_be) {
  PreparedCommand prepared = desk_.prepare(Desk::command(charge(usd("1"))), reply_);
  desk_.done(charge(usd("2")));
  desk_.index();
  EXPECT_FALSE(offer(prepared));
  EXPECT_GT(prepared.look_again_at, prepared.lookups.as_of);
  EXPECT_LE(prepared.look_again_at, desk_.indexed());
}

TEST_F(SequencerLookupTest, a_state_that_was_let_go_is_looked_up_again) {
  EXPECT_EQ(desk_.sequencer.resident_streams(), 1U);  // the tenant stays
  EXPECT_EQ(desk_.done(charge(usd("40.01"))).kind, AnswerKind::kRecorded);
  const auto& refused = body_of<domain::ChargeRefused>(desk_.log().back());
  EXPECT_EQ(refused.short_by, usd("0.01"));
  EXPECT_EQ(desk_.done(charge(usd("40"))).kind, AnswerKind::kRecorded);
}

TEST_F(SequencerLookupTest, a_state_with_events_that_are_not_indexed_stays) {
  desk_.index();
  desk_.done(charge(usd("1")));
  const std::size_t before = desk_.sequencer.resident_streams();
  desk_.sequencer.on_indexed(desk_.indexed());
  desk_.sequencer.on_indexed(desk_.indexed());
  EXPECT_EQ(desk_.sequencer.resident_streams(), before);
  // Look-ups of before its events still find it in memory.
  PreparedCommand prepared = desk_.prepare(Desk::command(charge(usd("39.01"))), reply_);
  EXPECT_TRUE(offer(prepared));
  desk_.commit();
  EXPECT_EQ(body_of<domain::ChargeRefused>(reply_->answer().event).short_by, usd("0.01"));
}

TEST_F(SequencerLookupTest, the_window_is_let_go_as_it_is_indexed) {
  desk_.send(top_up(usd("5")));
  desk_.commit();
  EXPECT_GT(desk_.sequencer.window_bytes(), 0U);
  desk_.index();
  EXPECT_EQ(desk_.sequencer.window_bytes(), 0U);
}

TEST(SequencerTest,
     look_ups_of_before_a_state_was_let_go_are_sent_back_though_the_window_has_them) {
  SequencerLimits limits;
  limits.resident_streams_max = 0;
  Desk desk(limits);
  desk.done(open("USD"));
  desk.done(top_up(usd("10")));
  desk.index();
  const auto reply = std::make_shared<Desk::Reply>();
  PreparedCommand prepared = desk.prepare(Desk::command(charge(usd("10"))), reply);
  desk.done(charge(usd("10")));
  desk.index();  // lets the state go; the window still has its events
  EXPECT_EQ(desk.sequencer.resident_streams(), 1U);
  EXPECT_GT(desk.sequencer.window_bytes(), 0U);
  // Taken as it is, the stale state would let the balance be spent twice.
  EXPECT_FALSE(desk.sequencer.offer(prepared, desk.now));
  prepared.lookups = desk.look_up(prepared.command);
  EXPECT_TRUE(desk.sequencer.offer(prepared, desk.now));
  desk.commit();
  EXPECT_EQ(body_of<domain::ChargeRefused>(reply->answer().event).short_by, usd("10"));
}

TEST(SequencerTest, an_index_ahead_of_the_commit_drops_nothing_that_is_in_flight) {
  SequencerLimits limits;
  limits.window_slack_events = 0;
  Desk desk(limits);
  const auto first = desk.send(open("USD"), "k1");
  const Entry entry = desk.take();
  desk.sequencer.on_indexed(entry.end_position());
  EXPECT_EQ(desk.send(open("USD"), "k1")->answered(), false);
  desk.report_committed();
  EXPECT_TRUE(first->answered());
}

// --- Bounds

domain::PostCharge large_charge() {
  domain::PostCharge command = record_charge(usd("1"));
  command.description = std::string(15'000, 'd');
  return command;
}

TEST(SequencerTest, an_entry_is_filled_until_a_decision_does_not_fit) {
  Desk desk;
  desk.done(open("USD"));
  while (desk.sequencer.wants_more()) desk.send(large_charge());
  const Entry full = desk.take();
  EXPECT_LE(full.body.size(), kEntryBodyBytesMax);
  EXPECT_GT(full.body.size() + 16'000, kEntryBodyBytesMax);
  EXPECT_TRUE(desk.sequencer.has_entry());  // the decision that did not fit
  EXPECT_EQ(desk.take().count, 1U);
}

TEST(SequencerTest, large_states_are_let_go_though_they_are_few) {
  SequencerLimits limits;
  limits.resident_bytes_max = 200'000;
  Desk desk(limits);
  for (int i = 0; i < 40; ++i) {
    const std::string account = "a" + std::to_string(i);
    desk.done(open("USD"), "", account);
    for (int tag = 0; tag < 10; ++tag) {
      desk.done(test::tag("t" + std::to_string(tag), std::string(1'000, 'v')), "", account);
    }
  }
  EXPECT_GT(desk.sequencer.resident_bytes(), 400'000U);
  EXPECT_EQ(desk.sequencer.resident_streams(), 41U);
  desk.index();
  EXPECT_LE(desk.sequencer.resident_bytes(), 200'000U);
  EXPECT_GT(desk.sequencer.resident_bytes(), 180'000U);  // no more than there must be
}

TEST(SequencerTest, what_was_used_last_stays_however_often_the_index_moves) {
  SequencerLimits limits;
  limits.resident_streams_max = 4;
  Desk desk(limits);
  for (const char* account : {"a", "b", "c", "d"}) desk.done(open("USD"), "", account);
  desk.done(charge(usd("1")), "", "a");
  for (int i = 0; i < 3; ++i) desk.index();
  desk.done(open("USD"), "", "e");
  for (int i = 0; i < 3; ++i) {
    desk.index();
    EXPECT_EQ(desk.sequencer.resident_streams(), 5U);  // four, and the tenant
  }
  const auto is_resident = [&](const std::string& account) {
    return !desk.sequencer.residents()
                .lacking(Desk::command(charge(usd("1")), "", account))
                .account;
  };
  EXPECT_FALSE(is_resident("b"));
  for (const char* account : {"a", "c", "d", "e"}) EXPECT_TRUE(is_resident(account)) << account;
}

TEST(SequencerTest, what_is_sent_back_asks_for_its_tenant_only_where_that_is_not_there) {
  Desk desk;
  PreparedCommand prepared =
      desk.prepare(Desk::command(open("USD"), "", "a"), std::make_shared<Desk::Reply>());
  const Lookups lookups = std::exchange(prepared.lookups, Lookups{});
  EXPECT_FALSE(desk.sequencer.offer(prepared, desk.now));
  EXPECT_TRUE(prepared.look_again_for.tenant);
  EXPECT_TRUE(prepared.look_again_for.account);
  prepared.lookups.tenant = lookups.tenant;
  EXPECT_FALSE(desk.sequencer.offer(prepared, desk.now));
  EXPECT_FALSE(prepared.look_again_for.tenant);
  EXPECT_TRUE(prepared.look_again_for.account);
  prepared.lookups.tenant.reset();
  prepared.lookups.account = lookups.account;
  EXPECT_TRUE(desk.sequencer.offer(prepared, desk.now));
}

TEST(SequencerTest, a_full_entry_is_closed_and_nothing_is_lost) {
  Desk desk;
  desk.done(open("USD"));
  std::vector<Desk::ReplyPtr> replies;
  while (desk.sequencer.wants_more()) {
    replies.push_back(desk.send(large_charge(), "k" + std::to_string(replies.size())));
    ASSERT_LT(replies.size(), 100U);
  }
  EXPECT_GT(replies.size(), 10U);
  const Entry full = desk.take();
  EXPECT_EQ(full.count, replies.size() - 1);  // the last one did not fit
  EXPECT_LE(full.body.size(), kEntryBodyBytesMax);
  EXPECT_TRUE(desk.sequencer.wants_more());
  EXPECT_TRUE(desk.sequencer.has_entry());
  replies.push_back(desk.send(large_charge(), "last"));
  desk.commit();
  for (const auto& reply : replies) EXPECT_EQ(reply->answer().kind, AnswerKind::kRecorded);
  EXPECT_EQ(desk.log().size(), 1 + replies.size());
}

TEST(SequencerTest, an_entry_is_also_full_by_its_count) {
  Desk desk;
  desk.done(open("USD"));
  std::size_t sent = 0;
  while (desk.sequencer.wants_more()) {
    if (sent % 2 == 0) {
      desk.send(domain::FreezeAccount{});
    } else {
      desk.send(domain::UnfreezeAccount{});
    }
    ASSERT_LE(++sent, kEntryEventsMax + 1);
  }
  EXPECT_EQ(desk.take().count, kEntryEventsMax);
  EXPECT_EQ(desk.take().count, 1U);
}

TEST(SequencerTest, an_event_that_would_be_too_large_is_refused_without_a_trace) {
  Desk desk;
  desk.done(open("USD"));
  domain::PostCharge command = record_charge(usd("1"));
  command.description = std::string(kEventBytesMax, 'd');
  const auto answer = desk.done(command, "k1");
  EXPECT_EQ(answer.kind, AnswerKind::kRejected);
  EXPECT_EQ(answer.rejection.kind, domain::RejectionKind::kInvalid);
  EXPECT_EQ(answer.version, 1U);
  EXPECT_EQ(desk.log().size(), 1U);
  // Neither the balance nor the key was touched.
  const auto next = desk.done(record_charge(usd("1")), "k1");
  EXPECT_EQ(body_of<domain::ChargePosted>(next.event).balance_after, usd("-1"));
  EXPECT_EQ(next.version, 2U);

  std::vector<domain::InitialTag> tags;
  for (int i = 0; i < 100; ++i) tags.push_back({"t" + std::to_string(i), std::string(256, 'v')});
  EXPECT_EQ(desk.done(open("USD", tags), "k", "tagged").kind, AnswerKind::kRejected);
  EXPECT_EQ(desk.done(open("USD"), "k", "tagged").kind, AnswerKind::kRecorded);

  Command tenant = Desk::tenant_command(
      domain::CreateTenant{std::string(kEventBytesMax, 'n'), {"k1", {}, {}, {}, "h"}}, "t");
  EXPECT_EQ(desk.done(tenant).kind, AnswerKind::kRejected);
}

TEST(SequencerTest, refusals_are_limited_per_account_and_come_back_with_time) {
  SequencerLimits limits;
  limits.refusals.burst = 3;
  limits.refusals.per_second = 2;
  Desk desk(limits);
  desk.done(open("USD"));
  desk.done(open("USD"), "", "other");
  const auto kind = [&](const std::string& account = "acme") {
    return desk.done(charge(usd("1")), "", account).kind;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kind(), AnswerKind::kRecorded);
  EXPECT_EQ(kind(), AnswerKind::kRefusalsLimited);
  EXPECT_EQ(kind("other"), AnswerKind::kRecorded);
  const std::size_t events = desk.log().size();
  EXPECT_EQ(desk.done(charge(usd("1")), "k1").kind, AnswerKind::kRefusalsLimited);
  EXPECT_EQ(desk.log().size(), events);
  desk.now.micros += 499'999;
  EXPECT_EQ(kind(), AnswerKind::kRefusalsLimited);
  desk.now.micros += 1;
  EXPECT_EQ(kind(), AnswerKind::kRecorded);
  EXPECT_EQ(kind(), AnswerKind::kRefusalsLimited);
  // What succeeds is never limited, and the limit never takes a key.
  EXPECT_EQ(desk.done(top_up(usd("1"))).kind, AnswerKind::kRecorded);
  EXPECT_EQ(desk.done(charge(usd("1")), "k1").kind, AnswerKind::kRecorded);
  desk.now = morning(1'000'000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kind(), AnswerKind::kRecorded);
  EXPECT_EQ(kind(), AnswerKind::kRefusalsLimited);
}

TEST(SequencerTest, letting_a_state_go_forgives_no_refusals) {
  SequencerLimits limits;
  limits.window_slack_events = 0;
  limits.resident_streams_max = 0;
  limits.refusals.burst = 3;
  limits.refusals.per_second = 1;
  Desk desk(limits);
  for (const char* account : {"acme", "other"}) desk.done(open("USD"), "", account);
  std::map<std::string, int> refused;
  for (int i = 0; i < 20; ++i) {
    for (const char* account : {"acme", "other"}) {
      if (desk.done(charge(usd("1")), "", account).kind == AnswerKind::kRecorded) {
        ++refused[account];
      }
      desk.index();
      ASSERT_EQ(desk.sequencer.resident_streams(), 1U);  // the tenant
    }
  }
  EXPECT_EQ(refused["acme"], 3);
  EXPECT_EQ(refused["other"], 3);
}

// --- Tenants

TEST(SequencerTest, a_tenants_terms_are_adopted_and_used_by_the_next_decision) {
  Desk desk;
  domain::Roles admin;
  admin.add(domain::Role::kAdmin);
  const auto created = desk.done(Desk::tenant_command(
      domain::CreateTenant{"Hosting", {"k1", {}, admin, {}, std::string(32, 'h')}}, "t1"));
  EXPECT_EQ(created.version, 1U);
  EXPECT_EQ(domain::name_of(created.event->event.event), "TenantCreated");
  EXPECT_EQ(created.event->event.idempotency_key, "t1");
  desk.done(open("USD"));
  const auto set = desk.send(Desk::tenant_command(
      domain::SetCurrency{currency("USD"), amount("5"), std::nullopt, {}}, "t2"));
  const auto charged = desk.send(charge(usd("5")));
  desk.commit();
  EXPECT_EQ(domain::name_of(set->answer().event->event.event), "CurrencySet");
  EXPECT_EQ(body_of<domain::ChargePosted>(charged->answer().event).credit_limit, usd("5"));
  EXPECT_EQ(body_of<domain::ChargePosted>(charged->answer().event).catalogue_version, 1U);
  EXPECT_EQ(desk.names(), (Names{"TenantCreated", "AccountOpened", "CurrencySet",
                                 "CatalogueAdopted", "ChargePosted"}));
  EXPECT_EQ(desk.log()[3]->event.stream, domain::StreamId::partition(tenant_id()));
  EXPECT_EQ(
      desk.done(Desk::tenant_command(
                    domain::SetCurrency{currency("USD"), amount("5"), std::nullopt, {}}, "t2"))
          .kind,
      AnswerKind::kReplayed);
}

TEST(SequencerTest, a_tenant_command_minds_if_match) {
  Desk desk;
  Command command = Desk::tenant_command(domain::CreateTenant{"x", {"k1", {}, {}, {}, "h"}}, "t1");
  command.if_match = 1;
  EXPECT_EQ(desk.done(command).kind, AnswerKind::kVersionMismatch);
  command.if_match = 0;
  EXPECT_EQ(desk.done(command).kind, AnswerKind::kRecorded);
}

}  // namespace
}  // namespace daybook::eventstore

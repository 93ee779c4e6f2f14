#include "api/event_streams.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/queries.h"
#include "tests/api/read_rig.h"

/// Streams of events over the real read side, taken as the HTTP edge takes them.
namespace daybook::api {
namespace {

using Next = BodyStream::Next;

constexpr std::chrono::seconds kLong{20};
constexpr std::int64_t kLifeMicros = 60'000'000;
const TenantId kTenant("acme");

/// Takes what a stream gives, until it has nothing for now or has ended.
class Taker {
 public:
  explicit Taker(std::shared_ptr<BodyStream> stream) : stream_(std::move(stream)) {
    stream_->subscribe([woken = woken_] {
      const std::lock_guard lock(woken->mutex);
      woken->is_set = true;
      woken->changed.notify_all();
    });
  }

  /// kNothingYet: no wake() came in time.
  Next take(std::chrono::milliseconds patience = kLong) {
    for (;;) {
      const Next next = take_once(patience);
      if (next != Next::kData) return next;
    }
  }
  /// What is given at once, waited for.
  Next take_once(std::chrono::milliseconds patience = kLong) {
    for (;;) {
      const std::size_t before = text.size();
      const Next next = stream_->next(text, 65'536);
      largest = std::max(largest, text.size() - before);
      if (next != Next::kNothingYet || !is_woken(patience)) return next;
    }
  }
  std::size_t lines() const {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  std::string text;
  std::size_t largest = 0;  ///< Of what was given at once.

 private:
  struct Woken {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_set = false;
  };
  bool is_woken(std::chrono::milliseconds patience) {
    std::unique_lock lock(woken_->mutex);
    const bool woken = woken_->changed.wait_for(lock, patience, [this] { return woken_->is_set; });
    woken_->is_set = false;
    return woken;
  }

  std::shared_ptr<Woken> woken_ = std::make_shared<Woken>();
  std::shared_ptr<BodyStream> stream_;
};

std::string header_of(const HttpResponse& response, const std::string& name) {
  for (const auto& [header, value] : response.headers) {
    if (header == name) return value;
  }
  return "";
}

class EventStreamsTest : public ::testing::Test {
 protected:
  EventStreamsTest() : minted_(mint_key(rig_.random, "pepper", {}, auditor(), {})) {
    domain::TenantCreated created;
    created.key = minted_.key;
    rig_.record(domain::StreamId::of_tenant(kTenant), created);
    keys_.apply(rig_.pending.back());
  }
  static domain::Roles auditor() {
    domain::Roles roles;
    roles.add(domain::Role::kAuditor);
    return roles;
  }
  void revoke() {
    domain::RecordedEvent event;
    event.stream = domain::StreamId::of_tenant(kTenant);
    event.event = domain::ApiKeyRevoked{minted_.key.id};
    keys_.apply(event);
  }
  HttpResponse answer(EventFormat format, const std::string& query,
                      std::optional<std::string> last_event_id = {},
                      Operation operation = Operation::kListEvents) {
    ReadRequest request;
    request.operation = operation;
    request.params["account"] = "a";
    request.query = std::get<QueryParams>(QueryParams::parse(query, query_names(operation)));
    request.principal = keys_.authenticate(minted_.secret).value();
    request.request_id = "r";
    return event_response(request, format, std::move(last_event_id),
                          {rig_.sources, workers_, applied_, keys_, log_entries_, kLifeMicros});
  }
  Taker open(EventFormat format, Operation operation = Operation::kListEvents) {
    HttpResponse response = answer(format, "", {}, operation);
    EXPECT_EQ(response.status, 200) << response.body;
    CHECK(response.stream != nullptr);
    return Taker(std::move(response.stream));
  }

  ReadRig rig_;
  MintedKey minted_;
  KeyRing keys_{"pepper"};
  Signal applied_;
  WorkerPool workers_{1, 1};
  LogEntries log_entries_;
};

TEST_F(EventStreamsTest, pages_of_lines_find_their_events_behind_any_number_of_foreign_ones) {
  constexpr int kMoreThanOneLook = 110'000;
  const TenantId other("other");
  rig_.record_tenant(other);
  rig_.record_account(other, "hot");
  for (int i = 0; i < kMoreThanOneLook; ++i) {
    rig_.record(domain::StreamId::account(other, AccountId("hot")), domain::AccountFrozen{});
  }
  for (const char* id : {"a", "b", "c"}) rig_.record_account(kTenant, id);
  rig_.commit();
  std::string lines;
  std::string after = "0:0";
  for (int page = 0; !after.empty(); ++page) {
    ASSERT_LT(page, 10);
    const HttpResponse response = answer(EventFormat::kNdjson, "limit=2&after=" + after);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_LE(std::count(response.body.begin(), response.body.end(), '\n'), 2);
    lines += response.body;
    after = header_of(response, "Daybook-Next");
  }
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_LT(lines.find("\"account\":\"a\""), lines.find("\"account\":\"b\""));
  EXPECT_LT(lines.find("\"account\":\"b\""), lines.find("\"account\":\"c\""));
}

TEST_F(EventStreamsTest, whoever_does_not_read_has_little_waiting_and_misses_nothing) {
  constexpr int kEvents = 400;
  const std::string words(3'000, 'w');
  rig_.record_account(kTenant, "a");
  for (int i = 0; i < kEvents; ++i) {
    const std::string reason = "no" + std::to_string(i) + " " + (i % 3 == 0 ? words : "");
    rig_.record(domain::StreamId::account(kTenant, AccountId("a")), domain::AccountFrozen{reason});
  }
  rig_.commit();
  for (const auto operation : {Operation::kListEvents, Operation::kListAccountEvents}) {
    // Together, a chunk each in turn, as their sockets take them.
    std::vector<Taker> takers;
    for (int i = 0; i < 5; ++i) takers.push_back(open(EventFormat::kNdjson, operation));
    std::vector<bool> ended(takers.size());
    while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
      for (std::size_t i = 0; i < takers.size(); ++i) {
        if (!ended[i]) ended[i] = takers[i].take_once() == Next::kEnd;
      }
    }
    const bool has_tenant = operation == Operation::kListEvents;
    for (const Taker& taker : takers) {
      EXPECT_LT(taker.largest, std::size_t{24} << 10);
      EXPECT_EQ(taker.lines(), kEvents + (has_tenant ? 2U : 1U));
      std::size_t at = 0;
      for (int i = 0; i < kEvents; ++i) {
        at = taker.text.find("\"no" + std::to_string(i) + " ", at);
        ASSERT_NE(at, std::string::npos) << i;
      }
    }
  }
}

TEST_F(EventStreamsTest, a_place_behind_the_end_is_refused) {
  rig_.record_account(kTenant, "a");
  rig_.commit();
  for (const auto format : {EventFormat::kPage, EventFormat::kNdjson, EventFormat::kServerSent}) {
    EXPECT_EQ(answer(format, "after=0:1").status, 200);
    EXPECT_EQ(answer(format, "after=0:2").status, 422);
    EXPECT_EQ(answer(format, "", "0:1").status, 200);
    const HttpResponse behind = answer(format, "", "0:2");
    EXPECT_EQ(behind.status, 422);
    EXPECT_NE(behind.body.find("Last-Event-ID"), std::string::npos) << behind.body;
  }
}

TEST_F(EventStreamsTest, a_stream_of_a_revoked_key_gives_nothing_more) {
  rig_.commit();
  auto live = open(EventFormat::kServerSent);
  EXPECT_EQ(live.take(std::chrono::milliseconds(200)), Next::kNothingYet);
  EXPECT_NE(live.text.find("TenantCreated"), std::string::npos);
  auto exported = open(EventFormat::kNdjson);
  revoke();
  rig_.record_account(kTenant, "later");
  rig_.commit();
  applied_.notify();
  EXPECT_EQ(live.take(), Next::kEnd);
  EXPECT_EQ(live.text.find("later"), std::string::npos);
  // An export that ends early must not look whole.
  EXPECT_EQ(exported.take(), Next::kAbort);
  EXPECT_EQ(exported.text, "");
}

TEST_F(EventStreamsTest, a_live_stream_has_a_longest_life) {
  rig_.commit();
  auto live = open(EventFormat::kServerSent);
  rig_.clock.steady_micros = kLifeMicros - 1;
  EXPECT_EQ(live.take(std::chrono::milliseconds(50)), Next::kNothingYet);
  rig_.clock.steady_micros = kLifeMicros;
  EXPECT_EQ(live.take(), Next::kEnd);
}

TEST_F(EventStreamsTest, a_full_queue_of_readers_delays_a_stream_and_does_not_end_it) {
  rig_.commit();
  auto exported = open(EventFormat::kNdjson);
  std::promise<void> go_on;
  std::promise<void> begun;
  ASSERT_TRUE(workers_.post([&] {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(workers_.post([] {}));
  ASSERT_FALSE(workers_.post([] {})) << "the queue is not full";
  EXPECT_EQ(exported.take(std::chrono::milliseconds(50)), Next::kNothingYet);
  go_on.set_value();
  EXPECT_EQ(exported.take(), Next::kEnd);
  EXPECT_EQ(exported.lines(), 1U);
}

}  // namespace
}  // namespace daybook::api

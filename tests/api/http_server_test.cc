#include "api/http_server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "api/http_wire.h"
#include "tests/api/http_gate_cases.h"
#include "tests/api/http_test_client.h"
#include "tests/api/http_test_handler.h"

namespace daybook::api {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kMarker = "GET /marker HTTP/1.1\r\nHost: a\r\n\r\n";

std::string request(std::string_view method, std::string_view path, std::string_view body) {
  return std::string(method) + " " + std::string(path) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

class HttpServerTest : public testing::Test {
 protected:
  void start() {
    server = std::make_unique<HttpServer>(config, handler);
    const Result<std::uint16_t> started = server->start();
    ASSERT_TRUE(started.ok()) << started.status().message();
    port = *started;
  }

  /// Waits until the condition holds, at most 5 s.
  template <class Condition>
  bool eventually(Condition condition) {
    const Clock::time_point end = Clock::now() + std::chrono::seconds(5);
    while (!condition()) {
      if (Clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }
  bool all_connections_end() {
    return eventually([this] {
      const HttpServerStats stats = server->stats();
      return stats.accepted > 0 && stats.open_connections == 0;
    });
  }

  HttpServerConfig config;
  TestHandler handler;  // before the server: it must outlive it
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;
};

TEST_F(HttpServerTest, an_answer_carries_what_every_answer_must) {
  start();
  RawClient client(port);
  const RawAnswer answer = client.ask(request("POST", "/a%20b?q=1", "hello"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "/a b|hello");
  EXPECT_EQ(answer.header("Content-Length"), "10");
  EXPECT_EQ(answer.header("X-Request-Id").size(), 32U);
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(answer.header("Connection"), "");
  const std::string date = answer.header("Date");
  ASSERT_EQ(date.size(), 29U) << date;
  EXPECT_EQ(date.substr(25), " GMT");
  const RawAnswer again = client.get("/cached");
  EXPECT_EQ(again.header("Cache-Control"), "max-age=60");
  EXPECT_NE(again.header("X-Request-Id"), answer.header("X-Request-Id"));
}

TEST_F(HttpServerTest, a_refusal_is_a_problem_with_the_id_of_its_request) {
  start();
  RawClient client(port);
  const RawAnswer answer = client.ask("GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(answer.body,
            R"({"type":"https://daybook.dev/problems/malformed-target","title":"Malformed target",)"
            R"("status":400,"detail":"The path holds `//`.","request_id":")" +
                answer.header("X-Request-Id") + "\"}");
  EXPECT_TRUE(client.ends());
}

/// The two-request oracle: whatever stands before it, a marker request on the same connection is
/// answered as itself or not at all, and no byte of a refused request reaches the handler.
TEST_F(HttpServerTest, no_case_of_the_gate_table_disturbs_the_next_request) {
  config.header_deadline = milliseconds(3'000);
  config.linger = milliseconds(100);
  start();
  for (const GateCase& one : all_gate_cases()) {
    SCOPED_TRACE(std::string(one.name) + ": " + one.raw.substr(0, 200));
    handler.seen.clear();
    RawClient client(port);
    client.send(one.raw + one.body + std::string(kMarker));
    const RawAnswer first = client.read(one.raw.starts_with("HEAD"));
    EXPECT_EQ(first.status, one.status == 0 ? 200 : one.status);
    if (one.close) {
      EXPECT_EQ(first.header("Connection"), "close");
      EXPECT_TRUE(client.ends());
    } else {
      EXPECT_EQ(client.read().body, "/marker|");
    }
    std::vector<std::string> expected;
    if (one.status == 0) {
      const std::size_t space = one.raw.find(' ');
      expected.push_back(one.raw.substr(0, one.raw.find(' ', space + 1)) + " " + one.body);
    }
    if (!one.close) expected.emplace_back("GET /marker ");
    const std::lock_guard lock(handler.mutex);
    EXPECT_EQ(handler.seen, expected);
  }
}

TEST_F(HttpServerTest, where_the_bytes_are_split_changes_nothing) {
  config.linger = milliseconds(50);
  start();
  const std::string body = request("POST", "/echo", "hello\r\n\r\nworld");
  const std::vector<std::string> streams = {
      body + std::string(kMarker),
      "GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n fold\r\n\r\n" + std::string(kMarker),
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
          std::string(kMarker),
      "GET /a HTTP/1.1\nHost: a\n\n" + std::string(kMarker)};
  for (const std::string& bytes : streams) {
    std::optional<std::string> whole;
    for (std::size_t split = 0; split < bytes.size(); ++split) {
      RawClient client(port);
      if (split > 0) {
        client.send(std::string_view(bytes).substr(0, split));
        std::this_thread::sleep_for(std::chrono::microseconds(300));
      }
      client.send(std::string_view(bytes).substr(split));
      std::string answers;
      for (int i = 0; i < 2; ++i) {
        const RawAnswer answer = client.read();
        answers += std::to_string(answer.status) + (answer.status == 200 ? answer.body : "") + ";";
      }
      if (!whole) whole = answers;
      ASSERT_EQ(answers, *whole) << "split at " << split << " of " << bytes;
    }
  }
}

TEST_F(HttpServerTest, pipelined_requests_are_answered_one_by_one_in_order) {
  start();
  RawClient client(port);
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes += request("POST", i % 3 == 0 ? "/later" : "/echo", std::to_string(i));
  }
  client.send(bytes);
  for (int i = 0; i < 100; ++i) {
    const RawAnswer answer = client.read();
    ASSERT_EQ(answer.body, (i % 3 == 0 ? "/later|" : "/echo|") + std::to_string(i));
  }
}

TEST_F(HttpServerTest, answers_to_head_and_204_have_no_body) {
  start();
  RawClient client(port);
  client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const RawAnswer head = client.read(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "3");
  const RawAnswer empty = client.get("/empty");
  EXPECT_EQ(empty.status, 204);
  EXPECT_EQ(empty.header("Content-Length"), "");
  client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_EQ(client.get("/marker").body, "/marker|");
}

TEST_F(HttpServerTest, a_head_refused_with_the_connection_kept_has_no_body_either) {
  start();
  RawClient client(port);
  client.send("HEAD /x HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 417);
  EXPECT_EQ(client.get("/marker").body, "/marker|");
}

TEST_F(HttpServerTest, a_large_answer_arrives_whole) {
  start();
  RawClient client(port, 4096);
  const RawAnswer answer = client.get("/large");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body, std::string(8U << 20U, 'L'));
  EXPECT_EQ(client.get("/marker").body, "/marker|");
}

TEST_F(HttpServerTest, a_large_body_arrives_whole) {
  start();
  RawClient client(port);
  std::string body(3U << 20U, 'b');
  for (std::size_t i = 0; i < body.size(); i += 4099) body[i] = static_cast<char>('a' + i % 26);
  EXPECT_EQ(client.ask(request("POST", "/large-body", body)).body, "/large-body|" + body);
}

// --- bodies -------------------------------------------------------------------------------------

TEST_F(HttpServerTest, a_body_over_the_limit_of_its_route_is_refused_unread) {
  start();
  RawClient fits(port);
  EXPECT_EQ(fits.ask(request("POST", "/a", std::string(1000, 'x'))).status, 200);
  RawClient client(port);
  const RawAnswer answer =
      client.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");  // no body sent
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(handler.count_seen(), 1U);
}

TEST_F(HttpServerTest, a_client_that_waits_is_told_to_continue_only_if_its_body_is_wanted) {
  start();
  const auto head = [](std::string_view path, int length) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
           "Content-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  RawClient wanted(port);
  EXPECT_EQ(wanted.ask(head("/a", 5)).status, 100);
  EXPECT_EQ(wanted.ask("hello").body, "/a|hello");
  EXPECT_EQ(wanted.ask(head("/a", 5) + "there").body, "/a|there");  // did not wait: no 100
  EXPECT_EQ(wanted.ask(head("/a", 0)).body, "/a|");
  RawClient large(port);
  EXPECT_EQ(large.ask(head("/a", 1001)).status, 413);
  EXPECT_TRUE(large.ends());
  RawClient denied(port);
  const RawAnswer refusal = denied.ask(head("/deny", 5));
  EXPECT_EQ(refusal.status, 401);
  EXPECT_EQ(refusal.header("Connection"), "close");  // its body may come or not
  EXPECT_TRUE(denied.ends());
}

TEST_F(HttpServerTest, the_small_body_of_a_refused_request_is_read_past) {
  start();
  RawClient client(port);
  const std::string denied = request("POST", "/deny", std::string(kMarker));
  client.send(denied.substr(0, denied.size() - 3));
  EXPECT_EQ(client.read().status, 401);
  client.send(denied.substr(denied.size() - 3));
  EXPECT_EQ(client.get("/marker").body, "/marker|");
  EXPECT_EQ(handler.count_seen(), 1U);
}

TEST_F(HttpServerTest, the_large_body_of_a_refused_request_ends_the_connection) {
  config.max_drained_body_bytes = 10;
  start();
  RawClient client(port);
  const RawAnswer answer = client.ask(request("POST", "/deny", "more than ten"));
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.ends());
}

TEST_F(HttpServerTest, bodies_in_flight_have_a_common_limit) {
  config.max_body_bytes_in_flight = 900;
  start();
  RawClient first(port);
  first.send(request("POST", "/never", std::string(500, 'x')));
  const Respond respond = handler.kept_respond();
  RawClient second(port);
  const RawAnswer answer = second.ask(request("POST", "/a", std::string(500, 'x')));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  respond(HttpResponse{});
  EXPECT_EQ(first.read().status, 200);
  RawClient third(port);
  EXPECT_EQ(third.ask(request("POST", "/a", std::string(500, 'x'))).status, 200);
}

TEST(OutgoingTest, what_was_sent_leaves_no_memory_behind) {
  Outgoing out;
  out.text().assign(1U << 20U, 't');
  out.set_body(std::string(1U << 20U, 'b'));
  out.advance(2U << 20U);
  out.clear();
  EXPECT_LT(out.capacity(), 1000U);
}

TEST_F(HttpServerTest, a_body_takes_room_for_what_came_of_it_not_for_what_it_announces) {
  config.max_body_bytes_in_flight = 100'000;
  start();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 10; ++i) {
    slow.push_back(std::make_unique<RawClient>(port));
    slow.back()->send("POST /large-body HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\nx");
  }
  ASSERT_TRUE(eventually([this] { return server->stats().requests == 10; }));
  RawClient client(port);
  EXPECT_EQ(client.ask(request("POST", "/large-body", std::string(50'000, 'x'))).status, 200);
  for (const auto& one : slow) one->send(std::string(49'000, 'y'));
  const auto refused = [&slow] {  // two of them fit
    return std::count_if(slow.begin(), slow.end(), [](const auto& one) { return one->hears(0); });
  };
  ASSERT_TRUE(eventually([&refused] { return refused() >= 8; }));
  for (const auto& one : slow) {
    if (!one->hears(0)) continue;
    const RawAnswer answer = one->read();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Retry-After"), "1");
  }
}

TEST_F(HttpServerTest, answers_that_nobody_reads_make_room_for_others) {
  config.max_answer_bytes_in_flight = 20U << 20U;  // two of them, with what their sockets take
  start();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<RawClient>(port, 4096));
    slow.back()->send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_TRUE(eventually([this] { return server->stats().answers_cut == 6; }));
  RawClient client(port);
  EXPECT_EQ(client.get("/marker").body, "/marker|");  // small ones need no room
  std::this_thread::sleep_for(milliseconds(1'100));
  EXPECT_EQ(client.get("/large").body.size(), 8U << 20U);
  EXPECT_EQ(server->stats().answers_cut, 8U);
  EXPECT_TRUE(eventually([this] { return server->stats().open_connections == 1; }));
}

TEST_F(HttpServerTest, large_bodies_that_stop_half_way_leave_room_for_small_ones) {
  config.max_body_bytes_in_flight = 1'000'000;
  start();
  std::vector<std::unique_ptr<RawClient>> large;
  for (int i = 0; i < 3; ++i) {
    large.push_back(std::make_unique<RawClient>(port));
    large.back()->send("POST /large-body HTTP/1.1\r\nHost: a\r\nContent-Length: 240000\r\n\r\n" +
                       std::string(239'000, 'x'));
  }
  const auto is_refused = [this] {
    RawClient greedy(port);
    greedy.send("POST /large-body HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    return greedy.hears(20) && greedy.read().status == 503;
  };
  ASSERT_TRUE(eventually(is_refused));  // once the server has read what was sent
  for (int i = 0; i < 3; ++i) {
    RawClient small(port);
    EXPECT_EQ(small.ask(request("POST", "/large-body", std::string(60'000, 'x'))).status, 200);
  }
}

// --- deadlines ----------------------------------------------------------------------------------

TEST_F(HttpServerTest, a_header_that_trickles_in_is_cut_at_its_deadline) {
  config.header_deadline = milliseconds(150);
  start();
  RawClient client(port);
  const Clock::time_point begin = Clock::now();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  while (!client.hears(10) && Clock::now() - begin < milliseconds(4'000)) client.send("x");
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
  EXPECT_EQ(server->stats().timeouts, 1U);
}

TEST_F(HttpServerTest, a_second_header_has_a_deadline_of_its_own) {
  config.header_deadline = milliseconds(100);
  start();
  RawClient client(port);
  EXPECT_EQ(client.get("/a").status, 200);
  EXPECT_EQ(client.ask("GET / HT").status, 408);
  EXPECT_TRUE(client.ends());
}

TEST_F(HttpServerTest, silence_ends_a_connection_without_a_word) {
  config.header_deadline = milliseconds(80);
  config.idle_deadline = milliseconds(160);
  start();
  RawClient fresh(port);
  RawClient used(port);
  EXPECT_EQ(used.get("/a").status, 200);
  const Clock::time_point begin = Clock::now();
  EXPECT_TRUE(fresh.ends());
  EXPECT_TRUE(used.ends());
  EXPECT_GE(Clock::now() - begin, milliseconds(140));
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
}

TEST_F(HttpServerTest, a_body_below_the_minimum_rate_is_cut) {
  config.body_grace = milliseconds(100);
  config.body_bytes_per_second = 1000;
  start();
  RawClient client(port);
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
  const Clock::time_point begin = Clock::now();
  while (client.send("x") && Clock::now() - begin < milliseconds(200)) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(client.read().status, 408);
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
  EXPECT_EQ(handler.count_seen(), 0U);
}

TEST_F(HttpServerTest, a_body_above_the_minimum_rate_has_a_deadline_in_total) {
  config.body_deadline = milliseconds(150);
  config.body_bytes_per_second = 1;
  start();
  RawClient client(port);
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
  const Clock::time_point begin = Clock::now();
  while (client.send("xxxx") && Clock::now() - begin < milliseconds(250)) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(client.read().status, 408);
}

TEST_F(HttpServerTest, a_client_that_does_not_read_its_answer_is_cut) {
  config.write_stall = milliseconds(100);
  start();
  RawClient client(port, 4096);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(all_connections_end());
  EXPECT_EQ(server->stats().timeouts, 1U);
}

TEST_F(HttpServerTest, a_handler_that_never_answers_is_answered_for) {
  config.handler_deadline = milliseconds(80);
  start();
  RawClient client(port);
  const RawAnswer answer = client.get("/never");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("problems/storage-degraded"), std::string::npos) << answer.body;
  EXPECT_FALSE(answer.header("Retry-After").empty());
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.ends());
  handler.kept_respond()(HttpResponse{});  // too late, and harmless
  RawClient other(port);
  EXPECT_EQ(other.get("/marker").body, "/marker|");
}

// --- handlers -----------------------------------------------------------------------------------

TEST_F(HttpServerTest, an_exception_out_of_a_handler_is_a_500) {
  start();
  for (const std::string_view path : {"/throw", "/throw-header"}) {
    RawClient client(port);
    const RawAnswer answer = client.get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_NE(answer.body.find("problems/internal"), std::string::npos);
    EXPECT_EQ(answer.body.find("runtime"), std::string::npos);
    EXPECT_TRUE(client.ends());
  }
  EXPECT_EQ(server->stats().failures, 2U);
}

TEST_F(HttpServerTest, a_header_value_cannot_write_headers_of_its_own) {
  start();
  RawClient client(port);
  const RawAnswer answer = client.get("/inject");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.head.find("Evil"), std::string::npos);
}

TEST_F(HttpServerTest, only_the_first_of_two_answers_counts) {
  start();
  RawClient client(port);
  EXPECT_EQ(client.get("/twice").body, "/twice|");
  EXPECT_EQ(client.get("/marker").body, "/marker|");
}

TEST_F(HttpServerTest, an_answer_for_a_client_that_left_is_dropped) {
  start();
  {
    RawClient client(port);
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    handler.kept_respond()(HttpResponse{});
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  handler.kept_respond()(HttpResponse{});
  EXPECT_TRUE(all_connections_end());
}

TEST_F(HttpServerTest, many_clients_are_served_by_several_threads) {
  config.threads = 2;
  start();
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([this, c, &good] {
      RawClient client(port);
      for (int i = 0; i < 25; ++i) {
        const std::string body = std::to_string(c) + "." + std::to_string(i);
        const std::string path = i % 2 == 0 ? "/later" : "/echo";
        if (client.ask(request("POST", path, body)).body == path + "|" + body) ++good;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good.load(), 200);
}

// --- streams ------------------------------------------------------------------------------------

TEST_F(HttpServerTest, a_stream_is_sent_in_chunks_as_it_comes) {
  config.stream_heartbeat = milliseconds(3'000);
  start();
  RawClient client(port);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kMarker));
  ASSERT_TRUE(client.fill_until("\r\n\r\n"));  // the header does not wait for data
  handler.stream->give("one");
  ASSERT_TRUE(client.fill_until("one"));
  handler.stream->give("two", BodyStream::Next::kEnd);
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.header("Transfer-Encoding"), "chunked");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body, "onetwo");
  EXPECT_EQ(client.read().body, "/marker|");
}

TEST_F(HttpServerTest, a_quiet_stream_sends_heartbeats) {
  config.stream_heartbeat = milliseconds(30);
  start();
  RawClient client(port);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(client.fill_until(":\n\n\r\n3\r\n:\n\n\r\n"));
  handler.stream->give("data", BodyStream::Next::kEnd);
  const RawAnswer answer = client.read();
  EXPECT_TRUE(answer.whole);
  EXPECT_TRUE(answer.body.ends_with(":\n\ndata")) << answer.body;
}

TEST_F(HttpServerTest, a_stream_without_heartbeats_may_not_be_quiet_for_ever) {
  config.handler_deadline = milliseconds(60);
  handler.stream = std::make_shared<ScriptedStream>(false, "");
  start();
  RawClient client(port);
  const RawAnswer answer = client.get("/stream");
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.whole);
}

TEST_F(HttpServerTest, a_stream_that_fails_does_not_look_complete) {
  handler.stream->give("half", BodyStream::Next::kAbort);
  start();
  RawClient client(port);
  const RawAnswer answer = client.get("/stream");
  EXPECT_EQ(answer.body, "half");
  EXPECT_FALSE(answer.whole);
}

TEST_F(HttpServerTest, a_client_that_stops_reading_its_stream_is_cut) {
  config.stream_stall = milliseconds(100);
  start();
  RawClient client(port, 4096);
  client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(all_connections_end());
}

TEST_F(HttpServerTest, a_stream_is_let_go_when_its_client_is) {
  config.stream_heartbeat = milliseconds(20);
  start();
  ScriptedStream* stream = handler.stream.get();
  {
    RawClient client(port);
    client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(client.fill_until("\r\n\r\n"));
  }
  EXPECT_TRUE(all_connections_end());
  stream->give("nobody hears it");
  EXPECT_EQ(handler.stream.use_count(), 1);
}

TEST_F(HttpServerTest, a_flood_to_one_client_leaves_room_for_others) {
  start();
  RawClient flooded(port);
  flooded.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  std::thread reader([&] {
    std::string chunk;
    ASSERT_TRUE(flooded.fill_until("\r\n\r\n"));
    EXPECT_EQ(flooded.read(true).status, 200);
    for (int i = 0; i < 300; ++i) EXPECT_TRUE(flooded.read_chunk(chunk));
  });
  RawClient client(port);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/marker").body, "/marker|");
  reader.join();
}

// --- limits and the end -------------------------------------------------------------------------

TEST_F(HttpServerTest, a_connection_ends_after_its_number_of_requests) {
  config.max_requests_per_connection = 3;
  start();
  RawClient client(port);
  EXPECT_EQ(client.get("/a").header("Connection"), "");
  EXPECT_EQ(client.get("/a").header("Connection"), "");
  EXPECT_EQ(client.get("/a").header("Connection"), "close");
  EXPECT_TRUE(client.ends());
}

TEST_F(HttpServerTest, a_client_may_close_after_its_answer) {
  start();
  RawClient client(port);
  const RawAnswer answer =
      client.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + std::string(kMarker));
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.ends());
  EXPECT_EQ(handler.count_seen(), 1U);
}

TEST_F(HttpServerTest, connections_over_the_limit_are_turned_away) {
  config.max_connections = 2;
  start();
  RawClient first(port);
  RawClient second(port);
  EXPECT_EQ(first.get("/a").status, 200);
  EXPECT_EQ(second.get("/a").status, 200);
  RawClient third(port);
  EXPECT_EQ(third.read().status, 503);
  EXPECT_EQ(server->stats().rejected, 1U);
  first.close();
  EXPECT_TRUE(eventually([this] { return server->stats().open_connections == 1; }));
  RawClient fourth(port);
  EXPECT_EQ(fourth.get("/a").status, 200);
}

TEST_F(HttpServerTest, without_descriptors_it_waits_instead_of_spinning) {
  start();
  RawClient client;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(client.fd()) + 1;  // the lowest free one when it was opened
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  client.connect(port);
  EXPECT_TRUE(eventually([this] { return server->stats().accept_failures >= 2; }));
  const std::uint64_t failures = server->stats().accept_failures;
  std::this_thread::sleep_for(milliseconds(250));
  EXPECT_LE(server->stats().accept_failures, failures + 4);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(client.get("/a").status, 200);
}

TEST_F(HttpServerTest, stop_lets_running_requests_end_and_closes_idle_connections) {
  handler.delay = milliseconds(150);
  start();
  RawClient idle(port);
  EXPECT_EQ(idle.get("/a").status, 200);
  RawClient fresh(port);
  RawClient busy(port);
  busy.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([this] { return handler.count_seen() == 2; }));
  RawClient streaming(port);
  streaming.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(streaming.fill_until("\r\n\r\n"));
  std::thread reader([&] {
    const RawAnswer answer = busy.read();
    EXPECT_EQ(answer.body, "/later|");
    EXPECT_EQ(answer.header("Connection"), "close");
    busy.close();
    EXPECT_TRUE(streaming.read().whole);  // it is endless: ended in good order
    streaming.close();
  });
  const Clock::time_point begin = Clock::now();
  server->stop(std::chrono::seconds(5));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(3));
  reader.join();
  EXPECT_TRUE(idle.ends());
  EXPECT_TRUE(fresh.ends());
  EXPECT_EQ(server->stats().open_connections, 0U);
}

TEST_F(HttpServerTest, stop_cuts_what_does_not_end_by_the_deadline) {
  handler.stream = std::make_shared<ScriptedStream>(false, ":\n\n");
  start();
  RawClient stuck(port);
  stuck.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  const Respond respond = handler.kept_respond();
  RawClient streaming(port);
  streaming.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(streaming.fill_until("\r\n\r\n"));
  RawClient flooded(port, 4096);
  flooded.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(flooded.fill_until("\r\n\r\n"));
  RawClient half(port);
  half.send("GET /a HTTP/1.1\r\nHo");
  const Clock::time_point begin = Clock::now();
  server->stop(milliseconds(100));
  EXPECT_LT(Clock::now() - begin, milliseconds(1'000));
  EXPECT_TRUE(stuck.ends());
  EXPECT_FALSE(streaming.read().whole);
  server.reset();
  respond(HttpResponse{});  // after the end of everything
}

TEST_F(HttpServerTest, answers_may_race_with_the_end) {
  handler.delay = milliseconds(2);
  for (int round = 0; round < 20; ++round) {
    config.threads = round % 2 == 0 ? 1 : 2;
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(std::make_unique<RawClient>(port));
      clients.back()->send(request("POST", "/later", "x"));
    }
    server->stop(milliseconds(round % 4));
    server.reset();
  }
}

TEST_F(HttpServerTest, a_bad_address_or_a_taken_port_is_an_error) {
  start();
  HttpServerConfig taken = config;
  taken.port = port;
  HttpServer second(taken, handler);
  EXPECT_EQ(second.start().status().code(), StatusCode::kIo);
  HttpServerConfig name = config;
  name.address = "localhost";
  HttpServer third(name, handler);
  EXPECT_EQ(third.start().status().code(), StatusCode::kInvalid);
  HttpServerConfig tls = config;
  tls.tls_certificate_file = "/nonexistent/cert.pem";
  tls.tls_key_file = "/nonexistent/key.pem";
  HttpServer fourth(tls, handler);
  EXPECT_EQ(fourth.start().status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace daybook::api

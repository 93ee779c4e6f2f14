#include "api/answers.h"

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/events.h"
#include "tests/support/golden_file.h"

/// The answer that every event type gives, to the byte and for ever: a repeated request gets the
/// same one after any number of releases.
namespace daybook::api {
namespace {

using eventstore::Answer;
using eventstore::AnswerKind;
using eventstore::PlacedEvent;

struct Case {
  std::string name;
  Answer answer;
  AnswerContext context;
};

/// Of a POST.
AnswerContext usual_context() { return {true, "0123456789abcdef", 3, std::nullopt}; }

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const auto& event : domain::representative_events()) {
    Answer answer;
    answer.kind = AnswerKind::kRecorded;
    answer.event = std::make_shared<const PlacedEvent>(PlacedEvent{event, 7'000'001});
    answer.version = event.version;
    const std::string name(domain::name_of(event.event));
    cases.push_back({name, answer, usual_context()});
    if (std::holds_alternative<domain::TenantCreated>(event.event) ||
        std::holds_alternative<domain::ApiKeyCreated>(event.event)) {
      AnswerContext first = usual_context();
      first.secret = "db_k-0001_secret";
      cases.push_back({name + "_secret", answer, first});
    }
  }
  return cases;
}

std::string file_of(const Case& one) { return "answers/" + one.name + "_v1.http"; }

/// As it goes over the wire, but for what the server adds of its own.
std::string text_of(const HttpResponse& response) {
  std::string text = std::to_string(response.status) + "\n";
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\n";
  return text + "\n" + response.body;
}

TEST(AnswersTest, every_event_type_is_answered_as_it_always_was) {
  for (const Case& one : cases()) {
    const std::string found = text_of(to_response(one.answer, one.context));
    EXPECT_EQ(found, test::golden(file_of(one), found)) << one.name;
  }
}

TEST(AnswersTest, a_repeated_request_gets_the_body_of_the_first_and_no_secret) {
  for (const Case& one : cases()) {
    if (one.context.secret) continue;
    const HttpResponse first = to_response(one.answer, one.context);
    Answer again = one.answer;
    again.kind = AnswerKind::kReplayed;
    AnswerContext context = one.context;
    context.secret = "db_k-0001_secret";
    HttpResponse replayed = to_response(again, context);
    EXPECT_EQ(replayed.body, first.body) << one.name;
    EXPECT_EQ(replayed.status, first.status) << one.name;
    ASSERT_FALSE(replayed.headers.empty());
    EXPECT_EQ(replayed.headers.back().first, "Idempotent-Replayed") << one.name;
    replayed.headers.pop_back();
    EXPECT_EQ(replayed.headers, first.headers) << one.name;
  }
}

TEST(AnswersTest, only_the_status_of_a_put_is_another) {
  for (const Case& one : cases()) {
    AnswerContext put = one.context;
    put.is_post = false;
    const HttpResponse answer = to_response(one.answer, put);
    const HttpResponse of_post = to_response(one.answer, one.context);
    EXPECT_EQ(answer.body, of_post.body) << one.name;
    EXPECT_EQ(answer.status, of_post.status == 201 ? 200 : of_post.status) << one.name;
  }
}

TEST(AnswersTest, no_golden_file_stands_for_an_answer_that_is_gone) {
  std::set<std::string> expected;
  for (const Case& one : cases()) expected.insert(test::golden_path(file_of(one)).string());
  std::set<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(test::golden_path("answers"))) {
    found.insert(file.path().string());
  }
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace daybook::api

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>  // IWYU pragma: keep

#include "api/json_reader.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/http_client.h"
#include "domain/base/result.h"
#include "eventstore/digest.h"
#include "eventstore/json_text.h"
#include "eventstore/system_ports.h"

namespace daybook::app {
namespace {

using api::JsonValue;
using eventstore::JsonObject;

/// Pages of `keys list`: a tenant has at most 10,000 keys.
constexpr int kPagesMax = 100;

struct Options {
  std::string url;
  std::string key_file;
  bool json = false;
  std::string name;
  std::vector<std::string> roles;
  std::vector<std::string> accounts;
  std::string id;
};

/// `a,b` from a list of texts.
std::string joined(const JsonValue* list) {
  std::string text;
  if (list == nullptr || list->array() == nullptr) return text;
  for (const JsonValue& element : *list->array()) {
    if (element.string() == nullptr) continue;
    if (!text.empty()) text += ',';
    text += *element.string();
  }
  return text;
}

std::string json_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> values;
  values.reserve(texts.size());
  for (const std::string& text : texts) values.push_back(eventstore::json_string(text));
  return eventstore::json_array(values);
}

Result<JsonValue> call(const Options& options, const HttpCall& request) {
  auto client = HttpClient::open(options.url, options.key_file);
  if (!client.ok()) return client.status();
  auto answer = (*client)->send(request);
  if (!answer.ok()) return answer.status();
  return json_of(*answer);
}

/// Sent once: a repetition would get the answer without the secret.
int create(const Options& options) {
  JsonObject body;
  body.raw("roles", json_texts(options.roles));
  if (!options.name.empty()) body.string("name", options.name);
  if (!options.accounts.empty()) body.raw("accounts", json_texts(options.accounts));
  const eventstore::SystemRandom random;
  auto answer = call(options, {"POST", "/v1/keys", body.text(),
                               "keys-create:" + eventstore::to_hex(random.bytes(16))});
  if (!answer.ok()) return report(answer.status());
  const JsonValue* key = answer->find("result");
  if (key == nullptr) return report(invalid("the server answered without a key"));
  if (options.json) {
    std::cout << canonical_text(*key) << '\n';
  } else {
    std::cout << "id:     " << printable(text_member(*key, "id"))
              << "\nsecret: " << printable(text_member(*key, "secret")) << '\n';
    std::cerr << "The secret is shown this once.\n";
  }
  return kExitOk;
}

std::string text_row(const JsonValue& key) {
  const std::string revoked = text_member(key, "revoked_at");
  return printable(text_member(key, "id") + "  " + joined(key.find("roles")) + "  " +
                   (revoked.empty() ? "active" : "revoked " + revoked) + "  " +
                   text_member(key, "name"));
}

/// Every page of the list, a row for each key.
Result<std::vector<std::string>> rows_of(HttpClient& client, bool json) {
  std::vector<std::string> rows;
  std::string next;
  for (int page = 0; page < kPagesMax; ++page) {
    const std::string cursor = next.empty() ? "" : "&cursor=" + percent_encoded(next);
    auto answer = client.send({"GET", "/v1/keys?limit=1000" + cursor});
    if (!answer.ok()) return answer.status();
    auto keys = json_of(*answer);
    if (!keys.ok()) return keys.status();
    const JsonValue* data = keys->find("data");
    if (data == nullptr || data->array() == nullptr) return invalid("no list of keys");
    for (const JsonValue& key : *data->array()) {
      rows.push_back(json ? canonical_text(key) : text_row(key));
    }
    next = text_member(*keys, "next");
    if (next.empty()) return rows;
    if (data->array()->empty()) break;
  }
  return invalid("the server's list of keys does not end");
}

int list(const Options& options) {
  auto client = HttpClient::open(options.url, options.key_file);
  if (!client.ok()) return report(client.status());
  auto rows = rows_of(**client, options.json);
  if (!rows.ok()) return report(rows.status());
  if (options.json) {
    std::cout << JsonObject().raw("data", eventstore::json_array(*rows)).text() << '\n';
  } else {
    for (const std::string& row : *rows) std::cout << row << '\n';
  }
  return kExitOk;
}

int revoke(const Options& options) {
  auto answer = call(options, {"DELETE", "/v1/keys/" + percent_encoded(options.id)});
  if (!answer.ok()) return report(answer.status());
  if (options.json) {
    std::cout << canonical_text(*answer) << '\n';
  } else {
    const JsonValue* event = answer->find("event");
    const bool nothing = event == nullptr || event->is_null();
    std::cout << options.id << (nothing ? " was revoked before\n" : " is revoked\n");
  }
  return kExitOk;
}

void add_common(CLI::App& command, const std::shared_ptr<Options>& options) {
  command.add_option("--url", options->url, "URL of the server")
      ->required()
      ->check([](const std::string& url) { return check_url(url).message(); });
  command.add_option("--key-file", options->key_file, "File with the admin key, bare")->required();
  command.add_flag("--json", options->json, "Print JSON");
}

}  // namespace

void add_keys(CLI::App& app, Command& chosen) {
  auto* keys = app.add_subcommand("keys", "Manage the API keys of a served ledger");
  keys->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* creating = keys->add_subcommand("create", "Create a key; its secret is shown once");
  creating->add_option("--name", options->name, "What the key is for");
  creating->add_option("--role", options->roles, "admin, operator, auditor or client; repeatable")
      ->required()
      ->check(CLI::IsMember({"admin", "operator", "auditor", "client"}));
  creating->add_option("--account", options->accounts, "Account of a client key; repeatable");
  add_common(*creating, options);
  creating->callback([&chosen, options] { chosen = [options] { return create(*options); }; });

  auto* listing = keys->add_subcommand("list", "List keys, without their secrets");
  add_common(*listing, options);
  listing->callback([&chosen, options] { chosen = [options] { return list(*options); }; });

  auto* revoking = keys->add_subcommand("revoke", "Revoke a key, at once and for good");
  revoking->add_option("id", options->id, "Id of the key")->required();
  add_common(*revoking, options);
  revoking->callback([&chosen, options] { chosen = [options] { return revoke(*options); }; });
}

}  // namespace daybook::app

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace daybook::api {

/// One request as raw bytes and what must become of it.
struct GateCase {
  std::string_view name;
  std::string raw;        ///< Header, up to and with the empty line where there is one.
  int status = 0;         ///< 0: accepted.
  std::string_view slug;  ///< Of the problem, empty where accepted.
  bool close = true;      ///< Must the connection end?
  std::string body;       ///< Follows the header on the wire.
};

namespace gate_cases {

inline std::string get(std::string_view fields) {
  return "GET /v1/x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view fields) {
  return "POST /v1/x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
inline std::string target(std::string_view text) {
  return "GET " + std::string(text) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
inline std::string many_fields(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) fields += "X-" + std::to_string(i) + ": v\r\n";
  return fields;
}

inline constexpr std::string_view kFraming = "malformed-framing";
inline constexpr std::string_view kHeader = "malformed-header";
inline constexpr std::string_view kTarget = "malformed-target";
inline constexpr std::string_view kLength = "length-required";

inline std::vector<GateCase> transfer_encodings() {
  std::vector<GateCase> cases;
  for (const std::string_view value :
       {"chunked", "xchunked", "identity", "chunked, identity", "chunked, chunked", "\"chunked\"",
        "gzip, chunked", "", "CHUNKED", "\tchunked", "chunked;q=1"}) {
    cases.push_back({"transfer-encoding", post("Transfer-Encoding: " + std::string(value) + "\r\n"),
                     411, kLength, true, "5\r\nhello\r\n0\r\n\r\n"});
  }
  cases.push_back({"te then cl", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 411,
                   kLength, true, "0\r\n\r\n"});
  cases.push_back({"cl then te", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 411,
                   kLength, true, "0\r\n\r\n"});
  cases.push_back({"two te", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
                   411, kLength, true, "0\r\n\r\n"});
  cases.push_back(
      {"te in odd case", post("tRANSFER-eNCODING: chunked\r\n"), 411, kLength, true, "0\r\n\r\n"});
  cases.push_back(
      {"te on get", get("Transfer-Encoding: chunked\r\n"), 411, kLength, true, "0\r\n\r\n"});
  cases.push_back({"te with space before the colon", post("Transfer-Encoding : chunked\r\n"), 400,
                   kHeader, true, "0\r\n\r\n"});
  cases.push_back({"te after a tab", post("\tTransfer-Encoding: chunked\r\n"), 400, kHeader, true,
                   "0\r\n\r\n"});
  cases.push_back({"te folded", post("X: a\r\n Transfer-Encoding: chunked\r\n"), 400, kHeader, true,
                   "0\r\n\r\n"});
  cases.push_back({"te with a folded value", post("Transfer-Encoding:\r\n chunked\r\n"), 411,
                   kLength, true, "0\r\n\r\n"});
  cases.push_back({"te hidden behind LF", post("X: a\nTransfer-Encoding: chunked\r\n"), 400,
                   kFraming, true, "0\r\n\r\n"});
  cases.push_back({"te hidden behind CR", post("X: a\rTransfer-Encoding: chunked\r\n"), 400,
                   kFraming, true, "0\r\n\r\n"});
  cases.push_back({"te with NUL", post(std::string("Transfer-Encoding\0: chunked\r\n", 29)), 400,
                   kHeader, true, "0\r\n\r\n"});
  return cases;
}

inline std::vector<GateCase> lengths() {
  const auto refused = [](std::string_view value, std::string body) {
    return GateCase{"content-length",
                    post("Content-Length: " + std::string(value) + "\r\n"),
                    400,
                    kFraming,
                    true,
                    std::move(body)};
  };
  return {
      refused("+5", "hello"),
      refused("-5", "hello"),
      {"trailing space is trimmed", post("Content-Length: 5 \r\n"), 0, "", false, "hello"},
      refused("5 5", "hello"),
      refused("5,5", "hello"),
      refused("5, 5", "hello"),
      refused("0x5", "hello"),
      refused("5.0", "hello"),
      refused("5e0", "hello"),
      refused("x5", "hello"),
      refused("5x", "hello"),
      refused("05", "hello"),
      refused("00", ""),
      refused("", "hello"),
      refused("\"5\"", "hello"),
      refused("\xD9\xA5", "hello"),
      {"duplicate, equal", post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, kFraming, true,
       "hello"},
      {"duplicate, different", post("Content-Length: 5\r\nContent-Length: 0\r\n"), 400, kFraming,
       true, "hello"},
      {"duplicate in another case", post("Content-Length: 5\r\ncontent-length: 5\r\n"), 400,
       kFraming, true, "hello"},
      {"space before the colon", post("Content-Length : 5\r\n"), 400, kHeader, true, "hello"},
      {"beyond 64 bits", post("Content-Length: 99999999999999999999999\r\n"), 413, "too-large",
       true, "hello"},
      {"two to the 64th and five", post("Content-Length: 18446744073709551621\r\n"), 413,
       "too-large", true, "hello"},
      {"body on get", get("Content-Length: 5\r\n"), 400, kFraming, true, "hello"},
      {"body on head", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400, kFraming,
       true, "h"},
      {"length zero on get", get("Content-Length: 0\r\n"), 0, "", false, ""},
      {"body on post", post("Content-Length: 5\r\n"), 0, "", false, "hello"},
      {"body with a request in it", post("Content-Length: 34\r\n"), 0, "", false,
       "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n"},
      {"post without length has an empty body", post(""), 0, "", false, ""},
  };
}

inline std::vector<GateCase> header_fields() {
  const auto host = [](std::string_view value) {
    return GateCase{"host that is none",
                    "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n",
                    400,
                    kHeader,
                    true,
                    ""};
  };
  const auto twice = [](std::string_view name) {
    const std::string line = std::string(name) + ": b\r\n";
    return GateCase{"twice", post(line + line), 400, kHeader, true, ""};
  };
  return {
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400, kHeader, true, ""},
      {"two hosts", get("Host: a\r\n"), 400, kHeader, true, ""},
      {"two different hosts", get("hOST: b\r\n"), 400, kHeader, true, ""},
      {"empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400, kHeader, true, ""},
      {"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, kHeader, true, ""},
      {"host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, kHeader, true, ""},
      {"host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, kHeader, true, ""},
      {"ipv6 host and port", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0, "", false, ""},
      {"ipv6 host", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", 0, "", false, ""},
      {"host and an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0, "", false, ""},
      {"escaped host", "GET / HTTP/1.1\r\nHost: a%2Db:80\r\n\r\n", 0, "", false, ""},
      host("a:b"),
      host("a:80:80"),
      host("a:-1"),
      host(":80"),
      host("a%4"),
      host("[::1"),
      host("::1]"),
      host("[a]"),
      host("[]"),
      host("[::1]x"),
      host("a[::1]"),
      twice("Authorization"),
      twice("Idempotency-Key"),
      twice("Content-Type"),
      twice("If-Match"),
      twice("idempotency-KEY"),
      {"two expects", post("Expect: 100-continue\r\nExpect: 100-continue\r\n"), 400, kHeader, true,
       ""},
      {"other fields may repeat", get("Accept: a/b\r\nAccept: c/d\r\n"), 0, "", false, ""},
      {"folded line", get("X: a\r\n b\r\n"), 400, kHeader, true, ""},
      {"folded with a tab", get("X: a\r\n\tb\r\n"), 400, kHeader, true, ""},
      {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, kHeader, true, ""},
      {"no colon", get("NoColon\r\n"), 400, kHeader, true, ""},
      {"empty name", get(": v\r\n"), 400, kHeader, true, ""},
      {"space in a name", get("X Y: v\r\n"), 400, kHeader, true, ""},
      {"parenthesis in a name", get("X(Y): v\r\n"), 400, kHeader, true, ""},
      {"non-ASCII name", get("X\xC3\xA9: v\r\n"), 400, kHeader, true, ""},
      {"NUL in a value", get(std::string("X: a\0b\r\n", 8)), 400, kHeader, true, ""},
      {"escape in a value", get("X: a\x1B[0m\r\n"), 400, kHeader, true, ""},
      {"DEL in a value", get("X: a\x7F\r\n"), 400, kHeader, true, ""},
      {"tab inside a value", get("X: a\tb\r\n"), 0, "", false, ""},
      {"UTF-8 in a value", get("X: caf\xC3\xA9\r\n"), 0, "", false, ""},
      {"empty value", get("X:\r\n"), 0, "", false, ""},
      {"64 fields", get(many_fields(63)), 0, "", false, ""},
      {"65 fields", get(many_fields(64)), 431, "header-too-large", true, ""},
      {"header of 8192 bytes", get("X: " + std::string(8192 - 36, 'v') + "\r\n"), 0, "", false, ""},
      {"header of 8193 bytes", get("X: " + std::string(8193 - 36, 'v') + "\r\n"), 431,
       "header-too-large", true, ""},
      {"endless header", get("X: " + std::string(100'000, 'v') + "\r\n"), 431, "header-too-large",
       true, ""},
      {"expect of something else", get("Expect: 200-ok\r\n"), 417, "expectation-failed", false, ""},
      {"expect without a body", get("Expect: 100-continue\r\n"), 0, "", false, ""},
      {"identity coding", post("Content-Encoding: identity\r\nContent-Length: 1\r\n"), 0, "", false,
       "x"},
      {"gzip coding", post("Content-Encoding: gzip\r\nContent-Length: 3\r\n"), 415,
       "unsupported-media-type", false, "abc"},
      {"two codings", post("Content-Encoding: identity, gzip\r\n"), 415, "unsupported-media-type",
       false, ""},
  };
}

inline std::vector<GateCase> targets() {
  std::vector<GateCase> cases;
  for (const std::string_view text :
       {"/%00",      "/a%00b",  "/%",       "/%2",       "/%zz",        "/a%2Fb",
        "/a%2fb",    "//",      "//a",      "/a//b",     "/a//",        "/.",
        "/..",       "/./a",    "/a/../b",  "/a/..",     "/%2e",        "/%2E%2e",
        "/a/%2e./b", "/a/.%2E", "/a#b",     "/a?b#c",    "#",           "/caf\xC3\xA9",
        "/a?\xFF",   "/a\\b",   "/a\"b",    "/a<b>",     "/a|b",        "/{a}",
        "/a?b=%",    "/a?b=%0", "/a?b=%gg", "/a?b=%00",  "/a?b=\"",     "*",
        "a",         "a:80",    "?a",       "http://a/", "https://a/b", "HTTP://other/"}) {
    cases.push_back({text, target(text), 400, kTarget, true, ""});
  }
  for (const std::string_view text :
       {"/", "/a", "/a/", "/v1/accounts/a:b+c._-", "/a%20b", "/a?", "/a?b=c&d=%C3%A9",
        "/a?tag[x]=1", "/a?b=/../x", "/...", "/.a", "/a..b", "/%41", "/a;b=c@d!$'()*,"}) {
    cases.push_back({text, target(text), 0, "", false, ""});
  }
  cases.push_back({"target of 2048", target("/" + std::string(2047, 'a')), 0, "", false, ""});
  cases.push_back(
      {"target of 2049", target("/" + std::string(2048, 'a')), 414, "uri-too-long", true, ""});
  cases.push_back(
      {"target of 9000", target("/" + std::string(8999, 'a')), 414, "uri-too-long", true, ""});
  cases.push_back({"control byte in a target", target("/a\x01"), 400, kHeader, true, ""});
  cases.push_back(
      {"asterisk with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, kTarget, true, ""});
  cases.push_back({"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, kTarget, true, ""});
  return cases;
}

inline std::vector<GateCase> request_lines() {
  const auto line = [](std::string_view name, std::string_view text, int status,
                       std::string_view slug, bool close) {
    return GateCase{name, std::string(text) + "\r\nHost: a\r\n\r\n", status, slug, close, ""};
  };
  return {
      line("HTTP/1.0", "GET / HTTP/1.0", 505, "http-version-not-supported", true),
      line("HTTP/0.9", "GET / HTTP/0.9", 505, "http-version-not-supported", true),
      line("HTTP/1.2", "GET / HTTP/1.2", 505, "http-version-not-supported", true),
      line("HTTP/2.0", "GET / HTTP/2.0", 505, "http-version-not-supported", true),
      line("HTTP/2 preface", "PRI * HTTP/2.0", 505, "http-version-not-supported", true),
      line("lower-case version", "GET / http/1.1", 400, kFraming, true),
      line("long version", "GET / HTTP/1.10", 400, kFraming, true),
      line("no dot in the version", "GET / HTTP/11", 400, kFraming, true),
      line("no version", "GET /", 400, kFraming, true),
      line("one word", "GET", 400, kFraming, true),
      line("space in the target", "GET /a b HTTP/1.1", 400, kTarget, true),
      line("two spaces", "GET  / HTTP/1.1", 400, kTarget, true),
      line("trailing space", "GET / HTTP/1.1 ", 400, kFraming, true),
      line("leading space", " GET / HTTP/1.1", 400, kFraming, true),
      line("tabs for spaces", "GET\t/\tHTTP/1.1", 400, kFraming, true),
      line("method is no token", "G(T / HTTP/1.1", 400, kFraming, true),
      line("method with a colon", "GET: / HTTP/1.1", 400, kFraming, true),
      line("lower-case method", "get / HTTP/1.1", 405, "method-not-allowed", false),
      line("unknown method", "BREW / HTTP/1.1", 405, "method-not-allowed", false),
      line("TRACE", "TRACE / HTTP/1.1", 405, "method-not-allowed", false),
      line("empty line first", "\r\nGET / HTTP/1.1", 400, kFraming, true),
      line("LF first", "\nGET / HTTP/1.1", 400, kFraming, true),
      line("PUT", "PUT / HTTP/1.1", 0, "", false),
      line("DELETE", "DELETE / HTTP/1.1", 0, "", false),
      {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400, kFraming, true, ""},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, kFraming, true, ""},
      {"bare CR everywhere", "GET / HTTP/1.1\rHost: a\r\r", 400, kFraming, true, ""},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, kFraming, true, ""},
      {"TLS client hello", std::string("\x16\x03\x01\x02\x00", 5), 400, kHeader, true, ""},
  };
}

}  // namespace gate_cases

/// Every case: the gate is tested on it alone, the server with a marker request behind it.
inline std::vector<GateCase> all_gate_cases() {
  std::vector<GateCase> all;
  for (std::vector<GateCase> group :
       {gate_cases::transfer_encodings(), gate_cases::lengths(), gate_cases::header_fields(),
        gate_cases::targets(), gate_cases::request_lines()}) {
    for (GateCase& one : group) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace daybook::api

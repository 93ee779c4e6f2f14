#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "api/http_server.h"
#include "tests/api/http_test_client.h"
#include "tests/api/http_test_handler.h"

namespace daybook::api {
namespace {

using std::chrono::milliseconds;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;
using File = std::unique_ptr<FILE, Freed<std::fclose>>;

/// Writes a self-signed certificate for `localhost` and its key, both PEM.
void make_certificate(const std::string& certificate_file, const std::string& key_file) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  std::array<unsigned char, 10> host = {'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0};
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host.data(), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  const File certificate_out(std::fopen(certificate_file.c_str(), "w"));
  const File key_out(std::fopen(key_file.c_str(), "w"));
  ASSERT_EQ(PEM_write_X509(certificate_out.get(), certificate.get()), 1);
  ASSERT_EQ(PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
            1);
}

class HttpTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "daybook_tls_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    config.tls_certificate_file = folder_ + "/cert.pem";
    config.tls_key_file = folder_ + "/key.pem";
    make_certificate(config.tls_certificate_file, config.tls_key_file);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void start() {
    server = std::make_unique<HttpServer>(config, handler);
    const Result<std::uint16_t> started = server->start();
    ASSERT_TRUE(started.ok()) << started.status().message();
    port = *started;
  }

  HttpServerConfig config;
  TestHandler handler;
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;

 private:
  std::string folder_;
};

/// A blocking TLS client over a RawClient's socket, that trusts the one certificate.
class TlsClient {
 public:
  TlsClient(std::uint16_t port, const std::string& trusted, int version)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_load_verify_file(context_.get(), trusted.c_str());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    connection_.reset(SSL_new(context_.get()));
    const timeval patience{5, 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    SSL_set_fd(connection_.get(), socket_.fd());
    connected_ = SSL_connect(connection_.get()) == 1;
  }

  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(connection_.get()); }

  void send(std::string_view bytes) {
    ASSERT_EQ(SSL_write(connection_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  /// Reads until `size` bytes came or the connection ended.
  std::string read(std::size_t size) {
    std::string text;
    std::array<char, 16384> bytes{};
    while (text.size() < size) {
      const int count = SSL_read(connection_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (count <= 0) break;
      text.append(bytes.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  /// Whether the other side ended the connection in good order.
  bool ended_by_notice() {
    char byte = 0;
    const int count = SSL_read(connection_.get(), &byte, 1);
    return SSL_get_error(connection_.get(), count) == SSL_ERROR_ZERO_RETURN;
  }

 private:
  RawClient socket_;
  Context context_;
  Connection connection_;
  bool connected_ = false;
};

TEST_F(HttpTlsTest, requests_are_answered_over_tls_1_2_and_1_3) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port, config.tls_certificate_file, version);
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    for (const std::string_view path : {"/a", "/later"}) {
      client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
      const std::string answer = client.read(1);
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
      EXPECT_TRUE(answer.ends_with(std::string(path) + "|")) << answer;
    }
    client.send("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(client.read(100'000).starts_with("HTTP/1.1 505 "));
    EXPECT_TRUE(client.ended_by_notice());
  }
}

TEST_F(HttpTlsTest, a_large_answer_and_a_stream_arrive_whole) {
  start();
  TlsClient client(port, config.tls_certificate_file, TLS1_3_VERSION);
  ASSERT_TRUE(client.connected());
  client.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answer = client.read(std::size_t{64} << 20U);
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), std::string(8U << 20U, 'L'));
  EXPECT_TRUE(client.ended_by_notice());
  handler.stream->give("tick", BodyStream::Next::kEnd);
  TlsClient other(port, config.tls_certificate_file, TLS1_3_VERSION);
  other.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(other.read(1'000).ends_with("4\r\ntick\r\n0\r\n\r\n"));
}

TEST_F(HttpTlsTest, old_versions_are_refused) {
  start();
  const TlsClient client(port, config.tls_certificate_file, TLS1_1_VERSION);
  EXPECT_FALSE(client.connected());
}

TEST_F(HttpTlsTest, a_handshake_that_does_not_come_is_cut) {
  config.tls_handshake_deadline = milliseconds(80);
  start();
  RawClient silent(port);
  RawClient plain(port);
  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  RawClient half(port);
  half.send(std::string("\x16\x03\x01", 3));
  EXPECT_TRUE(silent.ends());
  while (plain.fill_until("never")) {
  }
  EXPECT_TRUE(half.ends());
  EXPECT_EQ(server->stats().requests, 0U);
  EXPECT_EQ(handler.count_seen(), 0U);
}

TEST_F(HttpTlsTest, stop_ends_tls_connections_too) {
  start();
  TlsClient idle(port, config.tls_certificate_file, TLS1_3_VERSION);
  ASSERT_TRUE(idle.connected());
  idle.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(idle.read(1).ends_with("/a|"));
  TlsClient stuck(port, config.tls_certificate_file, TLS1_3_VERSION);
  stuck.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  const Respond respond = handler.kept_respond();
  const auto begin = std::chrono::steady_clock::now();
  server->stop(milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1'000));
  EXPECT_EQ(idle.read(1), "");
}

}  // namespace
}  // namespace daybook::api

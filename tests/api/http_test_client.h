#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_message.h"

namespace daybook::api {

/// One answer as a client reads it. Status 0: the connection ended or nothing came for 5 s.
struct RawAnswer {
  int status = 0;
  std::string head;
  std::string body;
  bool whole = false;  ///< False: the connection ended within the answer.

  std::string header(std::string_view name) const {
    std::size_t at = head.find("\r\n");
    while (at != std::string::npos && at + 2 < head.size()) {
      const std::size_t end = head.find("\r\n", at + 2);
      const std::string_view line = std::string_view(head).substr(at + 2, end - at - 2);
      const std::size_t colon = line.find(": ");
      if (colon != std::string_view::npos && same_token(line.substr(0, colon), name)) {
        return std::string(line.substr(colon + 2));
      }
      at = end;
    }
    return "";
  }
};

/// A blocking client that sends exactly the bytes it is given.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : RawClient() {
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    connect(port);
  }
  RawClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  void connect(std::uint16_t port) const {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const void* address = &to;
    if (::connect(fd_, static_cast<const sockaddr*>(address), sizeof(to)) != 0) std::abort();
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd() const { return fd_; }

  /// False once the server has cut the connection.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Whether something came, or the end, within that time.
  bool hears(int milliseconds) const {
    pollfd ready{fd_, POLLIN, 0};
    return ::poll(&ready, 1, milliseconds) == 1;
  }

  RawAnswer ask(std::string_view bytes) {
    send(bytes);
    return read();
  }
  RawAnswer get(std::string_view path) {
    return ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }

  /// The next answer; with `to_head` one that has no body.
  RawAnswer read(bool to_head = false) {
    RawAnswer answer;
    if (!fill_until("\r\n\r\n")) return answer;
    answer.head = take(buffer_.find("\r\n\r\n") + 4);
    answer.status = std::atoi(answer.head.substr(9, 3).c_str());
    const std::string length = answer.header("Content-Length");
    if (to_head || answer.status < 200) {
      answer.whole = true;
    } else if (answer.header("Transfer-Encoding") == "chunked") {
      answer.whole = read_chunks(answer.body);
    } else {
      const std::size_t size = std::strtoull(length.c_str(), nullptr, 10);
      answer.whole = fill(size);
      answer.body = take(std::min(size, buffer_.size()));
    }
    return answer;
  }

  bool read_chunk(std::string& data) {
    if (!fill_until("\r\n")) return false;
    const std::size_t size = std::strtoull(take(buffer_.find("\r\n") + 2).c_str(), nullptr, 16);
    if (!fill(size + 2)) return false;
    data = take(size);
    return take(2) == "\r\n";
  }

  /// Whether the server closes, within 5 s and without another byte.
  bool ends() { return buffer_.empty() && hears(kPatienceMs) && !more(); }

  bool fill_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos) {
      if (!more()) return false;
    }
    return true;
  }

 private:
  static constexpr int kPatienceMs = 5'000;

  bool read_chunks(std::string& body) {
    std::string data;
    while (read_chunk(data)) {
      if (data.empty()) return true;
      body += data;
    }
    return false;
  }

  bool fill(std::size_t size) {
    while (buffer_.size() < size) {
      if (!more()) return false;
    }
    return true;
  }

  bool more() {
    if (!hears(kPatienceMs)) return false;
    std::array<char, 65536> bytes{};
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }

  std::string take(std::size_t size) {
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }

  int fd_;
  std::string buffer_;
};

}  // namespace daybook::api

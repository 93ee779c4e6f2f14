// A plain Beast server that reads each request whole and answers 201 with a fixed body as long as
// that of a charge: what HTTP alone costs on this machine, to hold `daybook serve` against.
//
//   noop_server [PORT]      prints its URL; ends with SIGTERM or SIGINT

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t kBodyBytes = 720;

asio::awaitable<void> serve(tcp::socket socket) {
  try {
    socket.set_option(tcp::no_delay(true));
    boost::beast::flat_buffer buffer;
    while (true) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      http::response<http::string_body> response(http::status::created, request.version());
      response.set(http::field::content_type, "application/json");
      response.keep_alive(request.keep_alive());
      response.body() = "{\"noop\":\"" + std::string(kBodyBytes, 'x') + "\"}";
      response.prepare_payload();
      co_await http::async_write(socket, response, asio::use_awaitable);
      if (!response.keep_alive()) break;
    }
  } catch (const std::exception&) {
    // The client went away, which is how a measurement ends.
  }
}

asio::awaitable<void> accept_all(tcp::acceptor acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int port = argc > 1 ? std::stoi(argv[1]) : 0;
    asio::io_context context(1);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&context](const boost::system::error_code&, int) { context.stop(); });
    tcp::acceptor acceptor(context,
                           {asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(port)});
    std::cout << "noop_server serves on http://127.0.0.1:" << acceptor.local_endpoint().port()
              << std::endl;
    asio::co_spawn(context, accept_all(std::move(acceptor)), asio::detached);
    context.run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "noop_server: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}

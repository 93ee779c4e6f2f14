#include "app/resolve_host.h"

#include <array>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>

namespace daybook::app {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// The text of the first address of that family; empty: there is none.
std::string first_of(const AddressList& list, int family) {
  for (const addrinfo* item = list.get(); item != nullptr; item = item->ai_next) {
    if (item->ai_family != family) continue;
    std::array<char, NI_MAXHOST> text{};
    const int error = ::getnameinfo(item->ai_addr, item->ai_addrlen, text.data(), text.size(),
                                    nullptr, 0, NI_NUMERICHOST);
    if (error == 0) return text.data();
  }
  return {};
}

}  // namespace

Result<std::string> resolve_host(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  if (error != 0) {
    return invalid("host " + host + " has no address: " + std::string(::gai_strerror(error)));
  }
  const AddressList list(found, &::freeaddrinfo);
  for (const int family : {AF_INET, AF_INET6}) {
    std::string address = first_of(list, family);
    if (!address.empty()) return address;
  }
  return invalid("host " + host + " has neither an IPv4 nor an IPv6 address");
}

}  // namespace daybook::app

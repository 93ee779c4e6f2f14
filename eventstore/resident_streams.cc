#include "eventstore/resident_streams.h"

#include <functional>

#include "eventstore/stream_key.h"

namespace daybook::eventstore {
namespace {

std::uint64_t hash_of(std::string_view stream_key) {
  return std::hash<std::string_view>()(stream_key);
}

}  // namespace

void ResidentStreams::add(std::string_view stream_key) {
  const std::uint64_t hash = hash_of(stream_key);
  const std::unique_lock lock(mutex_);
  hashes_.insert(hash);
}

void ResidentStreams::remove(std::string_view stream_key) {
  const std::uint64_t hash = hash_of(stream_key);
  const std::unique_lock lock(mutex_);
  hashes_.erase(hash);
}

WantedStates ResidentStreams::lacking(const Command& command) const {
  const std::uint64_t tenant = hash_of(stream_key(domain::StreamId::of_tenant(command.tenant)));
  const std::uint64_t stream =
      command.is_account_command() ? hash_of(stream_key(command.stream())) : tenant;
  const std::shared_lock lock(mutex_);
  return {.tenant = !hashes_.contains(tenant), .account = !hashes_.contains(stream)};
}

}  // namespace daybook::eventstore

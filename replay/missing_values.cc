#include "replay/missing_values.h"

#include <optional>
#include <utility>
#include <variant>

#include "domain/base/check.h"
#include "eventstore/decoded_entry.h"
#include "eventstore/private_store.h"
#include "eventstore/system_ports.h"

namespace daybook::replay {

Result<bool> MissingValues::take(const domain::RecordedEvent& event) {
  if (std::holds_alternative<domain::PrivateDataErased>(event.event)) {
    accounts_.erase(event.stream);
    return false;
  }
  const auto* tag = std::get_if<domain::TagSet>(&event.event);
  if (tag == nullptr || !tag->extra) return false;
  if (store_ != nullptr) {
    const eventstore::SystemRandom random;
    const auto value = eventstore::PrivateStore(*store_, random)
                           .get(event.stream.tenant, AccountId(event.stream.id), *tag->extra);
    if (!value.ok()) return value.status();
    if (*value) return true;
  }
  const auto known = accounts_.find(event.stream);
  if (known != accounts_.end()) {
    ++known->second.count;
  } else if (accounts_.size() >= accounts_max_) {
    return io_error("the private values of more than " + std::to_string(accounts_max_) +
                    " accounts are not there at " + place_of(event) +
                    ": more than can be remembered until an erasure explains it");
  } else {
    accounts_.emplace(event.stream, Account{place_of(event), 1});
  }
  return false;
}

std::uint64_t MissingValues::count() const {
  std::uint64_t count = 0;
  for (const auto& [stream, account] : accounts_) count += account.count;
  return count;
}

const std::string& MissingValues::example() const {
  CHECK(!none());
  return accounts_.begin()->second.first;
}

std::string MissingValues::place_of(const domain::RecordedEvent& event) {
  const auto* tag = std::get_if<domain::TagSet>(&event.event);
  return (tag == nullptr ? std::string() : "tag " + tag->tag + " of ") + "account " +
         event.stream.tenant.value() + "/" + event.stream.id + ", version " +
         std::to_string(event.version);
}

Status settle_beyond(const eventstore::EventLog& log, eventstore::LogHead head,
                     MissingValues& missing,
                     const std::function<Status(const eventstore::Entry&)>& taken) {
  // From the entry before: entries without events must not be passed by.
  auto cursor = log.read(head.next_position == 0 ? 0 : head.next_position - 1);
  if (!cursor.ok()) return cursor.status();
  while (!missing.none()) {
    auto entry = (*cursor)->next();
    if (!entry.ok()) return entry.status();
    if (!*entry) return {};
    if ((*entry)->entry_no < head.entry_count) continue;
    const Status continues = eventstore::check_continues(head, **entry);
    if (!continues.ok()) return corrupt(continues.message());
    head = eventstore::head_after(**entry, eventstore::chain_of(**entry));
    auto decoded = eventstore::decode_events(std::move(**entry));
    if (!decoded.ok()) return decoded.status();
    for (const auto& event : decoded->events) {
      if (const auto there = missing.take(event); !there.ok()) return there.status();
    }
    if (!taken) continue;
    if (Status status = taken(decoded->entry); !status.ok()) return status;
  }
  return {};
}

}  // namespace daybook::replay

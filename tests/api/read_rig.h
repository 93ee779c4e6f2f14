#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/read_context.h"
#include "domain/base/check.h"
#include "eventstore/system_ports.h"
#include "tests/projections/history.h"

namespace daybook::api {

/// What queries read from, in memory: a log, its read models and a private store.
struct ReadRig {
  void record(const domain::StreamId& stream, const domain::Event& event) {
    domain::RecordedEvent recorded;
    recorded.stream = stream;
    recorded.version = ++versions[stream];
    recorded.recorded_at = recorded.effective_at = clock.now();
    recorded.actor = "system";
    recorded.event = event;
    pending.push_back(std::move(recorded));
  }
  void record_tenant(const TenantId& tenant) {
    record(domain::StreamId::of_tenant(tenant), domain::TenantCreated{});
  }
  void record_account(const TenantId& tenant, const std::string& account) {
    domain::AccountOpened opened;
    opened.currency = projections::currency("USD");
    record(domain::StreamId::account(tenant, AccountId(account)), opened);
  }
  /// Puts what was recorded into the log and the read models.
  void commit() {
    constexpr std::ptrdiff_t kEntryEvents = 1'000;
    for (auto first = pending.begin(); first != pending.end();) {
      const auto last = first + std::min(kEntryEvents, pending.end() - first);
      projections::append_events(log, {first, last});
      first = last;
    }
    pending.clear();
    projections::Projector projector(log, rows, clock, projections::all_projections(rows));
    CHECK(projector.run_once().ok());
  }

  projections::FixedClock clock;
  eventstore::SystemRandom random;
  eventstore::FakeLog log;
  eventstore::MemoryKv rows{projections::kTableCount};
  eventstore::MemoryKv private_rows{eventstore::PrivateStore::table_names().size()};
  eventstore::PrivateStore private_store{private_rows, random};
  CursorCodec cursors{"secret"};
  ReadSources sources{rows, log, private_store, cursors, clock};
  std::map<domain::StreamId, std::uint64_t> versions;
  std::vector<domain::RecordedEvent> pending;
};

}  // namespace daybook::api

#include "replay/verify.h"

#include <algorithm>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "eventstore/decoded_entry.h"
#include "eventstore/digest.h"
#include "eventstore/event_codec.h"
#include "projections/checkpoint.h"
#include "replay/inspect.h"
#include "tests/replay/ledger_rig.h"

namespace daybook::replay {
namespace {

using eventstore::RocksLogDb;

constexpr int kCommands = 400;

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override { make_ledger(dir(), clock_, kCommands); }

  std::string dir() const { return temp_.file("ledger"); }

  VerifyReport report(const VerifyOptions& options = {}) {
    auto result = verify(dir(), options);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : VerifyReport{};
  }
  /// What verify finds first; empty strings if nothing.
  Difference found() { return report().difference.value_or(Difference{}); }

  /// Edits the first event that `edit` takes, with all chains made good again.
  template <class Body>
  std::uint64_t forge(const std::function<bool(domain::RecordedEvent&, Body&)>& edit) {
    std::vector<Entry> entries = entries_of(dir());
    for (Entry& entry : entries) {
      auto decoded = eventstore::decode_events(entry);
      CHECK(decoded.ok());
      for (std::size_t i = 0; i < decoded->events.size(); ++i) {
        auto* body = std::get_if<Body>(&decoded->events[i].event);
        if (body == nullptr || !edit(decoded->events[i], *body)) continue;
        entry.body.clear();
        for (const auto& event : decoded->events) {
          eventstore::append_event_bytes(entry.body, eventstore::encode_event(event));
        }
        entry.first_recorded_at = decoded->events.front().recorded_at;
        entry.last_recorded_at = decoded->events.back().recorded_at;
        const std::uint64_t position = entry.base_position + i;
        forge_log(dir(), std::move(entries));
        return position;
      }
    }
    CHECK(false && "no such event");
  }

  std::string keep_sound() {
    const std::string sound = temp_.file("sound");
    copy_tree(dir(), sound);
    return sound;
  }
  void bring_back(const std::string& sound) {
    std::filesystem::remove_all(dir());
    copy_tree(sound, dir());
  }

  TempDir temp_;
  TickingClock clock_;
};

/// What the client alone said, taken out: nothing else in a log need contradict another value of it
/// (another limit hides behind an available amount of zero, another charge may be given back, and a
/// refusal does not name the charge of which too little was left).
struct WithoutWords {
  template <class Body>
  void operator()(Body& body) const {
    if constexpr (requires { body.description; }) body.description.reset();
    if constexpr (requires { body.service.reset(); }) body.service.reset();
    if constexpr (requires { body.attributes; }) body.attributes.clear();
    if constexpr (requires { body.extra; }) body.extra.reset();
    if constexpr (requires { body.expires_at; }) body.expires_at.reset();
    if constexpr (requires { body.of.reset(); }) body.of.reset();
    if constexpr (requires { body.refunded_total; }) body.charge = {};
    if constexpr (std::is_same_v<Body, domain::CreditLimitSet>) body.amount = {};
    if constexpr (std::is_same_v<Body, domain::AccountOpened>) body.currency = usd();
    if constexpr (requires { body.enforce; }) body.enforce = domain::Enforcement::kRecord;
    if constexpr (requires { body.tags; }) body.tags.clear();
    if constexpr (requires { body.tag; }) body.tag.clear();
    if constexpr (requires { body.value; }) body.value.clear();
    if constexpr (requires { body.mode; }) body.mode = domain::AccountMode::kPrepaid;
    if constexpr (requires { body.command; }) body.command.clear();
    if constexpr (requires { body.provider; } && !requires { body.top_up; }) {
      if (!body.provider_payment_id) body.provider.reset();
    }
    if constexpr (requires { body.reason == domain::RefusalReason::kAccountFrozen; }) {
      // Only what was short of funds says numbers that follow from others.
      if (body.reason != domain::RefusalReason::kInsufficientFunds) body.amount = {};
      if (body.reason == domain::RefusalReason::kExceedsOriginal) body.short_by = {};
      body.reason = domain::RefusalReason::kAccountFrozen;
    } else if constexpr (requires { std::string(body.reason); }) {
      body.reason = {};
    } else if constexpr (requires { body.reason.reset(); }) {
      body.reason.reset();
    }
  }
};
std::string fixed_part(domain::RecordedEvent event) {
  if (event.stream.kind == domain::StreamKind::kTenant) return "";
  event.actor.clear();
  event.idempotency_key.clear();
  event.fingerprint = 0;
  event.recorded_at = event.effective_at = {};
  std::visit(WithoutWords{}, event.event);
  return eventstore::encode_event(event);
}

void raise(domain::Money& amount) { ++amount.amount.units; }

bool names(const std::string& where, std::uint64_t position) {
  return where.rfind("position " + std::to_string(position) + " ", 0) == 0;
}

TEST_F(VerifyTest, a_sound_ledger_is_proven_with_all_its_tables) {
  const VerifyReport result = report();
  ASSERT_TRUE(result.ok()) << to_text(*result.difference);
  EXPECT_EQ(result.attempts, 1);
  EXPECT_GT(result.events, std::uint64_t{kCommands} / 2);
  EXPECT_EQ(result.events, result.head.next_position);
  EXPECT_GT(result.private_values, 0u);
  EXPECT_EQ(result.postings.size(), 2u);
  ASSERT_EQ(result.tables.size(), projections::kTableCount);
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    EXPECT_EQ(result.tables[table].position, result.events) << result.tables[table].name;
    EXPECT_EQ(result.tables[table].rows + 1, rows_of(dir(), table).size());
  }
}

TEST_F(VerifyTest, a_fold_on_disk_finds_what_a_fold_in_memory_finds) {
  VerifyOptions options;
  options.memory_events_max = 0;
  options.scratch_dir = temp_.path();
  EXPECT_TRUE(report(options).ok());
  const auto rows = rows_of(dir(), projections::kBalancesTable);
  write_row(dir(), projections::kBalancesTable, rows.back().first, std::nullopt);
  EXPECT_EQ(report(options).difference, report().difference);
  EXPECT_FALSE(report(options).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temp_.path()),
                          std::filesystem::directory_iterator()),
            1);
}

TEST_F(VerifyTest, an_amount_changed_by_an_insider_is_named) {
  const auto position = forge<domain::ChargePosted>([](auto&, auto& body) {
    raise(body.amount);
    raise(body.from_credit);
    return true;
  });
  const Difference difference = found();
  EXPECT_EQ(difference.check, "balance");
  EXPECT_TRUE(names(difference.where, position)) << difference.where;
  EXPECT_NE(difference.expected, difference.found);
}

TEST_F(VerifyTest, a_balance_changed_by_an_insider_is_named) {
  const auto position = forge<domain::BalanceToppedUp>([](auto&, auto& body) {
    raise(body.balance_after);
    return true;
  });
  EXPECT_EQ(found().check, "balance");
  EXPECT_TRUE(names(found().where, position));
}

TEST_F(VerifyTest, an_available_amount_changed_by_an_insider_is_named) {
  forge<domain::BalanceToppedUp>([](auto&, auto& body) {
    raise(body.available_after);
    return true;
  });
  EXPECT_EQ(found().check, "available");
}

TEST_F(VerifyTest, a_held_sum_changed_by_an_insider_is_named) {
  forge<domain::HoldPlaced>([](auto&, auto& body) {
    raise(body.held_after);
    return true;
  });
  EXPECT_EQ(found().check, "held");
}

TEST_F(VerifyTest, a_hold_that_ends_in_part_only_is_named) {
  forge<domain::HoldReleased>([](auto&, auto& body) {
    raise(body.amount);
    return true;
  });
  EXPECT_EQ(found().check, "hold");
}

TEST_F(VerifyTest, a_capture_of_no_open_hold_is_named_and_stops_nothing) {
  forge<domain::HoldCaptured>([](auto&, auto& body) {
    body.hold.version = 1;
    return true;
  });
  EXPECT_EQ(found().check, "state");
}

TEST_F(VerifyTest, a_refund_of_another_charge_is_named) {
  forge<domain::ChargeRefunded>([](auto&, auto& body) {
    body.charge.version = 1;
    return true;
  });
  EXPECT_EQ(found().check, "refund");
}

TEST_F(VerifyTest, a_refund_total_that_is_no_sum_is_named) {
  forge<domain::ChargeRefunded>([](auto&, auto& body) {
    raise(body.refunded_total);
    return true;
  });
  EXPECT_EQ(found().check, "refunded_total");
}

TEST_F(VerifyTest, a_credit_limit_that_was_not_in_force_is_named) {
  forge<domain::ChargePosted>([](auto&, auto& body) {
    raise(body.credit_limit);
    return true;
  });
  EXPECT_EQ(found().check, "credit_limit");
}

TEST_F(VerifyTest, a_refused_charge_with_another_number_is_named) {
  const auto is_short = [](const auto& body) {
    return body.reason == domain::RefusalReason::kInsufficientFunds;
  };
  const std::string sound = keep_sound();
  forge<domain::ChargeRefused>([&](auto&, auto& body) {
    if (is_short(body)) raise(*body.short_by);
    return is_short(body);
  });
  EXPECT_EQ(found().check, "short_by");
  bring_back(sound);
  forge<domain::ChargeRefused>([&](auto&, auto& body) {
    body.short_by.reset();
    return is_short(body);
  });
  EXPECT_EQ(found().check, "short_by");
  bring_back(sound);
  forge<domain::ChargeRefused>([](auto&, auto& body) {
    raise(body.credit_limit);
    return true;
  });
  EXPECT_EQ(found().check, "credit_limit");
  bring_back(sound);
  forge<domain::ChargeRefused>([](auto&, auto& body) {
    ++body.catalogue_version;
    return true;
  });
  EXPECT_EQ(found().check, "catalogue");
}

TEST_F(VerifyTest, a_refused_hold_with_another_shortage_is_named) {
  forge<domain::CommandRefused>([](auto&, auto& body) {
    const bool is_hold = body.command == "hold" && body.short_by.has_value();
    if (is_hold) raise(*body.short_by);
    return is_hold;
  });
  EXPECT_EQ(found().check, "short_by");
}

TEST_F(VerifyTest, a_refund_that_was_refused_for_more_than_was_asked_for_is_named) {
  forge<domain::CommandRefused>([](auto&, auto& body) {
    const bool is_beyond = body.reason == domain::RefusalReason::kExceedsOriginal;
    if (is_beyond) body.short_by->amount.units = body.amount->amount.units + 1;
    return is_beyond;
  });
  EXPECT_EQ(found().check, "short_by");
}

TEST_F(VerifyTest, a_previous_value_that_was_not_there_is_named) {
  const std::string sound = keep_sound();
  forge<domain::TagSet>([](auto&, auto& body) {
    body.previous = "other";
    return true;
  });
  EXPECT_EQ(found().check, "previous");
  bring_back(sound);
  forge<domain::CreditLimitSet>([](auto&, auto& body) {
    body.previous = money("7777");
    return true;
  });
  EXPECT_EQ(found().check, "previous");
}

TEST_F(VerifyTest, a_cleared_limit_that_was_another_is_named) {
  {
    LedgerRig rig(dir(), clock_);
    Command command;
    command.tenant = TenantId("north");
    command.account = AccountId("a0");
    command.actor = "key:k1";
    command.body = domain::AccountCommand(domain::SetCreditLimit{money("3"), "test"});
    rig.run(command);
    command.body = domain::AccountCommand(domain::ClearCreditLimit{});
    ASSERT_EQ(rig.run(command).kind, AnswerKind::kRecorded);
  }
  forge<domain::CreditLimitCleared>([](auto&, auto& body) {
    raise(body.previous);
    return true;
  });
  EXPECT_EQ(found().check, "previous");
}

TEST_F(VerifyTest, a_strict_charge_beyond_the_funds_is_named) {
  // Recorded whatever the funds; called strict, it could not have been.
  forge<domain::ChargePosted>([](auto&, auto& body) {
    const bool is_beyond = body.enforce == domain::Enforcement::kRecord &&
                           body.available_after.amount.is_zero() &&
                           body.from_credit.amount > body.credit_limit.amount;
    if (is_beyond) body.enforce = domain::Enforcement::kStrict;
    return is_beyond;
  });
  EXPECT_EQ(found().check, "funds");
}

TEST_F(VerifyTest, a_key_with_two_events_on_a_stream_is_named) {
  std::map<domain::StreamId, std::string> keys;
  std::optional<domain::RecordedEvent> second;
  const auto look = [&](auto& event, auto&) {
    if (event.idempotency_key.empty()) return false;
    const auto [known, is_first] = keys.emplace(event.stream, event.idempotency_key);
    if (!is_first) event.idempotency_key = known->second;
    return !is_first;
  };
  const auto position = forge<domain::ChargePosted>(look);
  EXPECT_EQ(found().check, "key");
  EXPECT_TRUE(names(found().where, position)) << found().where;
  VerifyOptions on_disk;
  on_disk.memory_events_max = 0;
  on_disk.scratch_dir = temp_.path();
  EXPECT_EQ(report(on_disk).difference, report().difference);
}

TEST_F(VerifyTest, a_top_up_without_the_claim_of_its_payment_is_named) {
  const std::string sound = keep_sound();
  forge<domain::BalanceToppedUp>([](auto&, auto& body) {
    const bool has_none = !body.provider_payment_id.has_value();
    body.provider = "stripe";
    body.provider_payment_id = "invented";
    return has_none;
  });
  EXPECT_EQ(found().check, "claim");
  bring_back(sound);
  forge<domain::BalanceToppedUp>([](auto&, auto& body) {
    const bool has_one = body.provider_payment_id.has_value();
    if (has_one) body.provider_payment_id = "another";
    return has_one;
  });
  EXPECT_EQ(found().check, "claim");
  bring_back(sound);
  forge<domain::PaymentClaimed>([](auto&, auto& body) {
    raise(body.amount);
    return true;
  });
  EXPECT_EQ(found().check, "claim");
}

TEST_F(VerifyTest, a_claim_of_a_provider_with_a_slash_is_named_and_stops_nothing) {
  forge<domain::PaymentClaimed>([](auto&, auto& body) {
    body.provider = "str/ipe";
    return true;
  });
  EXPECT_EQ(found().check, "claim");
}

TEST_F(VerifyTest, a_ledger_without_its_secrets_is_named) {
  std::filesystem::remove_all(LedgerFiles(dir()).private_store);
  EXPECT_EQ(found().check, "private");
  EXPECT_NE(found().found.find("api-keys"), std::string::npos) << found().found;
}

TEST_F(VerifyTest, a_version_gap_is_named) {
  const auto position = forge<domain::ChargePosted>([](auto& event, auto&) {
    ++event.version;
    return true;
  });
  EXPECT_EQ(found().check, "version");
  EXPECT_TRUE(names(found().where, position));
}

TEST_F(VerifyTest, an_event_in_a_stream_of_another_kind_is_named_and_stops_nothing) {
  const auto position = forge<domain::ChargePosted>([](auto& event, auto&) {
    event.stream.kind = domain::StreamKind::kTenant;
    event.stream.id.clear();
    return true;
  });
  EXPECT_EQ(found().check, "event");
  EXPECT_NE(found().found.find("position " + std::to_string(position) + ":"), std::string::npos)
      << found().found;
}

TEST_F(VerifyTest, an_account_that_begins_without_an_opening_is_named_and_stops_nothing) {
  forge<domain::ChargePosted>([](auto& event, auto&) {
    event.stream.id = "ghost";
    event.version = 1;
    return true;
  });
  EXPECT_EQ(found().check, "state");
}

TEST_F(VerifyTest, a_name_with_a_nul_is_named_and_stops_nothing) {
  forge<domain::ChargePosted>([](auto& event, auto&) {
    event.stream.id += std::string(1, '\0');
    return true;
  });
  EXPECT_EQ(found().check, "stream");
}

TEST_F(VerifyTest, an_amount_that_cannot_be_negated_is_named_and_stops_nothing) {
  const auto position = forge<domain::ChargePosted>([](auto&, auto& body) {
    body.amount.amount.units = kInt128Min;
    return true;
  });
  EXPECT_EQ(found().check, "event");
  EXPECT_NE(found().found.find("position " + std::to_string(position) + ":"), std::string::npos)
      << found().found;
}

TEST_F(VerifyTest, an_event_that_has_no_public_form_is_named_and_stops_nothing) {
  const auto position = forge<domain::ChargePosted>([](auto&, auto& body) {
    body.attributes = {{"a", "1"}, {"b", ""}, {"a", "2"}};
    return true;
  });
  EXPECT_EQ(found().check, "names");
  EXPECT_TRUE(names(found().where, position));
  EXPECT_EQ(inspect_event(dir(), position).status().code(), StatusCode::kCorrupt);
}

TEST_F(VerifyTest, a_version_that_no_id_can_hold_is_named_and_stops_nothing) {
  const auto position = forge<domain::ChargeRefunded>([](auto&, auto& body) {
    body.charge.version = std::uint64_t{1} << 40;
    return true;
  });
  EXPECT_EQ(found().check, "version");
  EXPECT_EQ(inspect_event(dir(), position).status().code(), StatusCode::kCorrupt);
}

TEST_F(VerifyTest, a_time_that_runs_backwards_inside_an_entry_is_named) {
  std::vector<Entry> entries = entries_of(dir());
  const auto wide = std::find_if(entries.begin(), entries.end(),
                                 [](const Entry& entry) { return entry.count > 2; });
  ASSERT_NE(wide, entries.end());
  const std::uint64_t wanted = wide->base_position + 1;
  std::uint64_t at = 0;
  for (Entry& entry : entries) {
    auto decoded = eventstore::decode_events(entry);
    ASSERT_TRUE(decoded.ok());
    entry.body.clear();
    for (auto& event : decoded->events) {
      if (at++ == wanted) {
        event.recorded_at.micros -= 1'000'000'000;
        event.effective_at = event.recorded_at;
      }
      eventstore::append_event_bytes(entry.body, eventstore::encode_event(event));
    }
  }
  forge_log(dir(), std::move(entries));
  EXPECT_EQ(found().check, "recorded_at");
  EXPECT_TRUE(names(found().where, wanted)) << found().where;
}

TEST_F(VerifyTest,
       every_byte_but_a_clients_words_that_an_insider_changes_is_found_by_the_log_alone) {
  const std::vector<Entry> entries = entries_of(dir());
  // Without tables to compare: the log alone must show it.
  std::filesystem::remove_all(LedgerFiles(dir()).projections);
  const std::string sound = keep_sound();
  std::mt19937_64 random(11);
  int free = 0;
  int fixed = 0;
  for (int i = 0; i < 150; ++i) {
    std::vector<Entry> forged = entries;
    Entry& entry = forged[random() % forged.size()];
    // A byte of the frame may make an entry that cannot be stored at all; one of an event never.
    std::vector<std::size_t> places;
    eventstore::for_each_event(entry, [&](std::uint64_t, std::string_view bytes) {
      const auto from = static_cast<std::size_t>(bytes.data() - entry.body.data());
      places.push_back(from + random() % bytes.size());
      return true;
    });
    const auto before = eventstore::decode_events(entry);
    const std::size_t place = places[random() % places.size()];
    const std::string sound_body = entry.body;
    entry.body[place] = static_cast<char>(entry.body[place] ^ (1 << (random() % 8)));
    const auto after = eventstore::decode_events(entry);
    std::string changed;
    for (std::size_t at = 0; after.ok() && at < after->events.size(); ++at) {
      if (before->bytes[at] == after->bytes[at]) continue;
      if (fixed_part(before->events[at]) == fixed_part(after->events[at])) break;
      changed = name_of(before->events[at].event);
    }
    const bool must_be_found = !after.ok() || !changed.empty();
    ++(must_be_found ? fixed : free);
    forge_log(dir(), std::move(forged));
    // Which entry has which commands lies with threads: no seed brings a failure back.
    EXPECT_FALSE(must_be_found && report().ok())
        << changed << ", byte " << place << " of an entry that was\n"
        << eventstore::to_hex(sound_body) << '\n';
    bring_back(sound);
  }
  EXPECT_GT(fixed, 60);
  EXPECT_GT(free, 5) << "words of clients are most of a log's bytes";
  EXPECT_TRUE(report().ok());
}

TEST_F(VerifyTest, a_row_that_was_changed_is_named) {
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    const auto rows = rows_of(dir(), table);
    ASSERT_GT(rows.size(), 1u) << table;
    const auto& [key, value] = rows[rows.size() / 2];
    write_row(dir(), table, key, value + "x");
    const Difference difference = found();
    EXPECT_EQ(difference.check, "projection " + projections::table_specs()[table].name);
    EXPECT_NE(difference.expected, difference.found);
    write_row(dir(), table, key, value);
  }
  EXPECT_TRUE(report().ok());
}

TEST_F(VerifyTest, a_balance_row_that_was_changed_is_named_with_both_balances) {
  const auto rows = rows_of(dir(), projections::kBalancesTable);
  write_row(dir(), projections::kBalancesTable, rows[1].first, rows[2].second);
  const Difference difference = found();
  EXPECT_EQ(difference.check, "projection balances");
  EXPECT_EQ(difference.where.rfind("north/a0/", 0), 0u) << difference.where;
  EXPECT_EQ(difference.expected.rfind("balance ", 0), 0u) << difference.expected;
  EXPECT_EQ(difference.found.rfind("balance ", 0), 0u) << difference.found;
}

TEST_F(VerifyTest, a_row_that_was_removed_or_added_is_named) {
  for (eventstore::Table table = 0; table < projections::kTableCount; ++table) {
    const auto rows = rows_of(dir(), table);
    const auto& [key, value] = rows.back();
    write_row(dir(), table, key, std::nullopt);
    EXPECT_EQ(found().found, "no row");
    write_row(dir(), table, key, value);
    write_row(dir(), table, key + "z", value);
    EXPECT_EQ(found().expected, "no row");
    write_row(dir(), table, key + "z", std::nullopt);
  }
  EXPECT_TRUE(report().ok());
}

TEST_F(VerifyTest, a_difference_that_is_at_another_place_each_time_is_not_reported_as_one) {
  const auto table = projections::kBalancesTable;
  const auto rows = rows_of(dir(), table);
  ASSERT_GT(rows.size(), 7u);
  std::size_t at = 1;
  write_row(dir(), table, rows[at].first, rows[at].second + "x");
  // Each reading has its tables open by then: what changes is seen by the next one.
  const auto result = verify(dir(), {}, [&](std::uint64_t done, std::uint64_t total) {
    if (done != total) return;
    write_row(dir(), table, rows[at].first, rows[at].second);
    ++at;
    write_row(dir(), table, rows[at].first, rows[at].second + "x");
  });
  EXPECT_EQ(result.status().code(), StatusCode::kIo);
  EXPECT_NE(result.status().message().find("projection balances"), std::string::npos);
  EXPECT_EQ(found().check, "projection balances") << "now it stays where it is";
}

TEST_F(VerifyTest, a_table_behind_the_log_is_compared_where_it_stands) {
  const std::string proj = LedgerFiles(dir()).projections;
  const std::string old = temp_.file("old");
  copy_tree(proj, old);
  const std::uint64_t before = report().events;
  make_ledger(dir(), clock_, 50, 8);
  std::filesystem::remove_all(proj);
  copy_tree(old, proj);
  const VerifyReport result = report();
  EXPECT_TRUE(result.ok()) << to_text(result);
  EXPECT_GT(result.events, before);
  for (const auto& table : result.tables) EXPECT_EQ(table.position, before);
  const auto rows = rows_of(dir(), projections::kBalancesTable);
  write_row(dir(), projections::kBalancesTable, rows.back().first, std::nullopt);
  EXPECT_EQ(found().check, "projection balances");
}

TEST_F(VerifyTest, a_table_ahead_of_the_log_is_a_difference) {
  auto row = rows_of(dir(), projections::kDueTable).front();
  auto checkpoint = projections::decode_checkpoint(row.second);
  ASSERT_TRUE(checkpoint.has_value());
  ++checkpoint->entry_no;
  ++checkpoint->next_position;
  write_row(dir(), projections::kDueTable, row.first, encode_checkpoint(*checkpoint));
  EXPECT_EQ(found().check, "projection due");
  EXPECT_EQ(found().where, "checkpoint");
}

TEST_F(VerifyTest, a_checkpoint_of_another_log_is_a_difference) {
  auto row = rows_of(dir(), projections::kDueTable).front();
  auto checkpoint = projections::decode_checkpoint(row.second);
  checkpoint->chain[0] ^= 1;
  write_row(dir(), projections::kDueTable, row.first, encode_checkpoint(*checkpoint));
  EXPECT_EQ(found().check, "projection due");
  EXPECT_EQ(found().where, "checkpoint");
}

TEST_F(VerifyTest, a_table_of_another_code_version_is_told_and_not_compared) {
  auto row = rows_of(dir(), projections::kDueTable).front();
  auto checkpoint = projections::decode_checkpoint(row.second);
  checkpoint->code_version = 99;
  write_row(dir(), projections::kDueTable, row.first, encode_checkpoint(*checkpoint));
  const VerifyReport result = report();
  EXPECT_TRUE(result.ok());
  EXPECT_FALSE(result.tables[projections::kDueTable].skipped.empty());
}

TEST_F(VerifyTest, without_read_models_the_log_is_proven) {
  std::filesystem::remove_all(LedgerFiles(dir()).projections);
  const VerifyReport result = report();
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(result.tables.size(), projections::kTableCount);
  for (const auto& table : result.tables) EXPECT_NE(table.skipped, "") << table.name;
  EXPECT_NE(to_text(result).find("the next start builds it"), std::string::npos);
}

TEST_F(VerifyTest, tables_without_their_manifest_are_said_not_to_be_compared) {
  std::filesystem::remove(LedgerFiles(dir()).projections + "/CURRENT");
  const VerifyReport result = report();
  EXPECT_TRUE(result.ok()) << to_text(result);
  ASSERT_EQ(result.tables.size(), projections::kTableCount);
  for (const auto& table : result.tables) {
    EXPECT_NE(table.skipped.find("the next start builds it"), std::string::npos) << table.name;
    EXPECT_NE(to_text(result).find("projection " + table.name + ": not compared"),
              std::string::npos);
  }
}

TEST_F(VerifyTest, tables_of_which_nothing_was_flushed_are_said_not_to_be_compared) {
  const std::string fresh = temp_.file("fresh");
  LedgerRig rig(fresh, clock_);
  RandomCommands(rig, clock_, 3).run(50);
  const auto served = verify(fresh);
  ASSERT_TRUE(served.ok() && served->ok());
  ASSERT_EQ(served->tables.size(), projections::kTableCount);
  for (const auto& table : served->tables) {
    EXPECT_NE(table.skipped.find("nothing of it was flushed yet"), std::string::npos);
    EXPECT_NE(to_text(*served).find("projection " + table.name + ": not compared, nothing"),
              std::string::npos);
  }
  EXPECT_NE(to_json(*served).find("\"skipped\":\"nothing of it"), std::string::npos);
  EXPECT_EQ(to_json(*served).find("\"compared\":true"), std::string::npos);
  rig.stop();
  const auto stopped = verify(fresh);
  ASSERT_TRUE(stopped.ok() && stopped->ok());
  for (const auto& table : stopped->tables) EXPECT_EQ(table.skipped, "") << table.name;
  EXPECT_GT(stopped->tables.front().position, 0u);
}

TEST_F(VerifyTest, an_empty_ledger_has_empty_tables_and_they_are_compared) {
  const std::string fresh = temp_.file("fresh");
  const LedgerRig rig(fresh, clock_);
  const auto result = verify(fresh);
  ASSERT_TRUE(result.ok() && result->ok());
  for (const auto& table : result->tables) EXPECT_EQ(table.skipped, "") << table.name;
}

TEST_F(VerifyTest, rows_without_a_checkpoint_are_a_difference) {
  write_row(dir(), projections::kDueTable, std::string(projections::kCheckpointKey), std::nullopt);
  EXPECT_EQ(found().check, "projection due");
}

/// Edits rows of the log itself.
void edit_log(const std::string& dir, const eventstore::KvBatch& batch) {
  auto db = RocksLogDb::open(LedgerFiles(dir).log, RocksLogDb::Mode::kReadWrite, nullptr);
  ASSERT_TRUE(db.ok());
  ASSERT_TRUE((*db)->write(batch).ok());
}

TEST_F(VerifyTest, a_missing_entry_is_named) {
  const Entry entry = entries_of(dir())[5];
  eventstore::KvBatch batch;
  batch.erase(RocksLogDb::kEntries, eventstore::entry_key(0, entry.base_position, 5));
  edit_log(dir(), batch);
  const Difference difference = found();
  EXPECT_EQ(difference.check, "log");
  EXPECT_NE(difference.found.find("position"), std::string::npos);
  EXPECT_NE(difference.found.find("entries 5 to 5"), std::string::npos) << difference.found;
}

TEST_F(VerifyTest, swapped_entries_are_named) {
  const auto entries = entries_of(dir());
  eventstore::KvBatch batch;
  batch.put(RocksLogDb::kEntries, eventstore::entry_key(0, entries[5].base_position, 5),
            eventstore::encode_entry(entries[6]));
  batch.put(RocksLogDb::kEntries, eventstore::entry_key(0, entries[6].base_position, 6),
            eventstore::encode_entry(entries[5]));
  edit_log(dir(), batch);
  EXPECT_EQ(found().check, "log");
  EXPECT_NE(found().found.find("entries 5"), std::string::npos) << found().found;
}

TEST_F(VerifyTest, a_watermark_ahead_of_the_log_is_named) {
  const std::string watermark = LedgerFiles(dir()).watermark;
  auto head = eventstore::WatermarkFile::load(watermark)->head;
  head.entry_count += 2;
  head.next_position += 3;
  ASSERT_TRUE(eventstore::WatermarkFile::create(watermark, head).ok());
  EXPECT_EQ(found().check, "log");
  EXPECT_NE(found().found.find("were acknowledged and are gone"), std::string::npos);
}

TEST_F(VerifyTest, a_private_value_that_does_not_fit_its_commitment_is_named) {
  {
    const auto kv = open_private(dir(), RocksKv::Mode::kReadWrite);
    ASSERT_TRUE(kv.ok());
    eventstore::KvBatch batch;
    const auto reader = (*kv)->snapshot();
    const auto cursor = reader->scan(eventstore::PrivateStore::kValues, "", "");
    for (; cursor->valid(); cursor->next()) {
      batch.put(eventstore::PrivateStore::kValues, std::string(cursor->key()),
                std::string(cursor->value()) + "x");
    }
    ASSERT_TRUE((*kv)->write(batch).ok());
  }
  EXPECT_EQ(found().check, "private");
}

TEST_F(VerifyTest, a_private_value_that_was_not_erased_and_is_gone_is_named) {
  {
    const auto kv = open_private(dir(), RocksKv::Mode::kReadWrite);
    ASSERT_TRUE(kv.ok());
    ASSERT_TRUE((*kv)->clear(eventstore::PrivateStore::kValues).ok());
  }
  EXPECT_EQ(found().check, "private");
  EXPECT_EQ(found().found, "none");
  std::filesystem::remove_all(LedgerFiles(dir()).private_store);
  EXPECT_EQ(found().check, "private");
}

TEST_F(VerifyTest, values_that_were_erased_are_not_missed) {
  {
    LedgerRig rig(dir(), clock_);
    for (const char* tenant : {"north", "south"}) {
      for (int i = 0; i < RandomCommands::kAccounts; ++i) {
        Command erase;
        erase.tenant = TenantId(tenant);
        erase.account = AccountId("a" + std::to_string(i));
        erase.body = domain::AccountCommand(domain::ErasePrivateData{});
        erase.actor = "key:k1";
        const AnswerKind kind = rig.run(erase).kind;
        ASSERT_TRUE(kind == AnswerKind::kRecorded || kind == AnswerKind::kUnchanged);
      }
    }
  }
  const VerifyReport result = report();
  EXPECT_TRUE(result.ok()) << to_text(*result.difference);
  EXPECT_EQ(result.private_values, 0U);
}

TEST_F(VerifyTest, a_flipped_byte_in_any_file_of_the_log_is_found) {
  // Opened once more, the log has files of both kinds.
  make_ledger(dir(), clock_, 50, 8);
  std::set<std::string> kinds;
  for (const auto& item : std::filesystem::directory_iterator(LedgerFiles(dir()).log)) {
    const std::string path = item.path().string();
    const std::string kind = item.path().extension().string();
    const std::string sound = eventstore::file_bytes(path);
    if ((kind != ".sst" && kind != ".log") || sound.empty()) continue;
    kinds.insert(kind);
    std::string damaged = sound;
    damaged[damaged.size() / 3] = static_cast<char>(damaged[damaged.size() / 3] ^ 1);
    eventstore::write_file(path, damaged);
    EXPECT_FALSE(report().ok()) << path;
    eventstore::write_file(path, sound);
  }
  EXPECT_EQ(kinds.size(), 2u);
  EXPECT_TRUE(report().ok());
}

TEST_F(VerifyTest, nothing_is_written_in_the_directory) {
  const auto listed = [this] {
    std::map<std::string, std::filesystem::file_time_type> files;
    for (const auto& item : std::filesystem::recursive_directory_iterator(dir())) {
      files[item.path().string()] = std::filesystem::last_write_time(item);
    }
    return files;
  };
  const auto before = listed();
  EXPECT_TRUE(report().ok());
  EXPECT_EQ(listed(), before);
}

TEST_F(VerifyTest, a_ledger_that_is_being_written_is_proven) {
  LedgerRig rig(dir(), clock_);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    RandomCommands commands(rig, clock_, 99);
    while (!done) commands.run(50);
  });
  for (int i = 0; i < 10; ++i) {
    const VerifyReport result = report();
    EXPECT_TRUE(result.ok()) << to_text(result);
  }
  done = true;
  writer.join();
}

TEST_F(VerifyTest, an_absent_ledger_is_not_found) {
  EXPECT_EQ(verify(temp_.file("absent")).status().code(), StatusCode::kNotFound);
}

TEST_F(VerifyTest, a_report_says_in_json_what_differs) {
  const std::string sound = to_json(report());
  EXPECT_NE(sound.find("\"ok\":true"), std::string::npos);
  EXPECT_NE(sound.find("\"difference\":null"), std::string::npos);
  forge<domain::BalanceToppedUp>([](auto&, auto& body) {
    raise(body.balance_after);
    return true;
  });
  const std::string damaged = to_json(report());
  EXPECT_NE(damaged.find("\"ok\":false"), std::string::npos);
  EXPECT_NE(damaged.find("\"check\":\"balance\""), std::string::npos) << damaged;
}

}  // namespace
}  // namespace daybook::replay

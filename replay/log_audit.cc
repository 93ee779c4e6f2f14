#include "replay/log_audit.h"

#include <utility>

#include "domain/posting_rules.h"
#include "eventstore/event_codec.h"
#include "eventstore/stream_key.h"
#include "eventstore/wire.h"

namespace daybook::replay {
namespace {

using domain::RecordedEvent;
using domain::StreamKind;
using eventstore::WireReader;
using eventstore::WireWriter;
using MaybeFinding = std::optional<Finding>;

std::string encode_refundable(const RefundableRow& row) {
  std::string bytes;
  WireWriter wire(bytes);
  wire.varint(row.amount.currency.packed());
  wire.varint128(static_cast<uint128>(row.amount.amount.units));
  wire.varint128(static_cast<uint128>(row.given_back.units));
  wire.fixed8(row.is_top_up ? 1 : 0);
  return bytes;
}

std::optional<RefundableRow> decode_refundable(std::string_view bytes) {
  WireReader wire(bytes);
  RefundableRow row;
  const auto currency = domain::Currency::unpack(static_cast<std::uint16_t>(wire.varint()));
  if (!currency) return std::nullopt;
  row.amount.currency = *currency;
  row.amount.amount.units = static_cast<int128>(wire.varint128());
  row.given_back.units = static_cast<int128>(wire.varint128());
  row.is_top_up = wire.fixed8() != 0;
  if (!wire.ok() || !wire.at_end()) return std::nullopt;
  return row;
}

std::string refundable_key(const domain::StreamId& stream, std::uint64_t version) {
  return eventstore::version_key(eventstore::stream_key(stream), version);
}

std::string key_bytes(const eventstore::LookupKey& key) { return {key.begin(), key.end()}; }

std::string place_of(const RecordedEvent& event, std::uint64_t position) {
  return "position " + std::to_string(position) + " (" + std::string(name_of(event.event)) +
         ", version " + std::to_string(event.version) + " of " +
         std::string(name_of(event.stream.kind)) + " " + event.stream.tenant.value() +
         (event.stream.id.empty() ? "" : "/" + event.stream.id) + ")";
}

/// What a later event may give back of this one; none of most.
std::optional<RefundableRow> refundable_of(const domain::Event& event) {
  using Row = std::optional<RefundableRow>;
  return std::visit(
      domain::Overloaded{
          [](const domain::ChargePosted& body) { return Row({body.amount, {}, false}); },
          [](const domain::HoldCaptured& body) { return Row({body.amount, {}, false}); },
          [](const domain::BalanceToppedUp& body) { return Row({body.amount, {}, true}); },
          [](const auto&) { return Row(); },
      },
      event);
}

}  // namespace

std::string encode_row(const StreamRow& row) {
  std::string bytes(1, static_cast<char>(row.state.index()));
  if (const auto* account = std::get_if<domain::AccountState>(&row.state)) {
    return bytes + eventstore::encode_state(*account);
  }
  if (const auto* tenant = std::get_if<domain::TenantState>(&row.state)) {
    return bytes + eventstore::encode_state(*tenant);
  }
  WireWriter(bytes).varint(std::get<std::uint64_t>(row.state));
  return bytes;
}

bool decode_row(std::string_view bytes, StreamRow& row) {
  if (bytes.empty()) return false;
  const std::string_view rest = bytes.substr(1);
  if (bytes.front() == 0) {
    auto account = eventstore::decode_state<domain::AccountState>(rest);
    if (account.ok()) row.state = std::move(*account);
    return account.ok();
  }
  if (bytes.front() == 1) {
    auto tenant = eventstore::decode_state<domain::TenantState>(rest);
    if (tenant.ok()) row.state = std::move(*tenant);
    return tenant.ok();
  }
  WireReader wire(rest);
  row.state = wire.varint();
  return wire.ok() && wire.at_end();
}

Result<std::optional<PlacedFinding>> LogAudit::take(const eventstore::DecodedEntry& decoded) {
  for (std::size_t i = 0; i < decoded.events.size(); ++i) {
    const RecordedEvent& event = decoded.events[i];
    const auto placed = [&](Finding finding) {
      return PlacedFinding{std::move(finding), place_of(event, decoded.entry.base_position + i)};
    };
    if (const std::string again = eventstore::encode_event(event); again != decoded.bytes[i]) {
      return std::optional(
          placed({"bytes", eventstore::to_hex(again), eventstore::to_hex(decoded.bytes[i])}));
    }
    if (auto finding = check_time(decoded, i)) return std::optional(placed(*finding));
    if (auto finding = check_form(event)) return std::optional(placed(*finding));
    if (auto finding = check_claim(event)) return std::optional(placed(*finding));
    last_recorded_at_ = event.recorded_at;
    for (const auto check : {&LogAudit::check_key, &LogAudit::check_stream}) {
      auto finding = (this->*check)(event);
      if (!finding.ok()) return finding.status();
      if (*finding) return std::optional(placed(**finding));
    }
    count(event);
  }
  ++totals_.entries;
  return std::optional<PlacedFinding>();
}

MaybeFinding LogAudit::check_time(const eventstore::DecodedEntry& decoded, std::size_t i) const {
  const Instant found = decoded.events[i].recorded_at;
  const eventstore::Entry& entry = decoded.entry;
  if (totals_.events > 0 && found < last_recorded_at_) {
    return Finding{"recorded_at", "at least " + to_rfc3339(last_recorded_at_), to_rfc3339(found)};
  }
  if (i == 0 && found != entry.first_recorded_at) {
    return Finding{"recorded_at", to_rfc3339(entry.first_recorded_at), to_rfc3339(found)};
  }
  if (i + 1 == decoded.events.size() && found != entry.last_recorded_at) {
    return Finding{"recorded_at", to_rfc3339(entry.last_recorded_at), to_rfc3339(found)};
  }
  return std::nullopt;
}

/// A payment's claim stands directly before the top-up that it is for, and no such top-up without.
MaybeFinding LogAudit::check_claim(const RecordedEvent& event) {
  const std::optional<RecordedEvent> claim = std::exchange(claim_, std::nullopt);
  const auto* top_up = std::get_if<domain::BalanceToppedUp>(&event.event);
  const bool is_of_payment = top_up != nullptr && top_up->provider_payment_id.has_value();
  if (is_of_payment != claim.has_value()) {
    return Finding{"claim",
                   claim ? "the top-up of the payment claimed before" : "a claim before it",
                   is_of_payment ? "none" : std::string(name_of(event.event))};
  }
  if (const auto* claimed = std::get_if<domain::PaymentClaimed>(&event.event)) {
    if (claimed->provider.find('/') != std::string::npos) {
      return Finding{"claim", "a provider without a slash", claimed->provider};
    }
    const auto stream = domain::StreamId::payment(event.stream.tenant, claimed->provider,
                                                  claimed->provider_payment_id);
    if (event.stream != stream || event.version != 1) {
      return Finding{"claim", "version 1 of payment " + stream.id,
                     "version " + std::to_string(event.version) + " of " + event.stream.id};
    }
    claim_ = event;
  }
  if (!claim) return std::nullopt;
  const auto& claimed = std::get<domain::PaymentClaimed>(claim->event);
  const domain::PaymentClaimed expected{top_up->provider.value_or(""),
                                        *top_up->provider_payment_id,
                                        top_up->amount,
                                        {AccountId(event.stream.id), event.version}};
  if (claimed == expected && claim->stream.tenant == event.stream.tenant) return std::nullopt;
  return Finding{
      "claim",
      money_text(claimed.amount) + " of " + claim->stream.id + " for version " +
          std::to_string(claimed.top_up.version) + " of account " + claimed.top_up.account.value(),
      money_text(top_up->amount) + " of " + expected.provider + "/" + expected.provider_payment_id};
}

/// A key stands for one event of its stream, or a retry would have two answers.
Result<MaybeFinding> LogAudit::check_key(const RecordedEvent& event) {
  if (event.idempotency_key.empty()) return MaybeFinding();
  const auto key = eventstore::lookup_key(eventstore::LookupKind::kIdempotencyKey, event.stream,
                                          event.idempotency_key);
  bool is_new = keys_.insert(key).second;
  if (is_new) {
    auto known = scratch_.get(tables_.keys, key_bytes(key));
    if (!known.ok()) return known.status();
    is_new = !known->has_value();
  }
  if (is_new) return MaybeFinding();
  return MaybeFinding(
      Finding{"key", "one event with the idempotency key on its stream", "another"});
}

Result<MaybeFinding> LogAudit::check_stream(const RecordedEvent& event) {
  auto found = streams_.edit(eventstore::stream_key(event.stream));
  if (!found.ok()) return found.status();
  std::optional<StreamRow>& row = **found;
  const bool is_new = !row.has_value();
  if (is_new) ++totals_.streams;
  if (event.stream.kind == StreamKind::kAccount) {
    if (is_new) row = StreamRow{domain::AccountState{}};
    return check_account(*row, event);
  }
  if (event.stream.kind == StreamKind::kTenant) {
    if (is_new) row = StreamRow{domain::TenantState{}};
    auto& state = std::get<domain::TenantState>(row->state);
    if (auto finding = check_evolves(state, event)) return MaybeFinding(finding);
    domain::evolve(state, event);
    return MaybeFinding();
  }
  if (is_new) row = StreamRow{std::uint64_t{0}};
  auto& version = std::get<std::uint64_t>(row->state);
  if (event.version != version + 1) {
    return MaybeFinding(
        Finding{"version", std::to_string(version + 1), std::to_string(event.version)});
  }
  ++version;
  return check_adopted(event);
}

/// A partition decides with each version of the catalogue as soon as the tenant has it.
Result<MaybeFinding> LogAudit::check_adopted(const RecordedEvent& event) {
  const auto* adopted = std::get_if<domain::CatalogueAdopted>(&event.event);
  if (adopted == nullptr) return MaybeFinding();
  auto tenant =
      streams_.read(eventstore::stream_key(domain::StreamId::of_tenant(event.stream.tenant)));
  if (!tenant.ok()) return tenant.status();
  const std::uint64_t expected =
      **tenant ? std::get<domain::TenantState>((**tenant)->state).catalogue.version : 0;
  if (adopted->catalogue_version == expected) return MaybeFinding();
  return MaybeFinding(Finding{"catalogue", "version " + std::to_string(expected),
                              "version " + std::to_string(adopted->catalogue_version)});
}

Result<MaybeFinding> LogAudit::check_account(StreamRow& row, const RecordedEvent& event) {
  auto& state = std::get<domain::AccountState>(row.state);
  if (auto finding = check_evolves(state, event)) return MaybeFinding(finding);
  auto tenant =
      streams_.read(eventstore::stream_key(domain::StreamId::of_tenant(event.stream.tenant)));
  if (!tenant.ok()) return tenant.status();
  static const domain::Catalogue kNoTerms;
  const domain::Catalogue& catalogue =
      **tenant ? std::get<domain::TenantState>((**tenant)->state).catalogue : kNoTerms;
  if (auto finding = check_and_evolve(state, catalogue, event)) return MaybeFinding(finding);
  if (const auto fresh = refundable_of(event.event)) {
    refundables_.insert_or_assign(refundable_key(event.stream, event.version), *fresh);
  }
  return check_refund(event);
}

Result<MaybeFinding> LogAudit::check_refund(const RecordedEvent& event) {
  const auto* refund = std::get_if<domain::ChargeRefunded>(&event.event);
  const auto* reversal = std::get_if<domain::TopUpReversed>(&event.event);
  if (refund == nullptr && reversal == nullptr) return MaybeFinding();
  const std::uint64_t version =
      refund != nullptr ? refund->charge.version : reversal->top_up.version;
  const domain::Money& amount = refund != nullptr ? refund->amount : reversal->amount;
  const char* const check = refund != nullptr ? "refund" : "reversal";
  const std::string key = refundable_key(event.stream, version);
  auto known = refundable(key);
  if (!known.ok()) return known.status();
  if (!*known || (*known)->is_top_up != (reversal != nullptr)) {
    return MaybeFinding(Finding{check, refund != nullptr ? "of a charge" : "of a top-up",
                                "of version " + std::to_string(version)});
  }
  RefundableRow row = **known;
  if (row.amount.currency != amount.currency) {
    return MaybeFinding(Finding{check, "an amount in " + std::string(row.amount.currency.code()),
                                money_text(amount)});
  }
  const auto total = domain::checked_add(row.given_back, amount.amount);
  if (!total || *total > row.amount.amount ||
      (reversal != nullptr && *total != row.amount.amount)) {
    return MaybeFinding(Finding{check, "at most " + money_text(row.amount) + " in all",
                                total ? money_text({*total, amount.currency}) : "overflow"});
  }
  if (refund != nullptr && refund->refunded_total != domain::Money{*total, amount.currency}) {
    return MaybeFinding(Finding{"refunded_total", money_text({*total, amount.currency}),
                                money_text(refund->refunded_total)});
  }
  row.given_back = *total;
  refundables_.insert_or_assign(key, row);
  return MaybeFinding();
}

Result<std::optional<RefundableRow>> LogAudit::refundable(const std::string& key) {
  const auto found = refundables_.find(key);
  if (found != refundables_.end()) return std::optional(found->second);
  auto bytes = scratch_.get(tables_.refundables, key);
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<RefundableRow>();
  auto row = decode_refundable(**bytes);
  if (!row) return corrupt("the scratch store gave back other bytes than were put");
  return row;
}

void LogAudit::count(const RecordedEvent& event) {
  ++totals_.events;
  for (const auto& posting : domain::postings_of(event.event, event.rules_version)) {
    totals_.postings[posting.amount.currency].add(posting.amount.amount);
  }
}

Status LogAudit::finish_batch() {
  eventstore::KvBatch batch;
  streams_.finish(batch);
  for (const auto& [key, row] : refundables_) {
    batch.put(tables_.refundables, key, encode_refundable(row));
  }
  refundables_.clear();
  for (const auto& key : keys_) {
    batch.put(tables_.keys, key_bytes(key), "");
  }
  keys_.clear();
  return batch.empty() ? Status() : scratch_.write(batch);
}

}  // namespace daybook::replay

#include "app/focus_import.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <istream>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/focus_csv.h"
#include "api/json_reader.h"
#include "app/focus_items.h"
#include "app/http_client.h"
#include "app/import_target.h"
#include "app/progress.h"
#include "app/stop_signal.h"
#include "domain/base/result.h"
#include "domain/money.h"
#include "eventstore/json_text.h"

namespace daybook::app {
namespace {

using eventstore::JsonObject;

constexpr int kBusy = 503;
constexpr int kAbsent = 404;
constexpr int kConflict = 409;
/// A busy ledger is asked again so often, so much later each time: half a minute in all.
constexpr int kTriesMax = 60;
constexpr std::chrono::milliseconds kPause{500};

Status stopped() { return io_error("stopped; run the import again to complete it"); }

/// What the ledger says against an item.
std::string reason_in(const ImportOutcome& outcome) {
  const auto parsed = api::parse_json(outcome.body);
  const auto* json = std::get_if<api::JsonValue>(&parsed);
  if (json == nullptr) return "status " + std::to_string(outcome.status);
  return problem_text(*json);
}

}  // namespace

Status FocusImport::check(std::istream& file, const StopSignal& stop) {
  Progress progress("rows checked", 0);
  const auto wrong = [&](const api::FocusRowError& error) {
    ++counts_.wrong;
    progress.clear();
    errors_ << to_text(error) << '\n';
    return !stop.stopping();
  };
  const auto take = [&](const api::FocusRow& row) {
    if (auto error = objection_to(row, item_of(row), rules_.now)) return wrong(*error);
    for (const std::string& column : withheld_columns(row)) {
      ++counts_.withheld;
      progress.clear();
      errors_ << "line " << row.line << ", column " << column
              << ": left out, it looks like a card number\n";
    }
    progress.update(++counts_.rows);
    return !stop.stopping();
  };
  Status read = api::read_focus_csv(file, {take, wrong});
  return read.ok() && stop.stopping() ? stopped() : read;
}

Status FocusImport::book(std::istream& file, ImportTarget& target, StopSignal& stop) {
  Progress progress("rows", counts_.rows);
  Status status;
  const auto take = [&](const api::FocusRow& row) {
    ImportItem item = item_of(row);
    // The first pass has said so.
    if (objection_to(row, item, rules_.now)) return !stop.stopping();
    window_bytes_ += item.body.size() + item.path.size();
    window_.push_back(
        {row.line, row.account_id, row.currency, row.cost, std::move(item), opening_of(row)});
    if (window_.size() < kWindowItems && window_bytes_ < kWindowBytes) return true;
    status = book_window(target, stop);
    progress.update(counts_.imported + counts_.present + counts_.refused);
    return status.ok();
  };
  const auto wrong = [&stop](const api::FocusRowError&) { return !stop.stopping(); };
  Status read = api::read_focus_csv(file, {take, wrong});
  if (!read.ok()) return read;
  if (status.ok()) status = book_window(target, stop);
  return status;
}

Status FocusImport::book_window(ImportTarget& target, StopSignal& stop) {
  std::vector<bool> settled(window_.size(), false);
  Status status = open_accounts(target, stop, settled);
  if (!status.ok()) return status;
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < window_.size(); ++i) {
    if (!settled[i]) rest.push_back(i);
  }
  std::vector<ImportOutcome> outcomes;
  status = settle(target, stop, rest, outcomes);
  for (std::size_t i = 0; status.ok() && i < rest.size(); ++i) {
    status = count(window_[rest[i]], outcomes[i]);
  }
  window_.clear();
  window_bytes_ = 0;
  return status;
}

/// The first row of an account that was not met yet tells by its answer whether the account is
/// there; only then is it opened, so that importing into an open account records no second opening.
Status FocusImport::open_accounts(ImportTarget& target, StopSignal& stop,
                                  std::vector<bool>& settled) {
  std::vector<std::size_t> first_rows;
  for (std::size_t i = 0; i < window_.size(); ++i) {
    if (known_accounts_.insert(window_[i].account).second) first_rows.push_back(i);
  }
  std::vector<ImportOutcome> outcomes;
  Status status = settle(target, stop, first_rows, outcomes);
  if (!status.ok()) return status;
  std::vector<ImportItem> openings;
  for (std::size_t i = 0; i < first_rows.size(); ++i) {
    const Row& row = window_[first_rows[i]];
    if (outcomes[i].status == kAbsent) {
      openings.push_back(row.opening);
      continue;
    }
    settled[first_rows[i]] = true;
    status = count(row, outcomes[i]);
    if (!status.ok()) return status;
  }
  auto opened = run(target, stop, openings);
  if (!opened.ok()) return opened.status();
  for (std::size_t i = 0; i < openings.size(); ++i) {
    const ImportOutcome& outcome = (*opened)[i];
    if (outcome.ok() && !outcome.replayed) ++counts_.opened;
    // 409: somebody else has opened it meanwhile, which is as good.
    if (outcome.ok() || outcome.status == kConflict) continue;
    return invalid("account " + openings[i].account + " cannot be opened: " + reason_in(outcome));
  }
  return {};
}

Status FocusImport::settle(ImportTarget& target, StopSignal& stop,
                           const std::vector<std::size_t>& rows,
                           std::vector<ImportOutcome>& outcomes) {
  std::vector<ImportItem> items;
  items.reserve(rows.size());
  for (const std::size_t row : rows) items.push_back(window_[row].item);
  auto result = run(target, stop, items);
  if (!result.ok()) return result.status();
  outcomes = std::move(*result);
  return {};
}

/// Sends what the ledger was too busy for again, within bounds.
Result<std::vector<ImportOutcome>> FocusImport::run(ImportTarget& target, StopSignal& stop,
                                                    const std::vector<ImportItem>& items) {
  if (stop.stopping()) return stopped();
  auto outcomes = target.run(items);
  for (int attempt = 0; attempt < kTriesMax && outcomes.ok(); ++attempt) {
    std::vector<ImportItem> again;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if ((*outcomes)[i].status != kBusy) continue;
      again.push_back(items[i]);
      places.push_back(i);
    }
    if (again.empty()) return outcomes;
    if (stop.wait_for(kPause)) return stopped();
    auto more = target.run(again);
    if (!more.ok()) return more;
    for (std::size_t i = 0; i < places.size(); ++i) (*outcomes)[places[i]] = (*more)[i];
  }
  return outcomes;
}

Status FocusImport::count(const Row& row, const ImportOutcome& outcome) {
  Sum& sum = sums_[{row.account, row.currency}];
  if (!outcome.ok()) {
    ++counts_.refused;
    errors_ << "line " << row.line << ", account " << row.account << ": " << reason_in(outcome)
            << '\n';
    return {};
  }
  const auto cost = checked_add(sum.cost, row.cost);
  if (!cost) return invalid("the sum of account " + row.account + " exceeds what an amount holds");
  sum.cost = *cost;
  ++sum.rows;
  if (outcome.replayed) {
    ++counts_.present;
  } else {
    ++counts_.imported;
    ++sum.imported;
  }
  return {};
}

bool FocusImport::complete() const {
  return counts_.wrong == 0 && counts_.refused == 0 &&
         counts_.imported + counts_.present == counts_.rows;
}

std::uint64_t FocusImport::not_tried() const {
  const std::uint64_t tried = counts_.imported + counts_.present + counts_.refused;
  return counts_.rows - std::min(counts_.rows, tried);  // A file may have grown between the passes.
}

std::string FocusImport::summary_text() const {
  std::string text;
  for (const auto& [key, sum] : sums_) {
    text += key.first + "  " + with_commas(sum.rows) + " rows  " +
            to_text(domain::Money{sum.cost, key.second}) + " " + std::string(key.second.code()) +
            "\n";
  }
  text += with_commas(counts_.rows + counts_.wrong) + " rows: " + with_commas(counts_.imported) +
          " imported, " + with_commas(counts_.present) + " already there, " +
          with_commas(counts_.refused) + " refused, " + with_commas(counts_.wrong) + " wrong, " +
          with_commas(not_tried()) + " not tried; " + with_commas(counts_.opened) +
          " accounts opened\n";
  if (counts_.imported == 0 && counts_.present > 0) {
    text += "Nothing was changed.\n";
  } else if (counts_.imported == 0) {
    text += "Nothing was imported.\n";
  }
  return text;
}

std::string FocusImport::summary_json() const {
  std::vector<std::string> accounts;
  accounts.reserve(sums_.size());
  for (const auto& [key, sum] : sums_) {
    accounts.push_back(JsonObject()
                           .string("account", key.first)
                           .string("currency", key.second.code())
                           .number("rows", sum.rows)
                           .number("imported", sum.imported)
                           .string("cost", to_text(domain::Money{sum.cost, key.second}))
                           .text());
  }
  return JsonObject()
      .number("rows", counts_.rows + counts_.wrong)
      .number("imported", counts_.imported)
      .number("already_there", counts_.present)
      .number("refused", counts_.refused)
      .number("wrong", counts_.wrong)
      .number("not_tried", not_tried())
      .number("values_left_out", counts_.withheld)
      .number("accounts_opened", counts_.opened)
      .raw("accounts", eventstore::json_array(accounts))
      .text();
}

}  // namespace daybook::app

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/focus_csv.h"
#include "app/focus_items.h"
#include "domain/base/utf8.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/targets.h"

namespace daybook::fuzz {
namespace {

constexpr std::size_t kRowsMax = 200;

struct Outcome {
  std::vector<api::FocusRow> rows;
  std::vector<std::string> errors;
  Status status;
};

Outcome read(const std::vector<std::string_view>& pieces) {
  Outcome outcome;
  api::FocusCsvReader reader({[&](api::FocusRow row) {
                                outcome.rows.push_back(std::move(row));
                                return outcome.rows.size() < kRowsMax;
                              },
                              [&](const api::FocusRowError& error) {
                                outcome.errors.push_back(api::to_text(error));
                                return true;
                              }});
  for (const auto piece : pieces) {
    outcome.status = reader.push(piece);
    if (!outcome.status.ok()) return outcome;
  }
  outcome.status = reader.finish();
  return outcome;
}

bool same(const api::FocusRow& left, const api::FocusRow& right) {
  return left.line == right.line && left.account_id == right.account_id &&
         left.original_account_id == right.original_account_id && left.currency == right.currency &&
         left.cost == right.cost && left.charge_period_start == right.charge_period_start &&
         left.description == right.description && left.service_name == right.service_name &&
         left.attributes == right.attributes && left.key == right.key;
}

void check_row(const api::FocusRow& row) {
  require(is_utf8(row.description) && is_utf8(row.service_name) && is_utf8(row.original_account_id),
          "what a row says is text");
  const auto id = api::focus_account_id(row.original_account_id);
  require(id.ok() && *id == row.account_id, "the account is that of the row");
  std::size_t bytes = 0;
  std::set<std::string_view> names;
  for (const auto& [name, value] : row.attributes) {
    require(names.insert(name).second, "an attribute is there once");
    require(name.size() <= api::kFocusMaxNameBytes && value.size() <= api::kFocusMaxValueBytes,
            "an attribute keeps its bounds");
    require(is_utf8(name) && is_utf8(value), "an attribute is text");
    bytes += name.size() + value.size();
  }
  require(bytes <= api::kFocusMaxAttributeBytes, "all attributes keep their bound");

  const app::ImportItem item = app::item_of(row);
  const auto command = app::command_of(item, TenantId("main"));
  const auto objection = app::objection_to(row, item, row.charge_period_start);
  require(std::holds_alternative<api::CommandBody>(command) || objection.has_value(),
          "what cannot be booked has a reason");
  if (objection) require(objection->line == row.line, "a reason has the row's line");
  const auto opening = app::command_of(app::opening_of(row), TenantId("main"));
  require(std::holds_alternative<api::CommandBody>(opening), "a row's account can be opened");
}

}  // namespace

/// A FOCUS file.
void focus_csv(std::string_view bytes) {
  Chance chance(bytes);
  const Outcome whole = read({bytes});
  const Outcome cut = read(pieces_of(bytes, 1 + chance.below(48), chance));
  require(whole.status.code() == cut.status.code() &&
              whole.status.message() == cut.status.message() && whole.errors == cut.errors,
          "how a file is cut changes no error");
  require(std::equal(whole.rows.begin(), whole.rows.end(), cut.rows.begin(), cut.rows.end(), same),
          "how a file is cut changes no row");
  std::set<std::string_view> keys;
  std::uint64_t line = 1;
  for (const auto& row : whole.rows) {
    require(row.line > line, "rows come in the order of their lines");
    line = row.line;
    require(keys.insert(row.key).second, "every row has a key of its own");
    check_row(row);
  }
}

}  // namespace daybook::fuzz

#include "api/focus_csv.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace daybook::api {
namespace {

struct Outcome {
  std::vector<FocusRow> rows;
  std::vector<std::string> errors;
  Status status;
};

Outcome read_in_pieces(std::string_view text, std::size_t piece) {
  Outcome outcome;
  FocusCsvReader reader({[&](FocusRow row) {
                           outcome.rows.push_back(std::move(row));
                           return true;
                         },
                         [&](const FocusRowError& error) {
                           outcome.errors.push_back(to_text(error));
                           return true;
                         }});
  for (std::size_t at = 0; at < text.size(); at += piece) {
    outcome.status = reader.push(text.substr(at, piece));
    if (!outcome.status.ok()) return outcome;
  }
  outcome.status = reader.finish();
  return outcome;
}

std::vector<std::string> keys(const std::vector<FocusRow>& rows) {
  std::vector<std::string> result;
  for (const FocusRow& row : rows) result.push_back(row.key);
  return result;
}

/// However the bytes are cut, the outcome must be the same.
Outcome read(std::string_view text) {
  Outcome whole = read_in_pieces(text, std::max<std::size_t>(text.size(), 1));
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 64U}) {
    const Outcome cut = read_in_pieces(text, piece);
    EXPECT_EQ(keys(cut.rows), keys(whole.rows)) << "pieces of " << piece;
    EXPECT_EQ(cut.errors, whole.errors) << "pieces of " << piece;
    EXPECT_EQ(cut.status.message(), whole.status.message()) << "pieces of " << piece;
    if (cut.rows.size() != whole.rows.size()) continue;
    for (std::size_t i = 0; i < cut.rows.size(); ++i) {
      EXPECT_EQ(cut.rows[i].line, whole.rows[i].line);
      EXPECT_EQ(cut.rows[i].attributes, whole.rows[i].attributes);
    }
  }
  return whole;
}

const std::string kHeader =
    "BillingAccountId,BilledCost,BillingCurrency,ChargePeriodStart,ChargeDescription,Tags\n";
const std::string kGood = "acme,1.50,USD,2024-09-18 22:00:00,a charge,NULL\n";

/// The one error of a file whose second line is good and whose third is `line`.
std::string error_of(const std::string& line) {
  const Outcome outcome = read(kHeader + kGood + line + "\n" + kGood);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.rows.size(), 2U) << line;
  EXPECT_EQ(outcome.errors.size(), 1U) << line;
  return outcome.errors.empty() ? "" : outcome.errors.front();
}

FocusRow only_row(const Outcome& outcome) {
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.errors, std::vector<std::string>{});
  EXPECT_EQ(outcome.rows.size(), 1U);
  return outcome.rows.empty() ? FocusRow{} : outcome.rows.front();
}

std::string start_of(const std::string& time) {
  const Outcome outcome = read(kHeader + "acme,1,USD," + time + ",d,\n");
  return outcome.rows.empty() ? outcome.errors.at(0)
                              : to_rfc3339(outcome.rows[0].charge_period_start);
}

TEST(FocusCsvTest, row_is_read_by_the_names_of_its_columns) {
  const FocusRow row = only_row(
      read("RegionId,Tags,ServiceName,ChargePeriodStart,\"BillingCurrency\",SkuId,BilledCost,"
           "ChargeDescription,BillingAccountId,x_Note\n"
           "us-west-2,\"{\"\"env\"\": \"\"dev\"\", \"\" org\"\": \"\"b,\"\"}\",Queue,"
           "\"2024-09-18 22:00:00\",USD,NULL,-0.00001605990,\"per \"\"million\"\", €\",12/3,\n"));
  EXPECT_EQ(row.line, 2U);
  EXPECT_EQ(row.account_id, "12:2f3");
  EXPECT_EQ(row.original_account_id, "12/3");
  EXPECT_EQ(row.currency.code(), "USD");
  EXPECT_EQ(domain::to_text(row.cost, 0), "-0.0000160599");
  EXPECT_EQ(to_rfc3339(row.charge_period_start), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(row.description, "per \"million\", €");
  EXPECT_EQ(row.service_name, "Queue");
  EXPECT_EQ(row.attributes, (std::vector<FocusAttribute>{{"RegionId", "us-west-2"},
                                                         {"tag.env", "dev"},
                                                         {"tag. org", "b,"},
                                                         {"BillingAccountId", "12/3"}}));
}

TEST(FocusCsvTest, account_ids_are_escaped_without_collision) {
  const auto id = [](std::string_view text) { return focus_account_id(text).value(); };
  EXPECT_EQ(id("Az09._+-"), "Az09._+-");
  EXPECT_EQ(id("/providers/Microsoft.Billing/billingAccounts/8611537"),
            ":2fproviders:2fMicrosoft.Billing:2fbillingAccounts:2f8611537");
  EXPECT_EQ(id("a:2f"), "a:3a2f");
  EXPECT_EQ(id("é@x"), ":c3:a9:40x");
  EXPECT_EQ(id("-a-"), ":2da-");
  EXPECT_EQ(id("._"), ":2e_");
  EXPECT_EQ(id(std::string(128, 'a')).size(), 128U);
  EXPECT_EQ(id(std::string(125, 'a') + "/").size(), 128U);
  EXPECT_FALSE(focus_account_id(std::string(129, 'a')).ok());
  EXPECT_FALSE(focus_account_id(std::string(126, 'a') + "/").ok());
  EXPECT_FALSE(focus_account_id("").ok());
}

TEST(FocusCsvTest, times_are_utc_with_a_space_or_a_t) {
  EXPECT_EQ(start_of("2024-09-18 22:00:00"), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(start_of("2024-09-18T22:00:00Z"), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(start_of("2024-09-18T22:00:00"), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(start_of("2024-09-18T22:00Z"), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(start_of("2024-09-18 22:00"), "2024-09-18T22:00:00.000000Z");
  EXPECT_EQ(start_of("2024-09-18 22:00:00.123456"), "2024-09-18T22:00:00.123456Z");
  EXPECT_EQ(start_of("2024-09-18T22:00:00+02:00"), "2024-09-18T20:00:00.000000Z");
  for (const std::string time :
       {"2024-09-18", "2024-02-30 00:00:00", "18.09.2024 22:00:00", "2024-09-18  22:00:00",
        "2024-09-18 22:00:00.1234567", "2024-09-18 24:00:00", "1726696800",
        "2024-09-18 22:00:00 UTC", "2024-09-18 22:00:00z "}) {
    EXPECT_EQ(start_of(time), "line 2, column ChargePeriodStart: '" + time +
                                  "' is not a time as YYYY-MM-DD HH:MM:SS or RFC 3339");
  }
}

TEST(FocusCsvTest, damaged_values_name_their_line_and_column) {
  const std::string decimal = " is not a plain decimal of at most 26 digits and 12 decimals";
  EXPECT_EQ(error_of("acme,1e-3,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BilledCost: '1e-3'" + decimal);
  EXPECT_EQ(error_of("acme,0.0000000000001,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BilledCost: '0.0000000000001'" + decimal);
  EXPECT_EQ(error_of("acme,\"1,5\",USD,2024-09-18 22:00:00,d,"),
            "line 3, column BilledCost: '1,5'" + decimal);
  EXPECT_EQ(error_of("acme, 1,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BilledCost: ' 1'" + decimal);
  EXPECT_EQ(error_of("acme,NULL,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BilledCost: is empty");
  EXPECT_EQ(error_of(",1,USD,2024-09-18 22:00:00,d,"), "line 3, column BillingAccountId: is empty");
  EXPECT_EQ(error_of("NULL,1,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BillingAccountId: is empty");
  EXPECT_EQ(error_of(std::string(43, '/') + ",1,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BillingAccountId: is longer than 128 bytes as an account id");
  EXPECT_EQ(error_of("acme,1,usd,2024-09-18 22:00:00,d,"),
            "line 3, column BillingCurrency: 'usd' is not an ISO 4217 currency code");
  EXPECT_EQ(error_of("acme,1,,2024-09-18 22:00:00,d,"), "line 3, column BillingCurrency: is empty");
  EXPECT_EQ(error_of("acme,1,USD,,d,"), "line 3, column ChargePeriodStart: is empty");
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,\xff,"),
            "line 3, column ChargeDescription: is not UTF-8 text");
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00," + std::string("\0", 1) + ","),
            "line 3, column ChargeDescription: is not UTF-8 text");
}

TEST(FocusCsvTest, damaged_tags_name_the_column_tags) {
  const std::string start = "acme,1,USD,2024-09-18 22:00:00,d,";
  EXPECT_EQ(error_of(start + "{"),
            "line 3, column Tags: is not JSON: Missing a name for object member. (at byte 1)");
  EXPECT_EQ(error_of(start + "\"[\"\"a\"\"]\""), "line 3, column Tags: is not an object");
  EXPECT_EQ(error_of(start + "\"{\"\"a\"\": {}}\""), "line 3, column Tags: holds a nested object");
  EXPECT_EQ(
      error_of(start + "\"{\"\"a\"\":1,\"\"a\"\":2}\""),
      "line 3, column Tags: is not JSON: two members of one object have the same name (at byte "
      "10)");
}

TEST(FocusCsvTest, fields_that_are_missing_or_too_many_are_named) {
  EXPECT_EQ(error_of("acme,1,USD"),
            "line 3, column ChargePeriodStart: the row has 3 fields, the header has 6");
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,d,,,"),
            "line 3, column #7: the row has 8 fields, the header has 6");
}

TEST(FocusCsvTest, wrong_quotes_cost_one_row) {
  const std::string quotes =
      "the quotes are wrong: a field with a quote in it is quoted as a whole, its quotes doubled";
  EXPECT_EQ(error_of("ac\"me,1,USD,2024-09-18 22:00:00,d,"),
            "line 3, column BillingAccountId: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,\"d\"x,"),
            "line 3, column ChargeDescription: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,\"d\"x,\ry"),
            "line 3, column ChargeDescription: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00, \"d\","),
            "line 3, column ChargeDescription: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,\"d\" ,"),
            "line 3, column ChargeDescription: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,d,\"{\"a\": 1}\""),
            "line 3, column Tags: " + quotes);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,d,\"{\"a\": 1}\"\r"),
            "line 3, column Tags: " + quotes);
}

TEST(FocusCsvTest, quote_that_is_never_closed_is_reported_where_it_opens) {
  const Outcome outcome =
      read(kHeader + kGood + "acme,1,USD,2024-09-18 22:00:00,\"d,\n" + kGood + kGood);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.rows.size(), 1U);
  EXPECT_EQ(outcome.errors,
            std::vector<std::string>{"line 3, column ChargeDescription: the quoted field is not "
                                     "closed before the end of the file"});
}

TEST(FocusCsvTest, carriage_return_belongs_to_a_line_feed_or_into_quotes) {
  const std::string message = "a carriage return without a line feed must stand in a quoted field";
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,d\rd,"),
            "line 3, column ChargeDescription: " + message);
  EXPECT_EQ(error_of("acme,1,USD,2024-09-18 22:00:00,d,\r\r"), "line 3, column Tags: " + message);
  const Outcome at_end = read(kHeader + "acme,1,USD,2024-09-18 22:00:00,d,\r");
  EXPECT_EQ(at_end.errors, std::vector<std::string>{"line 2, column Tags: " + message});
  const FocusRow row = only_row(read(kHeader + "acme,1,USD,2024-09-18 22:00:00,\"d\r\r\nd\",\r\n"));
  EXPECT_EQ(row.description, "d\r\r\nd");
}

TEST(FocusCsvTest, quoted_newlines_count_as_lines) {
  const Outcome outcome =
      read(kHeader + "acme,1,USD,2024-09-18 22:00:00,\"two\nlines\",\n" +
           "acme,1,USD,2024-09-18 22:00:00,\"three\r\n\nlines\",oops\r\n\r\n\n" + kGood);
  EXPECT_TRUE(outcome.status.ok());
  ASSERT_EQ(outcome.rows.size(), 2U);
  EXPECT_EQ(outcome.rows[0].line, 2U);
  EXPECT_EQ(outcome.rows[0].description, "two\nlines");
  EXPECT_EQ(outcome.rows[1].line, 9U);
  EXPECT_EQ(outcome.errors, std::vector<std::string>{"line 6, column Tags: is not JSON: Invalid "
                                                     "value. (at byte 0)"});
}

TEST(FocusCsvTest, byte_order_mark_crlf_and_a_last_line_without_end_are_accepted) {
  std::string text = "\xEF\xBB\xBF" + kHeader + kGood + kGood;
  text.pop_back();
  const Outcome plain = read(text);
  EXPECT_TRUE(plain.status.ok());
  EXPECT_EQ(plain.rows.size(), 2U);
  std::string crlf;
  for (const char c : text) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(keys(read(crlf).rows), keys(plain.rows));
  const Outcome other = read("\xEF\xBC\xA1," + kHeader + "x," + kGood);
  ASSERT_EQ(other.rows.size(), 1U);
  EXPECT_EQ(other.rows[0].attributes[0], (FocusAttribute{"\xEF\xBC\xA1", "x"}));
}

TEST(FocusCsvTest, keys_count_equal_rows_and_ignore_the_order_of_columns) {
  const Outcome once = read(kHeader + kGood + "b" + kGood + kGood);
  const Outcome again = read(kHeader + kGood + "b" + kGood + kGood);
  ASSERT_EQ(once.rows.size(), 3U);
  EXPECT_EQ(keys(once.rows), keys(again.rows));
  const std::string hash = once.rows[0].key.substr(0, 39);
  EXPECT_EQ(once.rows[0].key, hash + "1");
  EXPECT_EQ(once.rows[2].key, hash + "2");
  EXPECT_EQ(once.rows[1].key.substr(38), ":1");
  EXPECT_NE(once.rows[1].key.substr(0, 39), hash);
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef", 6), 38U);

  const Outcome moved = read(
      "Tags,BilledCost,BillingCurrency,ChargePeriodStart,ChargeDescription,BillingAccountId\n"
      "NULL,1.50,USD,2024-09-18 22:00:00,a charge,acme\n");
  EXPECT_EQ(only_row(moved).key, once.rows[0].key);
  // Fixed for good: an old import must recognise its rows. SHA-256 of name and value of each
  // column, in the order of names, each after its length in eight bytes, lowest first.
  EXPECT_EQ(once.rows[0].key, "focus:5a72cc49821660ba5d8569f54ba61b19:1");
}

TEST(FocusCsvTest, key_depends_on_where_one_field_ends_and_the_next_begins) {
  const std::string header = "a,b," + kHeader;
  std::set<std::string> seen;
  for (const std::string start : {"x,y,", "xy,,", ",xy,", "y,x,", "xy,NULL,", "NULL,xy,"}) {
    seen.insert(only_row(read(header + start + kGood)).key);
  }
  EXPECT_EQ(seen.size(), 6U);
}

TEST(FocusCsvTest, values_over_a_limit_are_refused_and_up_to_it_are_whole) {
  const std::string start = "acme,1,USD,2024-09-18 22:00:00,";
  const std::string long_value(1024, 'v');
  EXPECT_EQ(only_row(read(kHeader + start + long_value + ",\n")).description, long_value);
  EXPECT_EQ(error_of(start + long_value + "v,"),
            "line 3, column ChargeDescription: has 1025 bytes, at most 1024 are allowed");

  const std::string name(60, 'n');
  const FocusRow row =
      only_row(read(kHeader + start + "d,\"{\"\"" + name + "\"\":\"\"" + long_value + "\"\"}\"\n"));
  EXPECT_EQ(row.attributes.back(), (FocusAttribute{"tag." + name, long_value}));
  EXPECT_EQ(error_of(start + "d,\"{\"\"" + name + "n\"\":1}\""),
            "line 3, column Tags: attribute name 'tag." + std::string(56, 'n') +
                "…' has 65 bytes, at most 64 are allowed");
  EXPECT_EQ(error_of(start + "d,\"{\"\"a\"\":\"\"" + long_value + "v\"\"}\""),
            "line 3, column Tags: tag 'a' has 1025 bytes, at most 1024 are allowed");

  // BillingAccountId + acme = 20 bytes; 7 tags of 1,029 bytes; 969 are left for the last.
  std::string tags;
  for (char key = 'a'; key < 'h'; ++key) {
    tags += "\"\"" + std::string(1, key) + "\"\":\"\"" + long_value + "\"\",";
  }
  const auto with_last = [&](std::size_t size) {
    return start + "d,\"{" + tags + "\"\"z\"\":\"\"" + std::string(size, 'v') + "\"\"}\"";
  };
  EXPECT_EQ(only_row(read(kHeader + with_last(964) + "\n")).attributes.size(), 9U);
  EXPECT_EQ(error_of(with_last(965)),
            "line 3, column Tags: tag 'z' brings the attributes of the row over 8192 bytes");
}

TEST(FocusCsvTest, file_without_a_usable_header_is_refused_as_a_whole) {
  const auto failure = [](std::string_view text) {
    const Outcome outcome = read(text);
    EXPECT_TRUE(outcome.rows.empty() && outcome.errors.empty());
    EXPECT_EQ(outcome.status.code(), StatusCode::kInvalid);
    return outcome.status.message();
  };
  EXPECT_EQ(failure(""), "the file has no header line");
  EXPECT_EQ(failure("\n\r\n"), "the file has no header line");
  EXPECT_EQ(failure("\xEF\xBB"), "the file has no header line");
  EXPECT_EQ(failure("\n" + kHeader.substr(17) + kGood),
            "line 2, column BillingAccountId: missing from the header");
  for (const std::string column :
       {"BilledCost", "BillingAccountId", "BillingCurrency", "ChargePeriodStart"}) {
    std::string header = kHeader;
    header.replace(header.find(column), column.size(), "Other");
    EXPECT_EQ(failure(header + kGood), "line 1, column " + column + ": missing from the header");
  }
  EXPECT_EQ(failure("Tags," + kHeader), "line 1, column 7 of the header: 'Tags' comes twice");
  EXPECT_EQ(failure("a,," + kHeader), "line 1, column 2 of the header: no name");
  EXPECT_EQ(failure("\xff," + kHeader), "line 1, column 1 of the header: not UTF-8");
  EXPECT_EQ(failure("tag.a," + kHeader),
            "line 1, column 1 of the header: 'tag.a' would be taken for a tag");
  EXPECT_EQ(failure(std::string(65, 'a') + "," + kHeader),
            "line 1, column 1 of the header: name has 65 bytes, at most 64 are allowed");
  EXPECT_EQ(failure("a,b\"," + kHeader).substr(0, 52),
            "line 1, column 2 of the header: the quotes are wrong");
  EXPECT_EQ(failure("a,\"b\n" + kHeader),
            "line 1, column 2 of the header: the quoted field is not closed before the end of the "
            "file");
}

TEST(FocusCsvTest, columns_are_limited_to_a_thousand) {
  std::string names;
  std::string values;
  for (int i = 0; i < 994; ++i) {
    names += "c" + std::to_string(i) + ",";
    values += ",";
  }
  EXPECT_EQ(read(names + kHeader + values + kGood).rows.size(), 1U);
  const Outcome over = read("one," + names + kHeader + "," + values + kGood);
  EXPECT_EQ(over.status.message(), "line 1, column 1001 of the header: too many columns");
  EXPECT_TRUE(over.rows.empty());
}

TEST(FocusCsvTest, row_over_the_limit_ends_the_reading) {
  const std::string start = "acme,1,USD,2024-09-18 22:00:00,\"";
  std::string text = kHeader + kGood + start;
  text.append(kFocusMaxRowBytes - start.size() - 3, 'v');
  const Outcome fits = read_in_pieces(text + "\",\n" + kGood, 65'536);
  EXPECT_TRUE(fits.status.ok());
  EXPECT_EQ(fits.rows.size(), 2U);
  EXPECT_EQ(fits.errors.size(), 1U);
  const Outcome over = read_in_pieces(text + "v\",\n" + kGood, 65'536);
  EXPECT_EQ(over.rows.size(), 1U);
  EXPECT_EQ(over.errors.size(), 0U);
  EXPECT_TRUE(over.status.message().ends_with(
      ": the row that begins on line 3 is longer than 16777216 bytes"))
      << over.status.message();
}

TEST(FocusCsvTest, sink_ends_the_reading) {
  int rows = 0;
  int errors = 0;
  std::istringstream in(kHeader + kGood + "bad\n" + kGood + kGood);
  const FocusSink sink = {[&](FocusRow) { return ++rows < 2; },
                          [&](const FocusRowError&) { return ++errors < 10; }};
  EXPECT_TRUE(read_focus_csv(in, sink).ok());
  EXPECT_EQ(rows, 2);
  EXPECT_EQ(errors, 1);
}

TEST(FocusCsvTest, stream_that_cannot_be_read_is_an_io_error) {
  std::ifstream in("/");
  const FocusSink sink = {[](FocusRow) { return true; }, [](const FocusRowError&) { return true; }};
  EXPECT_EQ(read_focus_csv(in, sink).code(), StatusCode::kIo);
}

rc::Gen<std::string> text_of(std::string alphabet) {
  return rc::gen::container<std::string>(rc::gen::elementOf(std::move(alphabet)));
}

RC_GTEST_PROP(FocusCsvProperty, quoted_text_comes_back_whole_with_the_right_line, ()) {
  const auto texts = *rc::gen::container<std::vector<std::string>>(text_of("\",\r\n aN"));
  std::string file = kHeader;
  std::vector<std::uint64_t> lines;
  for (const std::string& text : texts) {
    lines.push_back(1 + static_cast<std::uint64_t>(std::count(file.begin(), file.end(), '\n')));
    file += "acme,1,USD,2024-09-18 22:00:00,\"";
    for (const char c : text) file += std::string(c == '"' ? 2U : 1U, c);
    file += "\",\r\n";
  }
  const Outcome outcome = read_in_pieces(file, *rc::gen::inRange<std::size_t>(1, 100));
  RC_ASSERT(outcome.status.ok());
  RC_ASSERT(outcome.errors.empty());
  RC_ASSERT(outcome.rows.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    RC_ASSERT(outcome.rows[i].description == texts[i]);
    RC_ASSERT(outcome.rows[i].line == lines[i]);
  }
}

RC_GTEST_PROP(FocusCsvProperty, damage_is_reported_alike_however_the_bytes_are_cut, ()) {
  const std::string damage = *text_of("\",\r\n{a\xEF");
  std::string file = kHeader + kGood + kGood + kGood;
  file.insert(*rc::gen::inRange<std::size_t>(0, file.size()), damage);
  const Outcome whole = read_in_pieces(file, file.size());
  const Outcome cut = read_in_pieces(file, *rc::gen::inRange<std::size_t>(1, 20));
  RC_ASSERT(keys(cut.rows) == keys(whole.rows));
  RC_ASSERT(cut.errors == whole.errors);
  RC_ASSERT(cut.status.message() == whole.status.message());
}

TEST(FocusCsvTest, published_sample_is_read_whole_and_to_the_last_decimal) {
  const char* const folder = std::getenv("DAYBOOK_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "SKIP: DAYBOOK_TEST_DATA is not set; no published sample";
  std::ifstream in(std::string(folder) + "/focus/focus_1_0_sample_1000.csv", std::ios::binary);
  ASSERT_TRUE(in.is_open());

  std::map<std::string, domain::Amount> sums;
  std::set<std::string> row_keys;
  std::size_t negative = 0;
  std::vector<std::string> errors;
  const Status status = read_focus_csv(
      in, {[&](const FocusRow& row) {
             sums[row.account_id] = domain::checked_add(sums[row.account_id], row.cost).value();
             EXPECT_EQ(row.currency.code(), "USD");
             row_keys.insert(row.key);
             negative += row.cost.is_negative() ? 1U : 0U;
             return true;
           },
           [&](const FocusRowError& error) {
             errors.push_back(to_text(error));
             return true;
           }});
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(errors, std::vector<std::string>{});
  EXPECT_EQ(row_keys.size(), 1000U);
  EXPECT_EQ(negative, 13U);
  std::map<std::string, std::string> totals;
  for (const auto& [account, sum] : sums) totals[account] = domain::to_text(sum, 11);
  EXPECT_EQ(
      totals,
      (std::map<std::string, std::string>{
          {"1234567890123", "18.00663861840"},
          {"20209880", "0.53707392473"},
          {":2fproviders:2fMicrosoft.Billing:2fbillingAccounts:2f8611537", "1.97651418586"}}));
}

}  // namespace
}  // namespace daybook::api

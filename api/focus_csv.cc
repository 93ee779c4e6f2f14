#include "api/focus_csv.h"

#include <istream>
#include <optional>
#include <utility>
#include <variant>

#include <csv.h>

#include "api/focus_row.h"

namespace daybook::api {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kStrayQuote =
    "the quotes are wrong: a field with a quote in it is quoted as a whole, its quotes doubled";
constexpr std::string_view kOpenQuote = "the quoted field is not closed before the end of the file";
constexpr std::string_view kBareReturn =
    "a carriage return without a line feed must stand in a quoted field";

int is_no_space(unsigned char) { return 0; }  // RFC 4180: spaces are part of a field.
int is_line_feed(unsigned char c) { return c == CSV_LF ? 1 : 0; }

}  // namespace

/// libcsv holds the grammar of fields. Around it: physical lines, CRLF, and where to go on after an
/// error, which need to know whether a byte stands inside quotes. In strict CSV that is the parity
/// of the quotes since the row began, whatever the other bytes are.
class FocusCsvReader::Impl {
 public:
  explicit Impl(FocusSink sink) : sink_(std::move(sink)) { start_row(); }
  ~Impl() { csv_free(&parser_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status push(std::string_view bytes) {
    skip_byte_order_mark(bytes);
    push_all(bytes);
    return failure_;
  }

  Status finish() {
    if (done()) return failure_;
    if (carriage_return_) {
      row_error(kBareReturn);
    } else if (!skipping_) {
      if (csv_fini(&parser_, on_field, on_row, this) != 0) {
        row_error(kOpenQuote);
      } else if (row_ended_) {
        finish_row();
      }
    }
    if (failure_.ok() && !stopped_ && !builder_) failure_ = invalid("the file has no header line");
    return failure_;
  }

  bool stopped() const { return stopped_; }

 private:
  struct FieldPlace {
    std::size_t offset;
    std::size_t size;
    std::uint64_t line;
  };

  bool done() const { return stopped_ || !failure_.ok(); }

  void push_all(std::string_view bytes) {
    while (!bytes.empty() && !done()) bytes.remove_prefix(push_piece(bytes));
  }

  /// The mark may come in pieces; what only begins like it is the beginning of the header.
  void skip_byte_order_mark(std::string_view& bytes) {
    while (mark_bytes_ < kByteOrderMark.size() && !bytes.empty()) {
      if (bytes.front() != kByteOrderMark[mark_bytes_]) {
        push_all(kByteOrderMark.substr(0, std::exchange(mark_bytes_, kByteOrderMark.size())));
        return;
      }
      ++mark_bytes_;
      bytes.remove_prefix(1);
    }
  }

  /// Consumes bytes up to the end of the line, to a carriage return outside quotes, or all.
  std::size_t push_piece(std::string_view bytes) {
    if (std::exchange(carriage_return_, false) && bytes.front() != '\n') {
      row_error(kBareReturn);
      skipping_ = true;
      if (done()) return bytes.size();
    }
    if (skipping_) return skip_line(bytes);

    std::size_t end = 0;
    bool line_ended = false;
    for (; end < bytes.size() && !line_ended; ++end) {
      const char c = bytes[end];
      if (c == '\r' && !in_quotes_) break;
      if (c == '"') in_quotes_ = !in_quotes_;
      line_ended = c == '\n';
    }
    parse(bytes.substr(0, end), line_ended);
    if (end < bytes.size() && !line_ended) {
      carriage_return_ = !skipping_;
      ++end;
    }
    return end;
  }

  std::size_t skip_line(std::string_view bytes) {
    const std::size_t feed = bytes.find('\n');
    if (feed == std::string_view::npos) return bytes.size();
    end_line();
    return feed + 1;
  }

  void end_line() {
    ++line_;
    skipping_ = false;
    start_row();
  }

  void parse(std::string_view piece, bool line_ended) {
    row_bytes_ += piece.size();
    if (row_bytes_ > kFocusMaxRowBytes) {
      failure_ = invalid("line " + std::to_string(line_) + ": the row that begins on line " +
                         std::to_string(row_line_) + " is longer than " +
                         std::to_string(kFocusMaxRowBytes) + " bytes");
      return;
    }
    if (csv_parse(&parser_, piece.data(), piece.size(), on_field, on_row, this) != piece.size()) {
      if (csv_error(&parser_) != CSV_EPARSE) {
        failure_ = unavailable("line " + std::to_string(line_) + ": out of memory");
        return;
      }
      row_error(kStrayQuote);
      // Where the row was meant to end is unknown; the next line is the best guess.
      skipping_ = true;
      if (line_ended) end_line();
      return;
    }
    if (!line_ended) return;
    if (in_quotes_) {
      ++line_;
      return;
    }
    if (row_ended_) finish_row();
    end_line();
  }

  // The callbacks run below C frames, through which no exception may pass.
  static void on_field(void* text, std::size_t size, void* self) noexcept {
    static_cast<Impl*>(self)->add_field({static_cast<const char*>(text), size});
  }
  static void on_row(int /*terminator*/, void* self) noexcept {
    static_cast<Impl*>(self)->row_ended_ = true;
  }

  void add_field(std::string_view text) {
    const std::size_t most = builder_ ? builder_->column_count() : kFocusMaxColumns + 1;
    if (places_.size() < most) {
      places_.push_back({text_.size(), text.size(), field_line_});
      text_ += text;
    }
    ++field_count_;
    field_line_ = line_;
  }

  void start_row() {
    // A parser that met an error keeps its state; a new one is the documented way out.
    if (parser_dirty_) {
      csv_free(&parser_);
      csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
      csv_set_space_func(&parser_, is_no_space);
      csv_set_term_func(&parser_, is_line_feed);
      // Its buffer grows by this much at a time: small steps make a long field quadratic.
      csv_set_blk_size(&parser_, std::size_t{64} * 1024);
      parser_dirty_ = false;
    }
    text_.clear();
    places_.clear();
    field_count_ = 0;
    row_bytes_ = 0;
    row_ended_ = false;
    in_quotes_ = false;
    row_line_ = line_;
    field_line_ = line_;
  }

  void finish_row() {
    fields_.clear();
    for (const FieldPlace& place : places_) {
      fields_.push_back({std::string_view(text_).substr(place.offset, place.size), place.line});
    }
    if (!builder_) {
      auto builder = FocusRowBuilder::from_header(fields_);
      if (builder.ok()) {
        builder_ = *std::move(builder);
      } else {
        failure_ = builder.status();
      }
      return;
    }
    auto built = builder_->build(fields_, field_count_);
    if (auto* row = std::get_if<FocusRow>(&built)) {
      stopped_ = !sink_.row(std::move(*row));
    } else {
      stopped_ = !sink_.error(std::get<FocusRowError>(built));
    }
  }

  /// An error of the grammar, in the field that is being read.
  void row_error(std::string_view message) {
    parser_dirty_ = true;
    if (!builder_) {
      failure_ =
          invalid("line " + std::to_string(field_line_) + ", column " +
                  std::to_string(field_count_ + 1) + " of the header: " + std::string(message));
      return;
    }
    const FocusRowError error{field_line_, builder_->column_name(field_count_),
                              std::string(message)};
    stopped_ = !sink_.error(error);
  }

  FocusSink sink_;
  csv_parser parser_{};
  std::optional<FocusRowBuilder> builder_;  ///< from the header on
  Status failure_;                          ///< of the file
  bool stopped_ = false;                    ///< by the sink
  std::size_t mark_bytes_ = 0;              ///< of the byte order mark, seen or decided absent
  std::uint64_t line_ = 1;
  bool carriage_return_ = false;  ///< outside quotes, not yet known to belong to a CRLF
  bool skipping_ = false;         ///< the rest of a line with an error
  bool parser_dirty_ = true;

  std::string text_;                ///< the row's fields, one after the other
  std::vector<FieldPlace> places_;  ///< where they are in text_
  std::vector<FocusField> fields_;  ///< kept for its capacity
  std::size_t field_count_ = 0;     ///< also those that are not kept
  std::size_t row_bytes_ = 0;
  bool row_ended_ = false;
  bool in_quotes_ = false;
  std::uint64_t row_line_ = 1;
  std::uint64_t field_line_ = 1;
};

FocusCsvReader::FocusCsvReader(FocusSink sink) : impl_(std::make_unique<Impl>(std::move(sink))) {}
FocusCsvReader::~FocusCsvReader() = default;

Status FocusCsvReader::push(std::string_view bytes) { return impl_->push(bytes); }
Status FocusCsvReader::finish() { return impl_->finish(); }
bool FocusCsvReader::stopped() const { return impl_->stopped(); }

Status read_focus_csv(std::istream& in, FocusSink sink) {
  FocusCsvReader reader(std::move(sink));
  std::vector<char> buffer(std::size_t{64} * 1024);
  while (in && !reader.stopped()) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto count = static_cast<std::size_t>(in.gcount());
    if (const Status status = reader.push({buffer.data(), count}); !status.ok()) return status;
  }
  if (in.bad() || (in.fail() && !in.eof())) return io_error("reading the file failed");
  return reader.finish();
}

}  // namespace daybook::api

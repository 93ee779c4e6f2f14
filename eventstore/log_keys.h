#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "eventstore/event_log.h"

namespace daybook::eventstore {

/// Keys and small values of a RocksLog (docs/stored_format.md, "Log").

/// An anchor is written with each entry that crosses a multiple of this many events, so that
/// opening need not verify the log from its beginning.
inline constexpr std::uint64_t kAnchorEveryEvents = 250'000;

inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kLedgerKey = "ledger";

/// Place of an entry: partition, base position and number, big-endian.
std::string entry_key(std::uint32_t partition, std::uint64_t base_position, std::uint64_t entry_no);

/// The entry_no in a key of `partition`; nothing if it is not one.
std::optional<std::uint64_t> entry_no_of_key(std::uint32_t partition, std::string_view key);

/// Key of the anchor behind entry_count entries.
std::string anchor_key(std::uint32_t partition, std::uint64_t entry_count);
bool is_anchor_key(std::uint32_t partition, std::string_view key);
std::string encode_anchor(const LogHead& head);
std::optional<LogHead> decode_anchor(std::string_view bytes);

/// Key of the `number`th row in quarantine, and back.
std::string quarantine_key(std::uint64_t number, std::string_view entry_key);
std::optional<std::uint64_t> number_of_quarantine_key(std::string_view key);

}  // namespace daybook::eventstore

#pragma once

#include <string>
#include <string_view>

namespace daybook {

/// True if the bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
/// U+10FFFF). A NUL is well formed.
bool is_utf8(std::string_view bytes);

/// The same with U+FFFD for every byte that is not part of well-formed UTF-8.
std::string to_utf8(std::string_view bytes);

}  // namespace daybook

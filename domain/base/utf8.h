#pragma once

#include <string_view>

namespace daybook {

/// True if the bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
/// U+10FFFF). A NUL is well formed.
bool is_utf8(std::string_view bytes);

}  // namespace daybook

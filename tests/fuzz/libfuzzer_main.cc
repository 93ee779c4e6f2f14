#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/targets.h"

// libFuzzer brings main(); DAYBOOK_FUZZ_TARGET is the function of this program. An exception that
// leaves it is a finding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  daybook::fuzz::DAYBOOK_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}

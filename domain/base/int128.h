#pragma once

namespace daybook {

// g++ and clang both have it; `__extension__` tells -Wpedantic that we know it is not ISO C++.
__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

inline constexpr int128 kInt128Max = static_cast<int128>(~static_cast<uint128>(0) >> 1);
inline constexpr int128 kInt128Min = -kInt128Max - 1;

}  // namespace daybook

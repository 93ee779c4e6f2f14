#pragma once

#include <string_view>

namespace daybook::domain {

/// A member of an event under its public name. Every event lists its fields once, in
/// `serialize(archive)`; the stored codec takes them in that order and ignores the names, the
/// public JSON takes the names and sorts them.
template <class T>
struct Field {
  std::string_view name;
  T& value;
};

template <class T>
Field<T> field(std::string_view name, T& value) {
  return {name, value};
}

}  // namespace daybook::domain

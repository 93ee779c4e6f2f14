#include "app/version.h"

#include "eventstore/json_text.h"

// The build defines these for this file alone, so that a new commit recompiles nothing else.
#ifndef DAYBOOK_VERSION
#error "DAYBOOK_VERSION is not defined: build with CMakeLists.txt"
#endif

namespace daybook::app {

std::string_view version_text() { return DAYBOOK_VERSION; }

std::string version_json() {
  return eventstore::JsonObject()
      .string("name", "daybook")
      .string("version", DAYBOOK_VERSION)
      .string("commit", DAYBOOK_COMMIT)
      .string("compiler", DAYBOOK_COMPILER)
      .string("build_type", DAYBOOK_BUILD_TYPE)
      .string("api", "v1")
      .text();
}

}  // namespace daybook::app

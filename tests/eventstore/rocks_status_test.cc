#include "eventstore/rocks_status.h"

#include <gtest/gtest.h>
#include <rocksdb/status.h>

namespace daybook::eventstore {
namespace {

TEST(RocksStatusTest, what_the_system_refused_is_no_wrong_argument) {
  const auto code_of = [](const char* reason) {
    return from_rocks(rocksdb::Status::InvalidArgument("Found options incompatible", reason), "log")
        .code();
  };
  EXPECT_EQ(code_of("IO error: While open a file: log/CURRENT: Too many open files"),
            StatusCode::kIo);
  EXPECT_EQ(code_of("IO error: While open a file: log/CURRENT: Permission denied"),
            StatusCode::kIo);
  EXPECT_EQ(code_of("IO error: While open a file: log/CURRENT: No such file or directory"),
            StatusCode::kInvalid);
  EXPECT_EQ(code_of("max_open_files"), StatusCode::kInvalid);
}

}  // namespace
}  // namespace daybook::eventstore

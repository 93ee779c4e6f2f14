#include "eventstore/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "domain/base/check.h"

namespace daybook::eventstore {

Failed side_by_side(std::size_t count, std::size_t threads,
                    const std::function<Status(std::size_t)>& job) {
  CHECK(threads > 0);
  std::vector<Status> results(count);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) results[i] = job(i);
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(work);
    work();
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!results[i].ok()) return {i, std::move(results[i])};
  }
  return {};
}

}  // namespace daybook::eventstore

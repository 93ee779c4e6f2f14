#include "api/metrics.h"

#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <tuple>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace daybook::api {

struct Metrics::Impl {
  std::mutex totals;
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("daybook_http_requests_total")
          .Help("Requests answered, by method, route pattern and status.")
          .Register(registry);

  /// Found again without building labels: one of these per answer.
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, int>, prometheus::Counter*, std::less<>> counters;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::count_request(std::string_view method, std::string_view route, int status) {
  prometheus::Counter* counter = nullptr;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->counters.find(std::tuple(method, route, status));
    if (found != impl_->counters.end()) counter = found->second;
  }
  if (counter == nullptr) {
    counter = &impl_->requests.Add({{"method", std::string(method)},
                                    {"route", std::string(route)},
                                    {"status", std::to_string(status)}});
    const std::lock_guard lock(impl_->mutex);
    impl_->counters.emplace(std::tuple(method, route, status), counter);
  }
  counter->Increment();
}

void Metrics::set_gauge(const std::string& name, const std::string& help, const std::string& label,
                        const std::string& label_value, std::uint64_t value) {
  const prometheus::Labels labels =
      label.empty() ? prometheus::Labels{} : prometheus::Labels{{label, label_value}};
  prometheus::BuildGauge()
      .Name(name)
      .Help(help)
      .Register(impl_->registry)
      .Add(labels)
      .Set(static_cast<double>(value));  // a gauge of Prometheus is a double; no money is one
}

void Metrics::set_counter(const std::string& name, const std::string& help, std::uint64_t total) {
  auto& counter =
      prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add({});
  // Two scrapes at once must not add the same difference twice.
  const std::lock_guard lock(impl_->totals);
  const double missing = static_cast<double>(total) - counter.Value();
  if (missing > 0) counter.Increment(missing);
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace daybook::api

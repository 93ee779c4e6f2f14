#include "domain/stream.h"

#include "domain/base/check.h"

namespace daybook::domain {

std::string_view name_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::kAccount:
      return "account";
    case StreamKind::kTenant:
      return "tenant";
    case StreamKind::kPayment:
      return "payment";
    case StreamKind::kPartition:
      return "partition";
  }
  CHECK(false);
}

StreamId StreamId::payment(TenantId tenant, std::string_view provider,
                           std::string_view payment_id) {
  // Providers have no '/' in their names (the API refuses it), so the pair reads back uniquely.
  CHECK(provider.find('/') == std::string_view::npos);
  return {StreamKind::kPayment, std::move(tenant),
          std::string(provider) + "/" + std::string(payment_id)};
}

}  // namespace daybook::domain

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/focus_items.h"
#include "app/http_client.h"
#include "app/node.h"
#include "domain/base/result.h"

namespace daybook::app {

/// What became of one item.
struct ImportOutcome {
  int status = 0;         ///< As over HTTP, wherever it went.
  bool replayed = false;  ///< An earlier event had its key.
  std::string body;       ///< JSON: the answer or the problem.

  bool ok() const { return status >= 200 && status < 300; }
};

/// Where the items of an import go. Thread rule: one thread at a time.
class ImportTarget {
 public:
  ImportTarget() = default;
  ImportTarget(const ImportTarget&) = delete;
  ImportTarget& operator=(const ImportTarget&) = delete;
  ImportTarget(ImportTarget&&) = delete;
  ImportTarget& operator=(ImportTarget&&) = delete;
  virtual ~ImportTarget() = default;

  /// Runs all items, in order for each account, and waits for all: outcome i is that of item i. An
  /// error means that nobody knows what became of them; their keys make it safe to send them again.
  virtual Result<std::vector<ImportOutcome>> run(const std::vector<ImportItem>& items) = 0;
};

/// Straight into a node of this process.
class NodeTarget final : public ImportTarget {
 public:
  /// `node` outlives it.
  explicit NodeTarget(Node& node) : node_(node) {}
  Result<std::vector<ImportOutcome>> run(const std::vector<ImportItem>& items) override;

 private:
  Node& node_;
};

/// Over HTTP, by POST /v1/batch.
class HttpTarget final : public ImportTarget {
 public:
  /// Asks the server where its log ends, to tell what was there before.
  static Result<std::unique_ptr<HttpTarget>> open(const std::string& url,
                                                  const std::string& key_file);
  Result<std::vector<ImportOutcome>> run(const std::vector<ImportItem>& items) override;

 private:
  HttpTarget(std::unique_ptr<HttpClient> client, std::uint64_t last_position)
      : client_(std::move(client)), last_position_(last_position) {}

  std::unique_ptr<HttpClient> client_;
  std::uint64_t last_position_;  ///< Of the events that were there when the import began.
};

}  // namespace daybook::app

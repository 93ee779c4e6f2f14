#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domain/account_events.h"
#include "domain/base/strong_id.h"
#include "domain/base/time.h"
#include "eventstore/entry.h"

namespace daybook::damage {

/// A value of a person: there with this text, or erased.
struct PrivateFact {
  TenantId tenant;
  AccountId account;
  domain::PrivateValue name;
  std::string value;
  bool erased = false;
};

/// All that the ledger acknowledged.
struct Truth {
  std::string ledger_id;
  Instant closed;
  std::vector<eventstore::Entry> entries;
  std::vector<std::string> secrets;  ///< In the order of replay::kSecretNames.
  std::vector<PrivateFact> values;
};

using Files = std::map<std::string, std::string>;  ///< Path in the data directory -> bytes.

/// One directory of a ledger, in memory too.
struct Image {
  std::string name;  ///< "clean": closed; "killed": as SIGKILL leaves it.
  std::string directory;
  Files files;
  std::vector<Files> older;  ///< What lay there at earlier moments.
};

struct Ledger {
  Truth truth;
  std::vector<Image> images;
};

/// Makes a small ledger below `root` (an empty directory) with the product's own classes: some 40
/// events of all common kinds in as many entries, private values (one erased), read models that
/// have caught up; rows in sorted files and in write-ahead logs; a time that was closed beyond the
/// last event. Starts threads of RocksDB: in a process of its own.
void make_ledger(const std::string& root);

/// Reads what make_ledger made; no RocksDB, no threads.
Ledger load_ledger(const std::string& root);

}  // namespace daybook::damage

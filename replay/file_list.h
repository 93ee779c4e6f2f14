#pragma once

#include <map>
#include <string>

#include "domain/base/result.h"
#include "eventstore/digest.h"

/// The files of a directory and their digests, in the form that sha256sum(1) writes and checks.
namespace daybook::replay {

/// SHA-256 of a file, read in pieces. Errors: kIo.
Result<eventstore::Hash> file_sha256(const std::string& path);

/// Every regular file below `dir`, by its path from there, with its digest. Errors: kIo; kInvalid:
/// something that is neither file nor directory.
Result<std::map<std::string, eventstore::Hash>> digest_files(const std::string& dir);

/// One line for each: `<hex>  <path>`.
std::string to_text(const std::map<std::string, eventstore::Hash>& files);

/// The first difference between what a list says and what there is; OK if there is none.
/// Errors: kCorrupt with the file, what was expected and what was found.
Status compare_files(const std::string& listed,
                     const std::map<std::string, eventstore::Hash>& found);

}  // namespace daybook::replay

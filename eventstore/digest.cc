#include "eventstore/digest.h"

#include <array>
#include <memory>
#include <string>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "domain/base/check.h"

namespace daybook::eventstore {
namespace {

struct DigestContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct MacContextDeleter {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

/// Looked up once: a fetch by name costs more in OpenSSL 3 than the digest of a short message.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(method != nullptr);
  return method;
}

EVP_MD_CTX* sha256_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, DigestContextDeleter> context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  return context.get();
}

std::unique_ptr<EVP_MAC_CTX, MacContextDeleter> new_hmac_context() {
  EVP_MAC* const method = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  CHECK(method != nullptr);
  std::unique_ptr<EVP_MAC_CTX, MacContextDeleter> context(EVP_MAC_CTX_new(method));
  EVP_MAC_free(method);  // The context holds its own reference.
  CHECK(context != nullptr);
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  CHECK(EVP_MAC_CTX_set_params(context.get(), parameters.data()) == 1);
  return context;
}

/// A context that has taken a key: what a MAC of a short message costs is mostly that.
struct KeyedMac {
  std::string key;
  std::unique_ptr<EVP_MAC_CTX, MacContextDeleter> context;
};

/// A ledger has few keys and each is used all the time; beyond these the oldest makes room.
constexpr std::size_t kKeyedMacsMax = 4;

const unsigned char* bytes(std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are bytes.
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// This thread's context for the key, ready for a message.
EVP_MAC_CTX* hmac_context(std::string_view key) {
  thread_local std::array<KeyedMac, kKeyedMacsMax> known;
  thread_local std::size_t oldest = 0;
  for (const KeyedMac& mac : known) {
    if (mac.context == nullptr || mac.key != key) continue;
    // A null key means the key that the context has.
    CHECK(EVP_MAC_init(mac.context.get(), nullptr, 0, nullptr) == 1);
    return mac.context.get();
  }
  KeyedMac& mac = known[oldest++ % known.size()];
  mac.key = key;
  if (mac.context == nullptr) mac.context = new_hmac_context();
  CHECK(EVP_MAC_init(mac.context.get(), bytes(mac.key), mac.key.size(), nullptr) == 1);
  return mac.context.get();
}

}  // namespace

Hash sha256(std::initializer_list<std::string_view> parts) {
  EVP_MD_CTX* const context = sha256_context();
  CHECK(EVP_DigestInit_ex2(context, sha256_method(), nullptr) == 1);
  for (const std::string_view part : parts) {
    CHECK(EVP_DigestUpdate(context, part.data(), part.size()) == 1);
  }
  Hash hash{};
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(context, hash.data(), &size) == 1 && size == hash.size());
  return hash;
}

Hash hmac_sha256(std::string_view key, std::string_view message) {
  EVP_MAC_CTX* const context = hmac_context(key);
  CHECK(EVP_MAC_update(context, bytes(message), message.size()) == 1);
  Hash hash{};
  std::size_t size = 0;
  CHECK(EVP_MAC_final(context, hash.data(), &size, hash.size()) == 1 && size == hash.size());
  return hash;
}

std::string to_hex(std::string_view input) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * input.size());
  for (const char c : input) {
    const auto byte = static_cast<std::uint8_t>(c);
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 0x0FU]);
  }
  return text;
}

std::string to_hex(const Hash& hash) { return to_hex(bytes_of(hash)); }

}  // namespace daybook::eventstore

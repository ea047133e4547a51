#include "key_file.h"

#include <cstdlib>
#include <fstream>

#include "base/error.h"

namespace bagel {
namespace {

constexpr size_t kLongestKey = 4096;

}  // namespace

std::string ReadSecret(const std::string& file, const char* variable) {
  if (file.empty()) {
    const char* from_environment = std::getenv(variable);
    return from_environment != nullptr ? from_environment : "";
  }
  std::string secret;
  std::ifstream stream(file);
  std::getline(stream, secret);
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) {
    throw Error(ErrorKind::kNotFound, "the first line of " + file + " must hold the key");
  }
  return secret;
}

std::string ReadKey(const std::string& file, const char* variable) {
  std::string key = ReadSecret(file, variable);
  const bool printable = key.find_first_not_of(
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             "-._~+/=") == std::string::npos;
  if (!printable || key.size() > kLongestKey) {
    throw Error(ErrorKind::kInvalidArgument,
                "a key has at most 4096 letters, digits and -._~+/= (RFC 6750), the one of " +
                    (file.empty() ? variable : file) + " has not");
  }
  return key;
}

}  // namespace bagel

#include "key_file.h"

#include <cstdlib>
#include <fstream>

#include "base/error.h"

namespace bagel {
namespace {

constexpr size_t kLongestKey = 4096;

}  // namespace

void AddSecretFileOption(CLI::App& command, const std::string& option, const std::string& secret,
                         SecretSource& source) {
  command
      .add_option(option, source.file,
                  "File whose first line is " + secret + "; also " + source.variable +
                      " in the environment")
      ->type_name("FILE");
}

std::string ReadSecret(const SecretSource& source) {
  if (source.file.empty()) {
    const char* from_environment = std::getenv(source.variable);
    return from_environment != nullptr ? from_environment : "";
  }
  std::string secret;
  std::ifstream stream(source.file);
  std::getline(stream, secret);
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) {
    throw Error(ErrorKind::kNotFound, "the first line of " + source.file + " must hold the key");
  }
  return secret;
}

std::string ReadKey(const SecretSource& source) {
  std::string key = ReadSecret(source);
  const bool printable = key.find_first_not_of(
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             "-._~+/=") == std::string::npos;
  if (!printable || key.size() > kLongestKey) {
    throw Error(ErrorKind::kInvalidArgument,
                "a key has at most 4096 letters, digits and -._~+/= (RFC 6750), the one of " +
                    (source.file.empty() ? source.variable : source.file) + " has not");
  }
  return key;
}

}  // namespace bagel

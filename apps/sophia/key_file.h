// Keys and passwords, which never stand on a command line, where everybody could read them.
#ifndef BAGEL_APPS_SOPHIA_KEY_FILE_H_
#define BAGEL_APPS_SOPHIA_KEY_FILE_H_

#include <CLI/CLI.hpp>
#include <string>

namespace bagel {

// Where a secret comes from.
struct SecretSource {
  const char* variable;  // of the environment, asked where no file is named
  std::string file = {};
};

// Adds `option`, the file whose first line is the secret; `secret` says in words what it is. The
// source must outlive `command`.
void AddSecretFileOption(CLI::App& command, const std::string& option, const std::string& secret,
                         SecretSource& source);

// The secret, which without a file may be nothing. Throws kNotFound for a file whose first line is
// empty or cannot be read.
std::string ReadSecret(const SecretSource& source);

// The same for what is sent as "Authorization: Bearer ...". Throws kInvalidArgument for what is no
// such key (RFC 6750).
std::string ReadKey(const SecretSource& source);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_KEY_FILE_H_

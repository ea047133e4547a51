// Keys and passwords, which never stand on a command line, where everybody could read them.
#ifndef BAGEL_APPS_SOPHIA_KEY_FILE_H_
#define BAGEL_APPS_SOPHIA_KEY_FILE_H_

#include <string>

namespace bagel {

// The first line of `file`; without a file what `variable` of the environment holds, which may be
// nothing. Throws kNotFound for a file whose first line is empty or cannot be read.
std::string ReadSecret(const std::string& file, const char* variable);

// The same for what is sent as "Authorization: Bearer ...". Throws kInvalidArgument for what is no
// such key (RFC 6750).
std::string ReadKey(const std::string& file, const char* variable);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_KEY_FILE_H_

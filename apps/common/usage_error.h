// What is wrong with a command line, in words that name the option and what was found.
#ifndef BAGEL_APPS_COMMON_USAGE_ERROR_H_
#define BAGEL_APPS_COMMON_USAGE_ERROR_H_

#include <CLI/CLI.hpp>
#include <string>

namespace bagel {

// The message of an error that parsing a command line with `app` ended in, one sentence:
//   --steps is "abc", expected a whole number
//   --count is 0, expected a whole number from 1 to 1000
//   --kv-cache is "q4", expected auto, f16 or int8
//   --steps needs a value: a whole number
//   --image FILE is required
//   generate has no option "--stepz"; bagel generate --help lists them
// A check of an option's value that is neither a range nor a choice returns what it expects.
std::string UsageMessage(CLI::App& app, const CLI::ParseError& error);

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_USAGE_ERROR_H_

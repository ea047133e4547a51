// What both programs' main functions are.
#ifndef BAGEL_APPS_COMMON_PROGRAM_H_
#define BAGEL_APPS_COMMON_PROGRAM_H_

#include <CLI/CLI.hpp>

namespace bagel {

// Parses the command line with the commands that `add_commands` adds and runs the one that was
// given. Errors become one line on standard error; returns the exit code, see ExitCode.
int RunProgram(const char* name, const char* description, void (*add_commands)(CLI::App& app),
               int argc, char** argv);

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_PROGRAM_H_

// A program's commands and options as plain data, read from what the command line's parser knows:
// the one source of --help, the manual page and the shells' completions.
#ifndef BAGEL_APPS_COMMON_OPTION_TABLE_H_
#define BAGEL_APPS_COMMON_OPTION_TABLE_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bagel {

// What may stand where a value is expected, read from its name in --help: alternatives separated by
// "|". Words in capitals stand for something (FILE, DIR, URL); others are meant as they are (auto),
// to their first capital (cuda:N begins with "cuda:").
struct ValueTable {
  std::string name;  // "auto|cpu|cuda|cuda:N"; empty for a flag
  bool file = false;
  bool folder = false;
  std::vector<std::string> choices;  // those that end in ":" go on

  // Nothing of it can be completed.
  bool IsFree() const { return !file && !folder && choices.empty(); }
};

struct OptionTable {
  std::vector<std::string> names;  // with their dashes, the short ones first; empty = an argument
  ValueTable value;
  std::string description;
  std::string range;          // "0 to 4096"; empty = any
  std::string default_value;  // as text; empty = none
  std::string environment;    // the variable that is read without the option
  bool required = false;
  bool repeatable = false;

  bool IsArgument() const { return names.empty(); }
  bool operator==(const OptionTable& other) const;
};

struct CommandTable {
  std::string name;
  std::string description;
  std::vector<std::string> examples;  // lines to type
  std::vector<OptionTable> options;   // arguments too
};

struct ProgramTable {
  std::string name;
  std::string description;
  std::string version;
  std::vector<OptionTable> options;
  std::vector<CommandTable> commands;
};

OptionTable ReadOption(CLI::Option& option);

// What `app` offers; commands without a group are hidden.
ProgramTable ReadProgram(CLI::App& app, const std::string& version);

// The format "man", "bash", "zsh" or "fish" of the table. A manual page is `frame`, written by
// hand, with @VERSION@ replaced and the line @COMMANDS@ replaced by commands and options.
std::string WriteProgram(const ProgramTable& program, const std::string& format,
                         const std::string& frame);

std::string WriteManualPage(const ProgramTable& program, std::string frame);
std::string WriteBashCompletion(const ProgramTable& program);
std::string WriteZshCompletion(const ProgramTable& program);
std::string WriteFishCompletion(const ProgramTable& program);

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_OPTION_TABLE_H_

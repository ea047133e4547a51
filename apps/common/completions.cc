// Completions of commands, options and their values for bash, zsh and fish.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "option_table.h"

namespace bagel {
namespace {

// With a backslash before each of `marks`.
std::string Escaped(std::string_view text, std::string_view marks) {
  std::string escaped;
  for (const char c : text) {
    if (marks.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// In single quotes for bash and zsh.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string FishQuoted(std::string_view text) { return "'" + Escaped(text, "\\'") + "'"; }

std::string Joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

std::string Names(const std::vector<OptionTable>& options) {
  std::vector<std::string> names;
  for (const OptionTable& option : options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return Joined(names, " ");
}

// Every `@PROGRAM@` is the name.
std::string WithName(std::string text, const std::string& name) {
  const std::string mark = "@PROGRAM@";
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
    text.replace(at, mark.size(), name);
  return text;
}

// The call that completes a value in bash and zsh: what lies on the disk, then fixed beginnings.
std::string ValueCall(const ValueTable& value) {
  std::string call = "_@PROGRAM@_value ";
  call += value.file ? "files" : value.folder ? "folders" : "nothing";
  for (const std::string& choice : value.choices) call += " " + choice;
  return call;
}

constexpr const char* kBashBegin = R"(# bash completion for @PROGRAM@, made from its options.

# _@PROGRAM@_value files|folders|nothing [CHOICE...]: a choice that ends in ":" goes on with a file.
_@PROGRAM@_value() {
  local kind=$1 choice
  shift
  for choice; do
    if [[ $choice == *: && $cur == "$choice"* ]]; then
      cur=${cur#"$choice"}
      [[ $kind == files ]] && _filedir
      return
    fi
  done
  case $kind in
    files) _filedir ;;
    folders) _filedir -d ;;
  esac
  COMPREPLY+=($(compgen -W "$*" -- "$cur"))
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]]; then
    compopt -o nospace
  fi
  __ltrim_colon_completions "$cur"
}

_@PROGRAM@() {
  local cur prev words cword split command= options word
  _init_completion -s -n : || return
  for word in "${words[@]:1:cword-1}"; do
    if [[ $word != -* ]]; then
      command=$word
      break
    fi
  done
  case $command in
)";

constexpr const char* kBashEnd = R"(    *) return ;;
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  fi
} &&
  complete -F _@PROGRAM@ @PROGRAM@
)";

std::string BashCommand(const CommandTable& command) {
  std::string text = "    " + command.name + ")\n";
  std::string values, arguments;
  std::vector<std::string> free;
  for (const OptionTable& option : command.options) {
    if (option.value.name.empty() || (option.IsArgument() && option.value.IsFree())) continue;
    if (option.IsArgument())
      arguments += "      [[ $cur == -* ]] || " + ValueCall(option.value) + "\n";
    else if (option.value.IsFree())
      free.insert(free.end(), option.names.begin(), option.names.end());
    else
      values += "        " + Joined(option.names, " | ") + ") " + ValueCall(option.value) +
                "; return ;;\n";
  }
  if (!free.empty()) values += "        " + Joined(free, " | ") + ") return ;;\n";
  if (!values.empty()) text += "      case $prev in\n" + values + "      esac\n";
  return text + "      $split && return\n      options='" + Names(command.options) + "'\n" +
         arguments + "      ;;\n";
}

constexpr const char* kZshBegin = R"(#compdef @PROGRAM@
# zsh completion for @PROGRAM@, made from its options.

# _@PROGRAM@_value files|folders|nothing [CHOICE...]: a choice that ends in ":" goes on with a file.
_@PROGRAM@_value() {
  local kind=$1 choice
  shift
  for choice; do
    if [[ $choice == *: ]] && compset -P "$choice"; then
      [[ $kind == files ]] && _files
      return
    fi
  done
  for choice; do
    if [[ $choice == *: ]]; then compadd -S '' -- "$choice"; else compadd -- "$choice"; fi
  done
  case $kind in
    files) _files ;;
    folders) _files -/ ;;
  esac
}

_@PROGRAM@() {
  local curcontext=$curcontext state line
  local -a commands
  typeset -A opt_args
)";

// One specification of zsh's _arguments.
std::string ZshOption(const OptionTable& option) {
  std::string text;
  if (option.IsArgument()) {
    text = "'1";
  } else {
    const std::string all = Joined(option.names, " ");
    text = option.repeatable ? "'*'" : Quoted("(" + all + ")");
    text += option.names.size() == 1 ? all : "{" + Joined(option.names, ",") + "}";
    const std::string quoted = Quoted("[" + Escaped(option.description, "[]\\:") + "]");
    text += quoted.substr(0, quoted.size() - 1);
  }
  if (!option.value.name.empty())
    text += ":" + Escaped(option.value.name, ":") + ": " + Escaped(ValueCall(option.value), ":");
  return text + "'";
}

std::string ZshOptions(const std::vector<OptionTable>& options, const std::string& indent) {
  std::string text;
  for (const OptionTable& option : options) text += " \\\n" + indent + ZshOption(option);
  return text;
}

}  // namespace

std::string WriteBashCompletion(const ProgramTable& program) {
  std::vector<std::string> commands;
  for (const CommandTable& command : program.commands) commands.push_back(command.name);
  std::string text = kBashBegin;
  text += "    '')\n      options='" + Names(program.options) +
          "'\n      COMPREPLY=($(compgen -W '" + Joined(commands, " ") +
          "' -- \"$cur\"))\n      ;;\n";
  for (const CommandTable& command : program.commands) text += BashCommand(command);
  return WithName(text + kBashEnd, program.name);
}

std::string WriteZshCompletion(const ProgramTable& program) {
  std::string text = kZshBegin;
  text += "  commands=(\n";
  for (const CommandTable& command : program.commands)
    text += "    " + Quoted(command.name + ":" + Escaped(command.description, "\\:")) + "\n";
  text += "  )\n  _arguments -C" + ZshOptions(program.options, "    ") +
          " \\\n    '1:command:->command' '*::argument:->arguments'\n"
          "  case $state in\n    command) _describe command commands ;;\n"
          "    arguments)\n      case $words[1] in\n";
  for (const CommandTable& command : program.commands)
    text += "        " + command.name + ")\n          _arguments" +
            ZshOptions(command.options, "            ") + "\n          ;;\n";
  return WithName(text + "      esac\n      ;;\n  esac\n}\n\n_@PROGRAM@ \"$@\"\n", program.name);
}

std::string WriteFishCompletion(const ProgramTable& program) {
  std::string text = "# fish completion for @PROGRAM@, made from its options.\n";
  const auto line = [&text](const std::string& condition, const std::string& rest) {
    text += "complete -c @PROGRAM@ -n '" + condition + "' " + rest + "\n";
  };
  const auto options = [&](const std::string& condition, const std::vector<OptionTable>& all) {
    for (const OptionTable& option : all) {
      if (option.IsArgument() && option.value.IsFree()) continue;
      std::string rest;
      for (const std::string& name : option.names)
        rest +=
            name.starts_with("--") ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
      if (!option.value.name.empty() && !option.IsArgument())
        rest += option.value.file ? "-rF " : "-x ";
      std::vector<std::string> choices = option.value.choices;
      if (option.value.folder && !option.value.file)
        choices.emplace_back("(__fish_complete_directories)");
      if (option.IsArgument() && option.value.file) rest += "-F ";
      if (!choices.empty()) rest += "-a '" + Joined(choices, " ") + "' ";
      line(condition, rest + "-d " + FishQuoted(option.description));
    }
  };
  text += "complete -c @PROGRAM@ -f\n";
  options("__fish_use_subcommand", program.options);
  for (const CommandTable& command : program.commands) {
    line("__fish_use_subcommand", "-a " + command.name + " -d " + FishQuoted(command.description));
    options("__fish_seen_subcommand_from " + command.name, command.options);
  }
  return WithName(text, program.name);
}

}  // namespace bagel

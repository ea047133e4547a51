// The manual page of a program: man(7), commands and options from their tables.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "option_table.h"

namespace bagel {
namespace {

// An option that this many commands have alike is explained once.
constexpr int kCommonCommands = 3;

std::string Escaped(std::string_view text) {
  static const std::map<char, std::string> kEscapes = {
      {'\\', "\\e"}, {'-', "\\-"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'`', "\\(ga"}, {'\'', "\\(aq"}};
  std::string escaped;
  for (const char c : text) {
    const auto found = kEscapes.find(c);
    escaped += found == kEscapes.end() ? std::string(1, c) : found->second;
  }
  // A line that begins with a point would be an instruction.
  return escaped.starts_with('.') ? "\\&" + escaped : escaped;
}

std::string Bold(std::string_view text) { return "\\fB" + Escaped(text) + "\\fR"; }
std::string Italic(std::string_view text) { return "\\fI" + Escaped(text) + "\\fR"; }

// Capitals in italics, the rest bold: "cuda:N" is "cuda:" and then any N.
std::string Value(const ValueTable& value) {
  std::string text;
  for (size_t begin = 0; begin <= value.name.size();) {
    const size_t end = std::min(value.name.find('|', begin), value.name.size());
    const std::string alternative = value.name.substr(begin, end - begin);
    const size_t capital =
        std::min(alternative.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), alternative.size());
    if (begin > 0) text += "|";
    if (capital > 0) text += Bold(alternative.substr(0, capital));
    if (capital < alternative.size()) text += Italic(alternative.substr(capital));
    begin = end + 1;
  }
  return text;
}

std::string Heading(const OptionTable& option) {
  std::string text;
  for (const std::string& name : option.names) text += (text.empty() ? "" : ", ") + Bold(name);
  if (!option.value.name.empty()) text += (text.empty() ? "" : " ") + Value(option.value);
  return text;
}

std::string Sentence(const std::string& text) {
  return Escaped(text) + (text.ends_with('.') ? "\n" : ".\n");
}

std::string Entry(const OptionTable& option) {
  const std::string text = ".TP\n" + Heading(option) + "\n" + Sentence(option.description);
  std::string more;
  const auto add = [&more](const std::string& part) { more += (more.empty() ? "" : "; ") + part; };
  if (option.required) add("must be given");
  if (option.repeatable && option.description.find("repeated") == std::string::npos)
    add("may be repeated");
  if (!option.range.empty()) add("from " + Escaped(option.range));
  if (!option.default_value.empty()) add("default: " + Escaped(option.default_value));
  if (!option.environment.empty()) add("without it $" + Escaped(option.environment));
  return more.empty() ? text : text + "(" + more + ")\n";
}

// The options that many commands have alike, in the order of their first.
std::vector<OptionTable> CommonOptions(const ProgramTable& program) {
  std::vector<OptionTable> common;
  for (const CommandTable& command : program.commands) {
    for (const OptionTable& option : command.options) {
      const auto users = std::count_if(
          program.commands.begin(), program.commands.end(), [&](const CommandTable& other) {
            return std::find(other.options.begin(), other.options.end(), option) !=
                   other.options.end();
          });
      if (users >= kCommonCommands &&
          std::find(common.begin(), common.end(), option) == common.end())
        common.push_back(option);
    }
  }
  return common;
}

bool IsHelp(const OptionTable& option) {
  return std::find(option.names.begin(), option.names.end(), "--help") != option.names.end();
}

std::string Section(const ProgramTable& program, const CommandTable& command,
                    const std::vector<OptionTable>& common) {
  std::string text = ".SS " + Escaped(program.name + " " + command.name);
  std::string entries, arguments, also;
  for (const OptionTable& option : command.options) {
    if (IsHelp(option)) continue;
    if (option.IsArgument()) arguments += " " + Value(option.value);
    if (std::find(common.begin(), common.end(), option) == common.end())
      entries += Entry(option);
    else
      also += (also.empty() ? "" : ",\n") + Bold(option.names.back());
  }
  text += arguments + " [\\fIOPTION\\fR...]\n" + Sentence(command.description) + entries;
  if (!also.empty()) text += ".PP\nAlso\n" + also + ",\nsee COMMON OPTIONS.\n";
  if (!command.examples.empty()) {
    text += ".PP\n.EX\n";
    for (const std::string& example : command.examples) text += Escaped(example) + "\n";
    text += ".EE\n";
  }
  return text;
}

std::string Commands(const ProgramTable& program) {
  const std::vector<OptionTable> common = CommonOptions(program);
  std::string text = ".SH COMMANDS\n";
  for (const CommandTable& command : program.commands) text += Section(program, command, common);
  text += ".SH COMMON OPTIONS\n";
  for (const OptionTable& option : common)
    if (!IsHelp(option)) text += Entry(option);
  for (const OptionTable& option : program.options) text += Entry(option);
  return text;
}

void Replace(std::string& text, const std::string& mark, const std::string& by) {
  const size_t place = text.find(mark);
  if (place == std::string::npos)
    throw Error(ErrorKind::kInvalidArgument, "the manual page's frame has no " + mark);
  text.replace(place, mark.size(), by);
}

}  // namespace

std::string WriteManualPage(const ProgramTable& program, std::string frame) {
  Replace(frame, "@VERSION@", program.version);
  Replace(frame, "@COMMANDS@\n", Commands(program));
  return frame;
}

}  // namespace bagel

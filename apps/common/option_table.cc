#include "option_table.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <sstream>

#include "base/error.h"

namespace bagel {
namespace {

bool IsCapital(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }

ValueTable ReadValue(const std::string& name) {
  ValueTable value;
  value.name = name;
  std::istringstream alternatives(name);
  for (std::string alternative; std::getline(alternatives, alternative, '|');) {
    const auto capital = std::find_if(alternative.begin(), alternative.end(), IsCapital);
    const std::string begin(alternative.begin(), capital);
    const std::string rest(capital, alternative.end());
    value.file |= rest == "FILE" || rest == "DEVICE";
    value.folder |= rest == "DIR";
    const bool meant = !begin.empty() && std::isalnum(static_cast<unsigned char>(begin[0])) != 0;
    if (meant &&
        std::find(value.choices.begin(), value.choices.end(), begin) == value.choices.end())
      value.choices.push_back(begin);
  }
  return value;
}

// "[a, b]", "{a,b}" -> "a, b" and "a,b".
std::string WithoutBrackets(const std::string& text, char open, char close) {
  const size_t begin = text.find(open);
  const size_t end = text.rfind(close);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return text.substr(begin + 1, end - begin - 1);
}

// What the checks of an option say about its value: "INT in [0 - 4096]", "{auto,sm_70}".
void ReadChecks(CLI::Option& option, std::string& type, OptionTable& table) {
  std::vector<std::string> checks;
  try {
    for (int i = 0;; ++i) checks.push_back(option.get_validator(i)->get_description());
  } catch (const CLI::OptionNotFound&) {  // the only end that there is
  }
  for (const std::string& check : checks) {
    if (check.empty()) continue;
    type.resize(type.size() - check.size() - 1);  // it ends in ":" and the checks
    if (std::string range = WithoutBrackets(check, '[', ']'); !range.empty()) {
      range.replace(range.find(" - "), 3, " to ");
      table.range = range;
    } else if (std::string choices = WithoutBrackets(check, '{', '}'); !choices.empty()) {
      std::replace(choices.begin(), choices.end(), ',', '|');
      type = choices;
    }
  }
}

// Those of option groups, which are commands without a name, too.
std::vector<OptionTable> ReadOptions(CLI::App& app) {
  std::vector<OptionTable> tables;
  for (CLI::Option* option : app.get_options()) tables.push_back(ReadOption(*option));
  for (CLI::App* group : app.get_subcommands([](CLI::App* a) { return a->get_name().empty(); })) {
    const std::vector<OptionTable> more = ReadOptions(*group);
    std::copy_if(more.begin(), more.end(), std::back_inserter(tables), [&](const auto& option) {
      return std::find(tables.begin(), tables.end(), option) == tables.end();
    });
  }
  return tables;
}

// "Example: a\n         b" -> a, b.
std::vector<std::string> ReadExamples(const std::string& footer) {
  const std::string begin = "Example: ";
  std::vector<std::string> examples;
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);)
    if (line.size() > begin.size()) examples.push_back(line.substr(begin.size()));
  return examples;
}

}  // namespace

OptionTable ReadOption(CLI::Option& option) {
  OptionTable table;
  for (const std::string& name : option.get_snames()) table.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) table.names.push_back("--" + name);
  table.description = option.get_description();
  table.environment = option.get_envname();
  table.required = option.get_required();
  if (option.get_items_expected_max() == 0) return table;
  std::string type = option.get_type_name();
  ReadChecks(option, type, table);
  table.value = ReadValue(type);
  table.repeatable = option.get_expected_max() > option.get_expected_min();
  table.default_value = option.get_default_str();
  if (table.default_value.starts_with('['))
    table.default_value = WithoutBrackets(table.default_value, '[', ']');
  return table;
}

bool OptionTable::operator==(const OptionTable& other) const {
  return names == other.names && value.name == other.value.name &&
         description == other.description && default_value == other.default_value &&
         range == other.range && required == other.required;
}

ProgramTable ReadProgram(CLI::App& app, const std::string& version) {
  ProgramTable program;
  program.name = app.get_name();
  program.description = app.get_description();
  program.version = version;
  program.options = ReadOptions(app);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    program.commands.push_back({command->get_name(), command->get_description(),
                                ReadExamples(command->get_footer()), ReadOptions(*command)});
  }
  return program;
}

std::string WriteProgram(const ProgramTable& program, const std::string& format,
                         const std::string& frame) {
  if (format == "man") return WriteManualPage(program, frame);
  if (format == "bash") return WriteBashCompletion(program);
  if (format == "zsh") return WriteZshCompletion(program);
  if (format == "fish") return WriteFishCompletion(program);
  throw Error(ErrorKind::kInvalidArgument,
              "the format is " + format + ", expected man, bash, zsh or fish");
}

}  // namespace bagel

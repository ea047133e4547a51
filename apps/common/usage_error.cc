#include "usage_error.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "formats/quote.h"
#include "option_table.h"

namespace bagel {
namespace {

// An error's own name can be that of a command.
template <class Kind>
bool Is(const CLI::ParseError& error) {
  return dynamic_cast<const Kind*>(&error) != nullptr;
}

template <class Number>
bool IsA(const std::string& text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error != std::errc::invalid_argument && rest == end;
}

// Numbers as they are, other texts in quotes.
std::string Shown(const std::string& value) { return IsA<double>(value) ? value : Quote(value); }

// "a", "a or b", "a, b or c".
std::string OneOf(std::string alternatives) {
  const size_t last = alternatives.rfind('|');
  if (last != std::string::npos) alternatives.replace(last, 1, " or ");
  for (size_t bar = 0; (bar = alternatives.find('|', bar)) != std::string::npos;)
    alternatives.replace(bar, 1, ", ");
  return alternatives;
}

// What may stand where the option's value does.
std::string Expected(const OptionTable& option) {
  const std::string& name = option.value.name;
  if (name.empty() || name == "BOOLEAN") return "true or false";
  std::string kind = OneOf(name);
  if (name == "INT") kind = "a whole number";
  if (name == "UINT") kind = option.range.empty() ? "a whole number from 0" : "a whole number";
  if (name == "FLOAT") kind = "a number";
  if (name == "TEXT") kind = "a text";
  if (name == "PORT") kind = "a whole number from 0 to 65535";
  return option.range.empty() ? kind : kind + " from " + option.range;
}

std::string Joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ",") + value;
  return text;
}

// Of the command, those of its groups too.
std::vector<CLI::Option*> OptionsOf(CLI::App& command) {
  std::vector<CLI::Option*> options = command.get_options();
  for (CLI::App* group : command.get_subcommands([](CLI::App* a) { return a->get_name().empty(); }))
    for (CLI::Option* option : OptionsOf(*group)) options.push_back(option);
  return options;
}

// The option that the parser's message is about; null if none.
CLI::Option* FindOption(CLI::App& command, std::string_view message) {
  constexpr std::string_view kConversion = "Could not convert: ";
  if (message.starts_with(kConversion)) message.remove_prefix(kConversion.size());
  for (CLI::Option* option : OptionsOf(command)) {
    const std::string name = option->get_name();
    if (!message.starts_with(name)) continue;
    const std::string_view rest = message.substr(name.size());
    if (rest.starts_with(": ") || rest.starts_with(" = ") || rest.starts_with(" is required"))
      return option;
  }
  return nullptr;
}

// What a check says of the first of the option's values that it refuses; empty if none does.
struct Refusal {
  std::string value, message;
};
Refusal FindRefusal(CLI::Option& option) {
  for (std::string value : option.results()) {
    try {
      for (int i = 0;; ++i) {
        const std::string message = (*option.get_validator(i))(value);
        if (!message.empty()) return {value, message};
      }
    } catch (const CLI::OptionNotFound&) {  // the only end that there is
    }
  }
  return {};
}

std::string WrongCount(const std::string& name, const OptionTable& table,
                       const std::vector<std::string>& values, size_t expected) {
  if (values.empty()) return name + " needs a value: " + Expected(table);
  if (expected == 1)
    return name + " is given " + std::to_string(values.size()) + " times, expected once";
  return name + " is " + Joined(values) + ", expected " + Expected(table);
}

std::string NotConverted(const std::string& name, const OptionTable& table,
                         const std::vector<std::string>& values) {
  const std::string value = Joined(values), found = name + " is " + Shown(value);
  const bool whole = table.value.name == "INT" || table.value.name == "UINT";
  if (whole && IsA<int64_t>(value)) return found + ", which is out of range";
  if (values.size() > 1) return found + ", expected numbers: " + Expected(table);
  return found + ", expected " + Expected(table);
}

std::string OfOption(CLI::Option& option, const CLI::ParseError& error) {
  const OptionTable table = ReadOption(option);
  const std::string name = option.get_name();
  if (Is<CLI::RequiredError>(error))
    return (table.IsArgument() ? table.value.name : name + " " + table.value.name) + " is required";
  if (Is<CLI::ConversionError>(error)) return NotConverted(name, table, option.results());
  if (Is<CLI::ValidationError>(error)) {
    const auto [value, message] = FindRefusal(option);
    const bool known = !table.range.empty() || !table.value.choices.empty();
    return name + " is " + Shown(value) + ", expected " + (known ? Expected(table) : message);
  }
  if (Is<CLI::ArgumentMismatch>(error))
    return WrongCount(name, table, option.results(),
                      static_cast<size_t>(option.get_items_expected_min()));
  return error.what();
}

std::string OfRest(const CLI::App& app, const CLI::App& command,
                   const std::vector<std::string>& rest) {
  const bool at_top = &app == &command;
  const std::string help = (at_top ? "" : app.get_name() + " ") + command.get_name() + " --help";
  const auto option = std::find_if(rest.begin(), rest.end(),
                                   [](const std::string& text) { return text.starts_with('-'); });
  if (option != rest.end())
    return command.get_name() + " has no option " + Quote(option->substr(0, option->find('='))) +
           "; " + help + " lists them";
  if (at_top) return Quote(rest[0]) + " is no command; " + help + " lists them";
  return command.get_name() + " takes no " + Quote(rest[0]) + "; " + help + " says what it takes";
}

}  // namespace

std::string UsageMessage(CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  CLI::App& command = parsed.empty() ? app : *parsed.back();
  std::string message = error.what();
  if (CLI::Option* option = FindOption(command, message)) return OfOption(*option, error);
  const std::vector<std::string> rest = command.remaining();
  if (!rest.empty() && (Is<CLI::ExtrasError>(error) || parsed.empty()))
    return OfRest(app, command, rest);
  if (parsed.empty()) return "a command is required; " + app.get_name() + " --help lists them";
  if (const size_t at = message.find(" excludes "); at != std::string::npos)
    return message.substr(0, at) + " and " + message.substr(at + 10) + " exclude each other";
  if (const size_t list = message.find('[');
      Is<CLI::RequiredError>(error) && list != std::string::npos) {
    std::string names = message.substr(list + 1, message.find(']') - list - 1);
    std::replace(names.begin(), names.end(), ',', '|');
    return "at most one of " + OneOf(names) + " can be given";
  }
  return message;
}

}  // namespace bagel

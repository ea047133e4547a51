#include "program.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <memory>
#include <new>
#include <string>

#include "base/error.h"
#include "option_table.h"
#include "usage_error.h"

namespace bagel {
namespace {

// The hidden command by which the build makes the manual page and the completions.
void AddOptionTables(CLI::App& app) {
  const auto format = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand(
      "option-tables", "Writes the manual page, whose frame standard input holds, or completions");
  command.group("");
  command.add_option("format", *format, "What to write")
      ->check(CLI::IsMember({"man", "bash", "zsh", "fish"}))
      ->required();
  command.callback([&app, format] {
    std::string frame;
    if (*format == "man") frame.assign(std::istreambuf_iterator<char>(std::cin), {});
    std::cout << WriteProgram(ReadProgram(app, BAGEL_VERSION), *format, frame) << std::flush;
    if (!std::cout) throw Error(ErrorKind::kUnavailable, "cannot write to standard output");
  });
}

}  // namespace

int RunProgram(const char* name, const char* description, void (*add_commands)(CLI::App& app),
               int argc, char** argv) {
  // A reader that goes away is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  const auto fail = [&](const char* message, ErrorKind kind) {
    std::fprintf(stderr, "%s: %s\n", name, message);
    return ExitCode(kind);
  };
  try {
    CLI::App app(description, name);
    app.set_version_flag("--version", std::string(name) + " " BAGEL_VERSION);
    app.require_subcommand(1);
    app.get_formatter()->column_width(30);
    add_commands(app);
    AddOptionTables(app);
    if (argc <= 1) {
      std::cerr << app.help();
      return ExitCode(ErrorKind::kInvalidArgument);
    }
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app.exit(error);
      return fail(UsageMessage(app, error).c_str(), ErrorKind::kInvalidArgument);
    }
    return 0;
  } catch (const Error& error) {
    return fail(error.what(), error.kind());
  } catch (const std::bad_alloc&) {
    return fail("out of memory", ErrorKind::kOutOfMemory);
  } catch (const std::exception& error) {
    return fail(error.what(), ErrorKind::kInternal);
  }
}

}  // namespace bagel

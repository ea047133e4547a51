// bagel: the engine's program.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "commands.h"

namespace {

int Fail(const char* message, bagel::ErrorKind kind) {
  std::fprintf(stderr, "bagel: %s\n", message);
  return bagel::ExitCode(kind);
}

int Run(int argc, char** argv) {
  CLI::App app("BAGEL in C++: looks at pictures, answers in words, and draws.", "bagel");
  app.set_version_flag("--version", "bagel " BAGEL_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(30);
  bagel::AddDescribe(app);
  bagel::AddGenerate(app);
  bagel::AddEdit(app);
  bagel::AddServe(app);
  bagel::AddTokenize(app);
  bagel::AddInspect(app);
  bagel::AddSynth(app);
  bagel::AddQuantize(app);
  bagel::AddCompare(app);
  bagel::AddBench(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);
    }
    return Fail(error.what(), bagel::ErrorKind::kInvalidArgument);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return Run(argc, argv);
  } catch (const bagel::Error& error) {
    return Fail(error.what(), error.kind());
  } catch (const std::bad_alloc&) {
    return Fail("out of memory", bagel::ErrorKind::kOutOfMemory);
  } catch (const std::exception& error) {
    return Fail(error.what(), bagel::ErrorKind::kInternal);
  }
}

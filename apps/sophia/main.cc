// sophia: the eyes, where the camera is.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <opencv2/core/utils/logger.hpp>

#include "base/error.h"
#include "commands.h"

namespace {

int Fail(const char* message, bagel::ErrorKind kind) {
  std::fprintf(stderr, "sophia: %s\n", message);
  return bagel::ExitCode(kind);
}

int Run(int argc, char** argv) {
  CLI::App app("Looks through a camera and says who is there, how they look and feel.", "sophia");
  app.set_version_flag("--version", "sophia " BAGEL_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(30);
  bagel::AddLook(app);
  bagel::AddDescribe(app);
  bagel::AddAsk(app);
  bagel::AddServe(app);
  bagel::AddWatch(app);
  bagel::AddFaces(app);
  bagel::AddCameras(app);
  bagel::AddDoctor(app);
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
  // What goes wrong is said by an Error, once.
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
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

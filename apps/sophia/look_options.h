// What look and ask share: who looks, through what, and how it is told.
#ifndef BAGEL_APPS_SOPHIA_LOOK_OPTIONS_H_
#define BAGEL_APPS_SOPHIA_LOOK_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "key_file.h"
#include "vision/camera.h"
#include "vision/looker.h"
#include "vision/servers.h"

namespace bagel {

struct ServerOptions {
  std::vector<std::string> urls = {"http://127.0.0.1:8095"};
  vision::ServersOptions limits;  // without the key
  SecretSource key{"SOPHIA_SERVER_KEY"};
  int timeout_seconds = 120;
};

// --server, --model, --server-key-file, --timeout.
void AddServerOptions(CLI::App& command, ServerOptions& options);

// The options as the library wants them. Throws as ReadKey does.
vision::Servers MakeServers(const ServerOptions& options);

struct EyeOptions {
  std::string camera = "/dev/video0";
  std::string faces = "haar";
  std::string objects = "auto";
  bool no_emotion = false;
  std::string save;  // a folder; empty = nowhere
  ServerOptions server;
};

// --camera, --faces, --objects, --no-emotion, --save and those of AddServerOptions.
void AddEyeOptions(CLI::App& command, EyeOptions& options);

// The camera's view as soon as it is usable, or after ten seconds why it is not. Throws kCancelled
// on Ctrl-C.
vision::Camera::View WaitForView(vision::Camera& camera);

// Looks once and saves what was asked for. Says on stderr what it waits for and how long each part
// took. Throws Error for options that can never work and on Ctrl-C; what a camera or server lacks
// is the report's state.
vision::Report LookOnce(const EyeOptions& options, const vision::LookEvents& events);

// Prints a report's text in parts as they come.
class TextPrinter {
 public:
  vision::LookEvents Events();
  void Finish(const vision::Report& report);

 private:
  bool begun_ = false;
  bool words_ = false;
};

// Throws kUnavailable if the report says why nothing was described.
void RequireDescribed(const vision::Report& report);

// Writes to stdout at once. Throws kUnavailable if nobody reads it.
void Print(std::string_view text);

// The model's words, which come from outside.
void PrintWords(std::string_view words);

// "frame 120 ms, faces 50 ms, ..." on stderr.
void PrintTimings(const std::map<std::string, double>& timings_ms, const std::string& model);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_LOOK_OPTIONS_H_

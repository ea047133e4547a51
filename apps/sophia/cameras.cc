// sophia cameras: which cameras this machine has.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "vision/camera.h"
#include "vision/words.h"

namespace bagel {
namespace {

// What a driver or a plug says comes from outside.
std::string Shown(const std::string& text) { return vision::WithoutControlBytes(text, false); }

void PrintCamera(const vision::CameraInfo& camera) {
  std::printf("%s  %s\n", camera.path.c_str(), Shown(camera.name).c_str());
  if (!camera.by_id.empty()) {
    std::printf("  always at  %s\n", Shown(camera.by_id).c_str());
  }
  if (!camera.driver.empty()) {
    std::printf("  driver     %s, %s\n", Shown(camera.driver).c_str(), Shown(camera.bus).c_str());
  }
  for (const vision::CameraFormat& format : camera.formats) {
    std::string sizes;
    for (const auto& [width, height] : format.sizes) {
      sizes.append(" ").append(std::to_string(width)).append("x").append(std::to_string(height));
    }
    std::printf("  %-9s %s\n", format.fourcc.c_str(), sizes.c_str());
  }
  if (!camera.problem.empty()) {
    std::printf("  problem    %s\n", Shown(camera.problem).c_str());
  }
}

void PrintJson(const std::vector<vision::CameraInfo>& cameras) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const vision::CameraInfo& camera : cameras) {
    nlohmann::ordered_json formats = nlohmann::ordered_json::array();
    for (const vision::CameraFormat& format : camera.formats) {
      formats.push_back({{"fourcc", format.fourcc},
                         {"description", format.description},
                         {"sizes", format.sizes}});
    }
    all.push_back({{"path", camera.path},
                   {"by_id", camera.by_id},
                   {"name", camera.name},
                   {"driver", camera.driver},
                   {"bus", camera.bus},
                   {"formats", formats},
                   {"busy", camera.busy},
                   {"problem", camera.problem}});
  }
  std::printf("%s\n",
              all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

}  // namespace

void AddCameras(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App& command =
      *app.add_subcommand("cameras", "Lists the cameras of this machine, their formats and sizes");
  command.add_flag("--json", *json, "A JSON list");
  command.callback([json] {
    const std::vector<vision::CameraInfo> cameras = vision::ListCameras();
    if (*json) return PrintJson(cameras);
    for (const vision::CameraInfo& camera : cameras) PrintCamera(camera);
    if (cameras.empty()) {
      std::printf(
          "No camera at /dev/video*. Plug one in, or use a stream (--camera rtsp://...), a "
          "picture, "
          "a video, or the drawn pictures that come with this program (--camera demo).\n");
    }
  });
}

}  // namespace bagel

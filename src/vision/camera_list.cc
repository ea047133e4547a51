// The cameras of this machine.
#include <glob.h>
#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "vision/camera.h"
#include "vision/camera_device.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kMaxFormats = 64;
constexpr uint32_t kMaxSizes = 64;

template <size_t kLength>
std::string Text(const uint8_t (&bytes)[kLength]) {
  const auto* const end = std::find(bytes, bytes + kLength, uint8_t{0});
  return {bytes, end};
}

std::vector<std::pair<int, int>> SizesOf(const VideoDevice& device, uint32_t fourcc) {
  std::vector<std::pair<int, int>> sizes;
  for (uint32_t index = 0; index < kMaxSizes; ++index) {
    v4l2_frmsizeenum size = {};
    size.index = index;
    size.pixel_format = fourcc;
    if (device.Control(VIDIOC_ENUM_FRAMESIZES, &size) != 0) break;
    if (size.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
      sizes.emplace_back(size.discrete.width, size.discrete.height);
    } else {
      sizes.emplace_back(size.stepwise.min_width, size.stepwise.min_height);
      sizes.emplace_back(size.stepwise.max_width, size.stepwise.max_height);
      break;
    }
  }
  return sizes;
}

std::vector<CameraFormat> FormatsOf(const VideoDevice& device) {
  std::vector<CameraFormat> formats;
  for (uint32_t index = 0; index < kMaxFormats; ++index) {
    v4l2_fmtdesc format = {};
    format.index = index;
    format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (device.Control(VIDIOC_ENUM_FMT, &format) != 0) break;
    formats.push_back({FourccName(format.pixelformat), Text(format.description),
                       SizesOf(device, format.pixelformat)});
  }
  return formats;
}

// Setting the format that it has changes nothing, and is refused while another program streams.
bool IsBusy(const VideoDevice& device) {
  v4l2_format format = {};
  format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  return device.Control(VIDIOC_G_FMT, &format) == 0 &&
         device.Control(VIDIOC_S_FMT, &format) == EBUSY;
}

// False for a node that does not capture pictures.
bool Describe(CameraInfo& camera) {
  try {
    const VideoDevice device(camera.path);
    v4l2_capability about = {};
    if (device.Control(VIDIOC_QUERYCAP, &about) != 0) return false;
    const uint32_t can =
        (about.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? about.device_caps : about.capabilities;
    if ((can & V4L2_CAP_VIDEO_CAPTURE) == 0) return false;
    camera.name = Text(about.card);
    camera.driver = Text(about.driver);
    camera.bus = Text(about.bus_info);
    camera.formats = FormatsOf(device);
    camera.busy = IsBusy(device);
    if (camera.busy) camera.problem = DeviceError(camera.path, "", EBUSY).what();
  } catch (const CameraError& error) {
    camera.busy = error.state() == State::kCameraBusy;
    camera.problem = error.what();
  }
  return true;
}

std::vector<std::string> Glob(const char* pattern) {
  glob_t found = {};
  std::vector<std::string> paths;
  if (glob(pattern, GLOB_NOSORT, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  std::sort(paths.begin(), paths.end(), [](const std::string& a, const std::string& b) {
    return std::make_pair(a.size(), a) < std::make_pair(b.size(), b);
  });
  return paths;
}

}  // namespace

std::vector<CameraInfo> ListCameras() {
  std::vector<CameraInfo> cameras;
  const std::vector<std::string> links = Glob("/dev/v4l/by-id/*");
  for (const std::string& path : Glob("/dev/video[0-9]*")) {
    CameraInfo camera;
    camera.path = path;
    for (const std::string& link : links) {
      std::error_code error;
      if (fs::equivalent(link, path, error)) camera.by_id = link;
    }
    if (Describe(camera)) cameras.push_back(std::move(camera));
  }
  return cameras;
}

}  // namespace bagel::vision

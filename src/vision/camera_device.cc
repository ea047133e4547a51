#include "vision/camera_device.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

namespace bagel::vision {
namespace {

// The name of the group that owns `path`, "video" where it cannot be told.
std::string GroupOf(const std::string& path) {
  struct stat status = {};
  group entry = {};
  group* found = nullptr;
  std::array<char, 4096> buffer;
  if (stat(path.c_str(), &status) != 0 ||
      getgrgid_r(status.st_gid, &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr || status.st_gid == 0) {
    return "video";
  }
  return found->gr_name;
}

}  // namespace

VideoDevice::VideoDevice(const std::string& path)
    : descriptor_(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  if (descriptor_ < 0) throw DeviceError(path, "cannot be opened", errno);
}

VideoDevice::~VideoDevice() { close(descriptor_); }

int VideoDevice::Control(unsigned long request, void* argument) const {
  while (true) {
    if (ioctl(descriptor_, request, argument) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

CameraError DeviceError(const std::string& path, const char* doing, int error) {
  switch (error) {
    case ENOENT:
      return {State::kCameraOffline, path + " is not there: is the camera plugged in?"};
    case ENODEV:
    case ENXIO:
      return {State::kCameraOffline, path + " is gone: was the camera unplugged?"};
    case EBUSY:
      return {State::kCameraBusy,
              path + " is in use by another program: close that one (fuser " + path + ")"};
    case EACCES:
    case EPERM: {
      const std::string group = GroupOf(path);
      return {State::kCameraOffline, path + " may not be opened by this user: join the group " +
                                         group + " (sudo usermod -aG " + group +
                                         " $USER, then log in again)"};
    }
    case ENOTTY:
    case EINVAL:
      return {State::kCameraOffline, path + " is not a camera"};
    case ENOSPC:
      return {State::kCameraOffline, path +
                                         " gets no share of its USB bus: move it to another port "
                                         "or ask for a smaller picture"};
    default:
      return {State::kCameraOffline, path + " " + doing + ": " + std::strerror(error)};
  }
}

std::string FourccName(uint32_t fourcc) {
  std::string name;
  for (int i = 0; i < 4; ++i) {
    const auto c = static_cast<unsigned char>(fourcc >> (8 * i));
    name += std::isprint(c) != 0 ? static_cast<char>(c) : '?';
  }
  return name;
}

}  // namespace bagel::vision

// A camera that is not there: a library that is loaded before libc and answers open, ioctl, poll
// and glob for one V4L2 device. Its buffers are a memory file, so that mmap is the kernel's own.
// What the kernel documents is kept: no frame without STREAMON and a queued buffer, EBUSY for a
// format change while streaming, 30 frames a second.
//
// Faults: "absent" (ENOENT), "busy" (EBUSY from S_FMT on), "busy_open", "denied" (EACCES),
// "metadata" (not a capture node), "raw" (YUYV only), "odd" (H264 only), "huge" (65536x65536),
// "no_frames", "garbage" (broken JPEGs), "half" (cut-off JPEGs), "error_flag", "unplug@N" (ENODEV
// after N frames, and poll reports an error), "dead@N" (the same, but DQBUF says EAGAIN), "stuck@N"
// (DQBUF blocks for 2 s after N frames), "index" (a buffer that does not exist), "mmap" (buffers
// that cannot be mapped), "old" (frames of a minute ago).
#include "vision/v4l2_stand_in.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

namespace {

constexpr uint32_t kMaxBuffers = 8;
constexpr int64_t kFrameNanoseconds = 33'333'333;

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// One open descriptor of the device.
struct Stream {
  int descriptor = -1;
  uint32_t fourcc = V4L2_PIX_FMT_YUYV;
  uint32_t width = 640;
  uint32_t height = 480;
  uint32_t buffer_bytes = 0;
  uint32_t buffers = 0;
  bool streaming = false;
  std::deque<uint32_t> queued;
  int64_t next_frame = 0;
  int frames = 0;
};

struct Device {
  std::recursive_mutex mutex;
  std::string path = "/dev/video42";
  std::string fault;
  std::vector<std::string> jpegs;  // two pictures in turn
  std::vector<Stream> streams;

  Device() {
    if (const char* name = getenv("STAND_IN_DEVICE")) path = name;
    if (const char* text = getenv("STAND_IN_FAULT")) fault = text;
  }
};

Device& TheDevice() {
  static Device* const device = new Device;  // outlives every thread
  return *device;
}

// With the number after the "@".
bool Has(const char* fault, int* number = nullptr) {
  const std::string& text = TheDevice().fault;
  const std::string name = text.substr(0, text.find('@'));
  if (number != nullptr && name != text) *number = std::atoi(text.c_str() + name.size() + 1);
  return name == fault;
}

Stream* Find(int descriptor) {
  for (Stream& stream : TheDevice().streams) {
    if (stream.descriptor == descriptor) return &stream;
  }
  return nullptr;
}

bool IsGone(const Stream& stream) {
  int after = 0;
  return (Has("unplug", &after) || Has("dead", &after)) && stream.frames >= after;
}

void LoadJpegs() {
  Device& device = TheDevice();
  if (!device.jpegs.empty()) return;
  for (const char* path : {"demo/pictures/person-01.jpg", "demo/pictures/person-02.jpg"}) {
    std::ifstream file(path, std::ios::binary);
    device.jpegs.emplace_back(std::istreambuf_iterator<char>(file),
                              std::istreambuf_iterator<char>());
  }
}

int Open(const char* path, int flags, mode_t mode) {
  Device& device = TheDevice();
  const std::lock_guard lock(device.mutex);
  if (path == nullptr || device.path != path) {
    return Real<int (*)(const char*, int, ...)>("open")(path, flags, mode);
  }
  errno = Has("absent") ? ENOENT : Has("busy_open") ? EBUSY : Has("denied") ? EACCES : 0;
  if (errno != 0) return -1;
  LoadJpegs();
  Stream stream;
  stream.descriptor = memfd_create("stand_in", MFD_CLOEXEC);
  device.streams.push_back(stream);
  return stream.descriptor;
}

int SetFormat(Stream& stream, v4l2_format& format) {
  if (Has("busy")) return EBUSY;
  v4l2_pix_format& pix = format.fmt.pix;
  if (Has("raw")) {
    pix.pixelformat = V4L2_PIX_FMT_YUYV;
  } else if (Has("odd")) {
    pix.pixelformat = V4L2_PIX_FMT_H264;
  } else if (pix.pixelformat != V4L2_PIX_FMT_MJPEG) {
    pix.pixelformat = V4L2_PIX_FMT_YUYV;
  }
  pix.width = Has("huge") ? 65536 : std::clamp(pix.width / 2 * 2, 160u, 1280u);
  pix.height = Has("huge") ? 65536 : std::clamp(pix.height, 120u, 720u);
  // A line of YUYV is padded, as some drivers do.
  pix.bytesperline = pix.pixelformat == V4L2_PIX_FMT_YUYV ? pix.width * 2 + 64 : 0;
  pix.sizeimage = Has("huge") ? 4096 : (pix.width * 2 + 64) * pix.height;
  stream.fourcc = pix.pixelformat;
  stream.width = pix.width;
  stream.height = pix.height;
  stream.buffer_bytes = (pix.sizeimage + 4095) / 4096 * 4096;
  return 0;
}

int RequestBuffers(Stream& stream, v4l2_requestbuffers& request) {
  request.count = std::min(request.count, kMaxBuffers);
  stream.buffers = request.count;
  const int64_t bytes = int64_t{stream.buffer_bytes} * stream.buffers;
  return Has("mmap") || ftruncate(stream.descriptor, bytes) == 0 ? 0 : ENOMEM;
}

// What the sensor sees at frame `number`; the number of bytes.
uint32_t Fill(const Stream& stream, uint8_t* bytes, int number) {
  if (stream.fourcc == V4L2_PIX_FMT_MJPEG) {
    std::string jpeg = TheDevice().jpegs[static_cast<size_t>(number / 30 % 2)];
    if (Has("half")) jpeg.resize(jpeg.size() / 2);
    if (Has("garbage")) std::fill(jpeg.begin() + 2, jpeg.end(), static_cast<char>(number));
    jpeg.resize(std::min<size_t>(jpeg.size(), stream.buffer_bytes));
    std::memcpy(bytes, jpeg.data(), jpeg.size());
    return static_cast<uint32_t>(jpeg.size());
  }
  const uint32_t stride = stream.width * 2 + 64;
  for (uint32_t y = 0; y < stream.height; ++y) {
    uint8_t* const row = bytes + size_t{stride} * y;
    for (uint32_t x = 0; x < stream.width; ++x) {
      row[x * 2] = ((x + static_cast<uint32_t>(number)) / 40 + y / 40) % 2 == 0 ? 60 : 190;
      row[x * 2 + 1] = x % 2 == 0 ? 90 : 240;  // blue low, red high: red
    }
    std::memset(row + stream.width * 2, 0xEE, 64);
  }
  const uint32_t used = stride * stream.height;
  return Has("half") ? used / 2 : used;
}

int Dequeue(Stream& stream, v4l2_buffer& buffer, std::unique_lock<std::recursive_mutex>& lock) {
  int after = 0;
  if (!stream.streaming) return EINVAL;
  if (IsGone(stream)) return Has("dead") ? EAGAIN : ENODEV;
  if (Has("stuck", &after) && stream.frames >= after) {
    lock.unlock();
    sleep(2);
    return EAGAIN;
  }
  if (Has("no_frames") || stream.queued.empty() || Now() < stream.next_frame) return EAGAIN;
  const uint32_t index = stream.queued.front();
  stream.queued.pop_front();
  void* const memory = mmap(nullptr, stream.buffer_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                            stream.descriptor, off_t{stream.buffer_bytes} * index);
  if (memory == MAP_FAILED) return ENOMEM;
  buffer.bytesused = Fill(stream, static_cast<uint8_t*>(memory), stream.frames);
  munmap(memory, stream.buffer_bytes);
  const int64_t time = Now() - (Has("old") ? int64_t{60} * 1'000'000'000 : 0);
  buffer.index = Has("index") ? 1000 : index;
  buffer.length = stream.buffer_bytes;
  buffer.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | (Has("error_flag") ? V4L2_BUF_FLAG_ERROR : 0u);
  buffer.timestamp.tv_sec = time / 1'000'000'000;
  buffer.timestamp.tv_usec = time % 1'000'000'000 / 1000;
  buffer.sequence = static_cast<uint32_t>(stream.frames++);
  stream.next_frame = Now() + kFrameNanoseconds;
  return 0;
}

int EnumFormat(v4l2_fmtdesc& format) {
  if (format.index >= 2) return EINVAL;
  const char* const words = format.index == 0 ? "Motion-JPEG" : "YUYV 4:2:2";
  format.pixelformat = format.index == 0 ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
  std::memcpy(format.description, words, std::strlen(words) + 1);
  return 0;
}

int EnumSize(v4l2_frmsizeenum& size) {
  if (size.index >= 2) return EINVAL;
  size.type = V4L2_FRMSIZE_TYPE_DISCRETE;
  size.discrete =
      size.index == 0 ? v4l2_frmsize_discrete{640, 480} : v4l2_frmsize_discrete{1280, 720};
  return 0;
}

int Capabilities(v4l2_capability& about) {
  std::memcpy(about.driver, "uvcvideo", 9);
  std::memcpy(about.card, "Stand-in Camera: HD", 20);
  std::memcpy(about.bus_info, "usb-0000:00:14.0-1", 19);
  about.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
  about.device_caps =
      V4L2_CAP_STREAMING | (Has("metadata") ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE);
  return 0;
}

// 0 or an error number.
int Control(Stream& stream, unsigned long request, void* argument,
            std::unique_lock<std::recursive_mutex>& lock) {
  if (IsGone(stream) && request != VIDIOC_DQBUF) return ENODEV;
  switch (request) {
    case VIDIOC_QUERYCAP:
      return Capabilities(*static_cast<v4l2_capability*>(argument));
    case VIDIOC_ENUM_FMT:
      return EnumFormat(*static_cast<v4l2_fmtdesc*>(argument));
    case VIDIOC_ENUM_FRAMESIZES:
      return EnumSize(*static_cast<v4l2_frmsizeenum*>(argument));
    case VIDIOC_G_FMT:
      return 0;
    case VIDIOC_S_FMT:
      return stream.streaming ? EBUSY : SetFormat(stream, *static_cast<v4l2_format*>(argument));
    case VIDIOC_REQBUFS:
      return RequestBuffers(stream, *static_cast<v4l2_requestbuffers*>(argument));
    case VIDIOC_QUERYBUF: {
      auto& buffer = *static_cast<v4l2_buffer*>(argument);
      if (buffer.index >= stream.buffers) return EINVAL;
      buffer.length = Has("mmap") ? 0 : stream.buffer_bytes;
      buffer.m.offset = stream.buffer_bytes * buffer.index;
      return 0;
    }
    case VIDIOC_QBUF: {
      const auto& buffer = *static_cast<v4l2_buffer*>(argument);
      if (buffer.index >= stream.buffers) return EINVAL;
      stream.queued.push_back(buffer.index);
      return 0;
    }
    case VIDIOC_DQBUF:
      return Dequeue(stream, *static_cast<v4l2_buffer*>(argument), lock);
    case VIDIOC_STREAMON:
      stream.streaming = true;
      stream.next_frame = Now() + kFrameNanoseconds;
      return 0;
    case VIDIOC_STREAMOFF:
      stream.streaming = false;
      return 0;
    default:
      return ENOTTY;
  }
}

// When the device will be ready, on the monotonic clock; -1: never.
int64_t ReadyAt(const Stream& stream) {
  if (IsGone(stream) || Has("stuck")) return Now();
  if (!stream.streaming || stream.queued.empty() || Has("no_frames")) return -1;
  return stream.next_frame;
}

}  // namespace

extern "C" {

void StandInDevice(const char* path, const char* fault) {
  Device& device = TheDevice();
  const std::lock_guard lock(device.mutex);
  device.path = path;
  device.fault = fault;
}

int StandInOpen() {
  Device& device = TheDevice();
  const std::lock_guard lock(device.mutex);
  return static_cast<int>(device.streams.size());
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Open(path, flags, mode);
}

int close(int descriptor) {
  {
    Device& device = TheDevice();
    const std::lock_guard lock(device.mutex);
    std::erase_if(device.streams,
                  [&](const Stream& stream) { return stream.descriptor == descriptor; });
  }
  return Real<int (*)(int)>("close")(descriptor);
}

int access(const char* path, int mode) noexcept {
  {
    Device& device = TheDevice();
    const std::lock_guard lock(device.mutex);
    if (device.path == path) {
      errno = ENOENT;
      return Has("absent") ? -1 : 0;
    }
  }
  return Real<int (*)(const char*, int)>("access")(path, mode);
}

int ioctl(int descriptor, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  std::unique_lock lock(TheDevice().mutex);
  if (Stream* const stream = Find(descriptor)) {
    const int error = Control(*stream, request, argument, lock);
    errno = error;
    return error == 0 ? 0 : -1;
  }
  lock.unlock();
  return Real<int (*)(int, unsigned long, ...)>("ioctl")(descriptor, request, argument);
}

int poll(pollfd* descriptors, nfds_t count, int timeout) {
  const auto real = Real<int (*)(pollfd*, nfds_t, int)>("poll");
  std::unique_lock lock(TheDevice().mutex);
  nfds_t ours = 0;
  while (ours < count && Find(descriptors[ours].fd) == nullptr) ++ours;
  if (ours == count) {
    lock.unlock();
    return real(descriptors, count, timeout);
  }
  const int descriptor = descriptors[ours].fd;
  const Stream& stream = *Find(descriptor);
  const int64_t ready_at = ReadyAt(stream);
  const bool gone = IsGone(stream);
  lock.unlock();
  int wait = timeout;
  if (ready_at >= 0) {
    const auto until = static_cast<int>(std::max<int64_t>(0, ready_at - Now()) / 1'000'000 + 1);
    wait = timeout < 0 ? until : std::min(timeout, until);
  }
  descriptors[ours].fd = -1;  // ignored
  int ready = real(descriptors, count, wait);
  descriptors[ours].fd = descriptor;
  descriptors[ours].revents = 0;
  if (ready == 0 && ready_at >= 0 && Now() >= ready_at) {
    descriptors[ours].revents = static_cast<short>(gone ? POLLERR | POLLHUP : POLLIN);
    ready = 1;
  }
  return ready;
}

int glob(const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* found) {
  if (std::strcmp(pattern, "/dev/video[0-9]*") != 0) {
    return Real<int (*)(const char*, int, int (*)(const char*, int), glob_t*)>("glob")(
        pattern, flags, on_error, found);
  }
  found->gl_pathc = Has("absent") ? 0 : 1;
  found->gl_offs = 0;
  found->gl_pathv = static_cast<char**>(std::calloc(2, sizeof(char*)));
  if (found->gl_pathc == 1) found->gl_pathv[0] = strdup(TheDevice().path.c_str());
  return found->gl_pathc == 1 ? 0 : GLOB_NOMATCH;
}

}  // extern "C"

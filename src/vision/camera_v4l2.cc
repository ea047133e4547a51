// Frames from a V4L2 device, after the streaming interface of the Linux media documentation
// ("Streaming I/O (Memory Mapping)"). OpenCV's own reader gives old frames after the camera was
// unplugged, and no reason for anything.
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "vision/camera_device.h"
#include "vision/camera_source.h"

namespace bagel::vision {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t kBuffers = 4;
constexpr int kPollMilliseconds = 500;
constexpr size_t kMaxBufferBytes = size_t{128} << 20;

// A buffer that the driver fills, mapped.
class MappedBuffer {
 public:
  MappedBuffer(int descriptor, size_t size, off_t offset)
      : data_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset)),
        size_(size) {}
  ~MappedBuffer() {
    if (good()) munmap(data_, size_);
  }
  MappedBuffer(const MappedBuffer&) = delete;
  MappedBuffer& operator=(const MappedBuffer&) = delete;

  bool good() const { return data_ != MAP_FAILED; }
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* const data_;
  const size_t size_;
};

class V4l2Source : public FrameSource {
 public:
  V4l2Source(const std::string& path, int width, int height) : path_(path), device_(path) {
    CheckCapabilities();
    SetFormat(width, height);
    MapBuffers();
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    Do(VIDIOC_STREAMON, &type, "cannot be started");
  }

  ~V4l2Source() override {
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    device_.Control(VIDIOC_STREAMOFF, &type);
  }

  SourceFrame Read(steady_clock::time_point wanted_from, const StopSignal& stop) override {
    pollfd waiting[] = {{device_.descriptor(), POLLIN, 0}, {stop.descriptor(), POLLIN, 0}};
    const int ready = poll(waiting, 2, kPollMilliseconds);
    if (ready < 0 && errno != EINTR) throw DeviceError(path_, "cannot be read", errno);
    if (ready <= 0 || stop.IsSet() || waiting[0].revents == 0) return {};
    std::optional<v4l2_buffer> newest;
    while (const auto buffer = Dequeue()) {
      if (newest) Queue(newest->index);
      newest = buffer;
    }
    if (!newest) {
      // It will never be filled: an unplugged device is always "ready".
      if ((waiting[0].revents & (POLLERR | POLLHUP)) != 0) {
        throw DeviceError(path_, "cannot be read", ENODEV);
      }
      return {};
    }
    SourceFrame frame;
    if (steady_clock::now() >= wanted_from) frame = Decode(*newest);
    Queue(newest->index);
    return frame;
  }

  std::string Format() const override {
    return FourccName(format_.pixelformat) + " " + std::to_string(format_.width) + "x" +
           std::to_string(format_.height);
  }

 private:
  void Do(unsigned long request, void* argument, const char* doing) {
    if (const int error = device_.Control(request, argument))
      throw DeviceError(path_, doing, error);
  }

  void CheckCapabilities() {
    v4l2_capability about = {};
    if (device_.Control(VIDIOC_QUERYCAP, &about) != 0) {
      throw CameraError(State::kCameraOffline, path_ + " is not a camera");
    }
    const uint32_t can =
        (about.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? about.device_caps : about.capabilities;
    if ((can & V4L2_CAP_VIDEO_CAPTURE) == 0 || (can & V4L2_CAP_STREAMING) == 0) {
      throw CameraError(State::kCameraOffline,
                        path_ +
                            " gives no pictures: it is another node of a camera, see "
                            "`sophia cameras`");
    }
  }

  // The compressed format first: it is what lets USB carry 1280x720 at full speed.
  void SetFormat(int width, int height) {
    for (const uint32_t fourcc : {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV}) {
      v4l2_format request = {};
      request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      request.fmt.pix.width = static_cast<uint32_t>(width);
      request.fmt.pix.height = static_cast<uint32_t>(height);
      request.fmt.pix.pixelformat = fourcc;
      request.fmt.pix.field = V4L2_FIELD_ANY;
      const int error = device_.Control(VIDIOC_S_FMT, &request);
      if (error != 0 && error != EINVAL) throw DeviceError(path_, "refuses a format", error);
      format_ = request.fmt.pix;
      if (error == 0 && IsReadable(fourcc)) return;
    }
    throw CameraError(State::kCameraOffline,
                      path_ + " gives " + FourccName(format_.pixelformat) + " of " +
                          std::to_string(format_.width) + "x" + std::to_string(format_.height) +
                          ": only MJPG and YUYV of up to 32 megapixels can be read");
  }

  // A driver answers with the nearest that it has, which may be something else.
  bool IsReadable(uint32_t fourcc) {
    const int64_t pixels = int64_t{format_.width} * format_.height;
    if (format_.pixelformat != fourcc || pixels == 0 || pixels > kMaxFramePixels) return false;
    if (fourcc == V4L2_PIX_FMT_MJPEG) return true;
    stride_ = std::max<size_t>(format_.bytesperline, size_t{format_.width} * 2);
    return format_.width % 2 == 0 && stride_ <= kMaxBufferBytes / format_.height;
  }

  void MapBuffers() {
    v4l2_requestbuffers request = {};
    request.count = kBuffers;
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    request.memory = V4L2_MEMORY_MMAP;
    Do(VIDIOC_REQBUFS, &request, "gives no buffers");
    for (uint32_t index = 0; index < std::min(request.count, 2 * kBuffers); ++index) {
      v4l2_buffer buffer = EmptyBuffer();
      buffer.index = index;
      Do(VIDIOC_QUERYBUF, &buffer, "gives no buffers");
      buffers_.push_back(std::make_unique<MappedBuffer>(device_.descriptor(), buffer.length,
                                                        static_cast<off_t>(buffer.m.offset)));
      if (buffer.length > kMaxBufferBytes || !buffers_.back()->good()) {
        throw CameraError(State::kCameraOffline, path_ + " gives buffers of " +
                                                     std::to_string(buffer.length) +
                                                     " bytes, which cannot be mapped");
      }
      Queue(index);
    }
    if (buffers_.empty()) throw CameraError(State::kCameraOffline, path_ + " gives no buffers");
  }

  static v4l2_buffer EmptyBuffer() {
    v4l2_buffer buffer = {};
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    return buffer;
  }

  void Queue(uint32_t index) {
    v4l2_buffer buffer = EmptyBuffer();
    buffer.index = index;
    Do(VIDIOC_QBUF, &buffer, "cannot be read");
  }

  // Nothing if no filled buffer is left.
  std::optional<v4l2_buffer> Dequeue() {
    v4l2_buffer buffer = EmptyBuffer();
    const int error = device_.Control(VIDIOC_DQBUF, &buffer);
    if (error == EAGAIN) return std::nullopt;
    if (error != 0) throw DeviceError(path_, "cannot be read", error == EINVAL ? EIO : error);
    if (buffer.index >= buffers_.size()) {
      throw CameraError(State::kCameraOffline, path_ + " gives buffer " +
                                                   std::to_string(buffer.index) + " of " +
                                                   std::to_string(buffers_.size()));
    }
    return buffer;
  }

  SourceFrame Decode(const v4l2_buffer& buffer) {
    const std::span<const std::byte> bytes = buffers_[buffer.index]->bytes();
    const std::span<const std::byte> used =
        bytes.first(std::min<size_t>(buffer.bytesused, bytes.size()));
    SourceFrame frame;
    frame.received = TimeOf(buffer);
    if ((buffer.flags & V4L2_BUF_FLAG_ERROR) == 0) {
      frame.bgr = format_.pixelformat == V4L2_PIX_FMT_MJPEG ? DecodeJpeg(used) : ConvertYuyv(used);
    }
    if (frame.bgr.empty()) ++broken_;
    return frame;
  }

  static cv::Mat DecodeJpeg(std::span<const std::byte> bytes) {
    try {
      return DecodeFrame(bytes);
    } catch (const Error&) {
      return {};
    }
  }

  cv::Mat ConvertYuyv(std::span<const std::byte> bytes) const {
    cv::Mat bgr;
    if (bytes.size() >= stride_ * (format_.height - 1) + size_t{format_.width} * 2) {
      // OpenCV's header for foreign data is not const, but it only reads.
      const cv::Mat yuyv(static_cast<int>(format_.height), static_cast<int>(format_.width), CV_8UC2,
                         const_cast<std::byte*>(bytes.data()), stride_);
      cv::cvtColor(yuyv, bgr, cv::COLOR_YUV2BGR_YUY2);
    }
    return bgr;
  }

  // When the driver got it, which after a laptop's sleep is long ago. steady_clock is
  // CLOCK_MONOTONIC.
  static steady_clock::time_point TimeOf(const v4l2_buffer& buffer) {
    const auto now = steady_clock::now();
    if ((buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) {
      return now;
    }
    const auto time = std::chrono::seconds(buffer.timestamp.tv_sec) +
                      std::chrono::microseconds(buffer.timestamp.tv_usec);
    return time.count() == 0 ? now : std::min(now, steady_clock::time_point(time));
  }

  const std::string path_;
  VideoDevice device_;
  v4l2_pix_format format_ = {};
  size_t stride_ = 0;  // bytes from row to row of YUYV
  std::vector<std::unique_ptr<MappedBuffer>> buffers_;
};

}  // namespace

SourceRecipe DeviceRecipe(const std::string& path, const CameraOptions& options) {
  SourceRecipe recipe;
  recipe.name = path;
  recipe.device = path;
  recipe.live = true;
  recipe.open = [path, width = options.width, height = options.height](const StopSignal&) {
    return std::make_unique<V4l2Source>(path, width, height);
  };
  return recipe;
}

}  // namespace bagel::vision

#include "vision/hailo_objects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/coco_labels.h"
#include "vision/letterbox.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kTimeoutMs = 3000;  // of a write and of a read
constexpr uint32_t kMaxBoxes = 10'000;
constexpr size_t kMaxOutputBytes = size_t{256} << 20;
constexpr size_t kMaxDevices = 16;

constexpr const char* kNetworks[] = {"/usr/share/hailo-models/yolov8n.hef",
                                     "/usr/share/hailo-models/yolov8s_h8l.hef",
                                     "/usr/share/hailo-models/yolov6n_h8l.hef"};

// A handle of the library and the function that gives it back.
using Owned = std::unique_ptr<void, hailo::Status (*)(hailo::Handle)>;
using Streams = std::unique_ptr<void, std::function<void(hailo::Handle)>>;

// An open device with a configured network: one picture in, boxes out.
class Session {
 public:
  Session(std::shared_ptr<const HailoRt> runtime, const std::string& hef)
      : runtime_(std::move(runtime)) {
    const HailoRt& rt = *runtime_;
    hailo::Handle handle = nullptr;
    rt.Check(rt.create_vdevice(nullptr, &handle), "opening the device");
    device_ = {handle, rt.release_vdevice};
    rt.Check(rt.create_hef_file(&handle, hef.c_str()), "reading " + Quote(hef));
    hef_ = {handle, rt.release_hef};
    hailo::Handle groups[8] = {};
    size_t count = std::size(groups);
    rt.Check(rt.configure_vdevice(device_.get(), hef_.get(), nullptr, groups, &count),
             "configuring " + Quote(hef));
    if (count != 1) {
      throw Error(ErrorKind::kUnsupported,
                  Quote(hef) + " has " + std::to_string(count) + " networks and not one");
    }
    OpenStreams(groups[0], hef);
  }

  cv::Size input() const { return input_; }
  int classes() const { return static_cast<int>(classes_); }

  // `rgb` is of the input's size.
  std::vector<HailoBox> Run(const cv::Mat& rgb) {
    const HailoRt& rt = *runtime_;
    rt.Check(rt.vstream_write_raw_buffer(in_.get(), rgb.data, rgb.total() * rgb.elemSize()),
             "sending a picture");
    // What the library leaves unwritten is no class's count.
    std::fill(output_.begin(), output_.end(), std::byte{0xff});
    rt.Check(rt.vstream_read_raw_buffer(out_.get(), output_.data(), output_.size()),
             "reading the objects");
    return ParseNmsByClass(output_, classes_, max_boxes_);
  }

 private:
  void OpenStreams(hailo::Handle group, const std::string& hef) {
    const HailoRt& rt = *runtime_;
    hailo::StreamParams params[2] = {};
    size_t count = std::size(params);
    const std::string doing = "opening the streams of " + Quote(hef);
    hailo::Handle stream = nullptr;

    rt.Check(rt.make_input_vstream_params(group, false, hailo::kUint8, params, &count), doing);
    CheckOne(count, "inputs", hef);
    params[0].timeout_ms = kTimeoutMs;
    rt.Check(rt.create_input_vstreams(group, params, 1, &stream), doing);
    in_ = {stream, [&rt](hailo::Handle in) { rt.release_input_vstreams(&in, 1); }};

    count = std::size(params);
    rt.Check(rt.make_output_vstream_params(group, false, hailo::kFloat32, params, &count), doing);
    CheckOne(count, "outputs", hef);
    params[0].timeout_ms = kTimeoutMs;
    rt.Check(rt.create_output_vstreams(group, params, 1, &stream), doing);
    out_ = {stream, [&rt](hailo::Handle out) { rt.release_output_vstreams(&out, 1); }};

    hailo::StreamInfo info{};
    rt.Check(rt.get_input_vstream_info(in_.get(), &info), doing);
    const auto [height, width, channels] = std::to_array(info.shape);
    if (height < 1 || height > kMaxNetworkSide || width < 1 || width > kMaxNetworkSide ||
        channels != 3) {
      throw Error(ErrorKind::kUnsupported,
                  Quote(hef) + " does not take a picture but " + std::to_string(height) + "x" +
                      std::to_string(width) + "x" + std::to_string(channels));
    }
    input_ = {static_cast<int>(width), static_cast<int>(height)};
    ReadOutputShape(hef, doing);
  }

  void ReadOutputShape(const std::string& hef, const std::string& doing) {
    const HailoRt& rt = *runtime_;
    hailo::StreamInfo info{};
    rt.Check(rt.get_output_vstream_info(out_.get(), &info), doing);
    classes_ = info.shape[0];
    max_boxes_ = info.shape[1];
    if (info.format.order != hailo::kNmsByClass && info.format.order != hailo::kNmsByClassOld) {
      throw Error(ErrorKind::kUnsupported, Quote(hef) +
                                               " does not give boxes by class (NMS) but format " +
                                               std::to_string(info.format.order));
    }
    size_t bytes = 0;
    rt.Check(rt.get_output_vstream_frame_size(out_.get(), &bytes), doing);
    if (classes_ < 1 || classes_ > kMaxNetworkClasses || max_boxes_ < 1 || max_boxes_ > kMaxBoxes ||
        bytes < classes_ * sizeof(float) || bytes > kMaxOutputBytes) {
      throw Error(ErrorKind::kUnsupported, Quote(hef) + " gives " + std::to_string(classes_) +
                                               " classes of at most " + std::to_string(max_boxes_) +
                                               " boxes in " + std::to_string(bytes) + " bytes");
    }
    output_.resize(bytes);
  }

  static void CheckOne(size_t count, const char* what, const std::string& hef) {
    if (count != 1) {
      throw Error(ErrorKind::kUnsupported,
                  Quote(hef) + " has " + std::to_string(count) + " " + what + " and not one");
    }
  }

  // Given back in the opposite order.
  std::shared_ptr<const HailoRt> runtime_;
  Owned device_{nullptr, nullptr};
  Owned hef_{nullptr, nullptr};
  Streams in_;
  Streams out_;
  cv::Size input_;
  uint32_t classes_ = 0;
  uint32_t max_boxes_ = 0;
  std::vector<std::byte> output_;
};

class HailoObjects : public ObjectFinder {
 public:
  HailoObjects(std::shared_ptr<const HailoRt> runtime, std::string hef)
      : runtime_(std::move(runtime)),
        hef_(std::move(hef)),
        session_(std::make_unique<Session>(runtime_, hef_)) {}

  std::vector<Object> Find(const cv::Mat& bgr) override {
    const std::lock_guard lock(mutex_);
    if (session_ == nullptr) {
      session_ = std::make_unique<Session>(runtime_, hef_);
    }
    try {
      return FindInSession(bgr);
    } catch (const Error&) {
      // What the device still works on would come as the next picture's answer.
      session_.reset();
      throw;
    }
  }

  std::string Name() const override {
    return "hailo " + fs::path(hef_).stem().string() + " (HailoRT " + runtime_->version() +
           ", driver " + HailoDriverVersion() + ")";
  }

 private:
  std::vector<Object> FindInSession(const cv::Mat& bgr) {
    const cv::Size input = session_->input();
    const Letterbox letterbox(bgr, input, Letterbox::Place::kMiddle);
    cv::Mat rgb;
    cv::cvtColor(letterbox.picture(), rgb, cv::COLOR_BGR2RGB);
    std::vector<Object> objects;
    for (const auto& [class_id, box] : session_->Run(rgb)) {
      const cv::Rect2d in_input(double{box.x_min} * input.width, double{box.y_min} * input.height,
                                (double{box.x_max} - box.x_min) * input.width,
                                (double{box.y_max} - box.y_min) * input.height);
      const cv::Rect2f in_source = letterbox.ToSource(in_input);
      // False also for what is not a number.
      if (box.score >= kMinObjectScore && box.score <= 1 && !in_source.empty()) {
        objects.push_back(
            {ClassLabel(class_id, session_->classes()), class_id, box.score, in_source});
      }
    }
    std::stable_sort(objects.begin(), objects.end(),
                     [](const Object& a, const Object& b) { return a.score > b.score; });
    return objects;
  }

  const std::shared_ptr<const HailoRt> runtime_;
  const std::string hef_;
  std::mutex mutex_;
  std::unique_ptr<Session> session_;  // guarded by mutex_; null after a failure
};

std::string NetworkFile(const std::string& hef) {
  std::error_code error;
  if (!hef.empty()) {
    if (!fs::is_regular_file(hef, error)) {
      throw Error(ErrorKind::kNotFound, "the network " + Quote(hef) + " is not there");
    }
    return hef;
  }
  for (const char* file : kNetworks) {
    if (fs::is_regular_file(file, error)) {
      return file;
    }
  }
  throw Error(ErrorKind::kNotFound, std::string("no network for the Hailo device: ") +
                                        kNetworks[0] + " is not there; name one as hailo:HEF");
}

}  // namespace

std::vector<HailoBox> ParseNmsByClass(std::span<const std::byte> buffer, uint32_t classes,
                                      uint32_t max_boxes) {
  std::vector<HailoBox> boxes;
  size_t at = 0;
  const auto read = [&](void* to, size_t bytes) {
    if (buffer.size() - at < bytes) {
      throw Error(ErrorKind::kCorrupt, "hailo: the device's boxes do not end within " +
                                           std::to_string(buffer.size()) + " bytes");
    }
    std::memcpy(to, buffer.data() + at, bytes);
    at += bytes;
  };
  for (uint32_t id = 0; id < classes; ++id) {
    float count = 0;
    read(&count, sizeof count);
    if (!(count >= 0 && count <= static_cast<float>(max_boxes)) || count != std::floor(count)) {
      throw Error(ErrorKind::kCorrupt, "hailo: the device gives " + std::to_string(count) +
                                           " boxes of class " + std::to_string(id) + ", at most " +
                                           std::to_string(max_boxes) + " can be");
    }
    for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
      HailoBox& box = boxes.emplace_back();
      box.class_id = static_cast<int>(id);
      read(&box.box, sizeof box.box);
    }
  }
  return boxes;
}

std::unique_ptr<ObjectFinder> MakeHailoObjects(const std::string& hef) {
  std::shared_ptr<const HailoRt> runtime = HailoRt::Load();
  hailo::DeviceId devices[kMaxDevices];
  size_t count = kMaxDevices;
  runtime->Check(runtime->scan_devices(nullptr, devices, &count), "looking for devices");
  if (count == 0) {
    throw Error(ErrorKind::kNotFound, "hailo: there is no Hailo device (HailoRT " +
                                          runtime->version() + ", driver " + HailoDriverVersion() +
                                          ")");
  }
  return std::make_unique<HailoObjects>(std::move(runtime), NetworkFile(hef));
}

}  // namespace bagel::vision

// HailoRT 4.x, the library of the Hailo accelerators, loaded when it is there: this program is
// built without it. Only the parts of its C API that a detector needs are declared.
#ifndef BAGEL_VISION_HAILORT_H_
#define BAGEL_VISION_HAILORT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace bagel::vision {

// The C API's types, with the sizes and the order of hailort.h 4.x. Handles are pointers to what
// only the library knows.
namespace hailo {

using Status = int;  // 0 is success
using Handle = void*;

struct Version {
  uint32_t major, minor, revision;
};
struct DeviceId {
  char id[32];
};
struct Format {
  int type;   // 0 the library's choice, 1 uint8, 3 float32
  int order;  // 22 NMS by class, 9 the same in older networks
  int flags;
};
struct StreamParams {
  char name[128];
  Format format;
  uint32_t timeout_ms;
  uint32_t queue_size;
  int stream_statistics;
  int element_statistics;
};
struct StreamInfo {
  char name[128];
  char network_name[257];
  int direction;
  Format format;
  // An image: height, width, channels. NMS: classes, boxes a class.
  uint32_t shape[3];
  // What follows differs between versions; none of it is read.
  char rest[512];
};
struct Box {
  float y_min, x_min, y_max, x_max, score;  // 0 to 1 of the network's input
};

inline constexpr int kUint8 = 1;
inline constexpr int kFloat32 = 3;
inline constexpr int kNmsByClass = 22;
inline constexpr int kNmsByClassOld = 9;

static_assert(sizeof(Format) == 12 && sizeof(StreamParams) == 156 && sizeof(Box) == 20 &&
              offsetof(StreamInfo, format) == 392 && offsetof(StreamInfo, shape) == 404);

}  // namespace hailo

// The loaded library. Its functions are called as the C API says.
class HailoRt {
 public:
  // Loads $HAILORT_LIB if that is set, else libhailort.so, else the newest libhailort.so.4.* of
  // the system's library folders. Throws Error: kNotFound if there is none, kUnsupported for one
  // that is not of major version 4 or lacks a function.
  static std::shared_ptr<const HailoRt> Load();
  ~HailoRt();
  HailoRt(const HailoRt&) = delete;
  HailoRt& operator=(const HailoRt&) = delete;

  // "4.20.0"
  const std::string& version() const { return version_; }

  // Throws Error unless `status` is success: what went wrong while `doing`, what to do about it,
  // and the versions of library and driver where they matter.
  void Check(hailo::Status status, const std::string& doing) const;

  hailo::Status (*get_library_version)(hailo::Version*) = nullptr;
  hailo::Status (*scan_devices)(void* params, hailo::DeviceId*, size_t* count) = nullptr;
  hailo::Status (*create_vdevice)(void* params, hailo::Handle* vdevice) = nullptr;
  hailo::Status (*release_vdevice)(hailo::Handle vdevice) = nullptr;
  hailo::Status (*create_hef_file)(hailo::Handle* hef, const char* file) = nullptr;
  hailo::Status (*release_hef)(hailo::Handle hef) = nullptr;
  hailo::Status (*configure_vdevice)(hailo::Handle vdevice, hailo::Handle hef, void* params,
                                     hailo::Handle* groups, size_t* count) = nullptr;
  hailo::Status (*make_input_vstream_params)(hailo::Handle group, bool unused, int format_type,
                                             hailo::StreamParams*, size_t* count) = nullptr;
  hailo::Status (*make_output_vstream_params)(hailo::Handle group, bool unused, int format_type,
                                              hailo::StreamParams*, size_t* count) = nullptr;
  hailo::Status (*create_input_vstreams)(hailo::Handle group, const hailo::StreamParams*,
                                         size_t count, hailo::Handle* streams) = nullptr;
  hailo::Status (*create_output_vstreams)(hailo::Handle group, const hailo::StreamParams*,
                                          size_t count, hailo::Handle* streams) = nullptr;
  hailo::Status (*release_input_vstreams)(const hailo::Handle* streams, size_t count) = nullptr;
  hailo::Status (*release_output_vstreams)(const hailo::Handle* streams, size_t count) = nullptr;
  hailo::Status (*get_input_vstream_info)(hailo::Handle stream, hailo::StreamInfo*) = nullptr;
  hailo::Status (*get_output_vstream_info)(hailo::Handle stream, hailo::StreamInfo*) = nullptr;
  hailo::Status (*get_output_vstream_frame_size)(hailo::Handle stream, size_t* bytes) = nullptr;
  hailo::Status (*vstream_write_raw_buffer)(hailo::Handle stream, const void*,
                                            size_t bytes) = nullptr;
  hailo::Status (*vstream_read_raw_buffer)(hailo::Handle stream, void*, size_t bytes) = nullptr;

 private:
  HailoRt() = default;
  void Bind(const std::string& file);

  void* library_ = nullptr;
  std::string version_;
};

// The version of the kernel's driver, "not loaded" without one.
std::string HailoDriverVersion();

}  // namespace bagel::vision

#endif  // BAGEL_VISION_HAILORT_H_

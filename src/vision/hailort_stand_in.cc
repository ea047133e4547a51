// A stand-in for libhailort.so in tests. Its device sees one person, or fails as the environment
// variable HAILO_STAND_IN says. It works with the sizes of hailort.h, by offsets.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

constexpr int kTimeout = 4;
constexpr int kInvalidHef = 26;
constexpr int kInUse = 74;
constexpr int kMismatch = 76;
constexpr int kClasses = 80;
constexpr int kBoxesAClass = 100;
constexpr size_t kSide = 640;

int handle = 0;
std::atomic<int> open_handles{0};
uint8_t last_picture[kSide * kSide * 3];

bool Says(const char* fault) {
  const char* mode = std::getenv("HAILO_STAND_IN");
  return mode != nullptr && std::strcmp(mode, fault) == 0;
}

int Give(void** out) {
  *out = &handle;
  ++open_handles;
  return 0;
}

int TakeBack() {
  --open_handles;
  return 0;
}

void WriteInfo(char* info, int order, uint32_t a, uint32_t b, uint32_t c) {
  std::memcpy(info + 396, &order, 4);
  const uint32_t shape[] = {a, b, c};
  std::memcpy(info + 404, shape, sizeof shape);
}

}  // namespace

extern "C" {

// For the test: what was not given back.
int stand_in_open_handles() { return open_handles; }

int hailo_get_library_version(uint32_t* version) {
  version[0] = Says("version 5") ? 5 : 4;
  version[1] = 20;
  version[2] = 0;
  return 0;
}

int hailo_scan_devices(void*, char* ids, size_t* count) {
  *count = Says("no device") ? 0 : 1;
  std::strcpy(ids, "0000:01:00.0");
  return Says("no driver") ? 64 : 0;
}

int hailo_create_vdevice(void*, void** device) {
  return Says("in use") ? kInUse : Says("mismatch") ? kMismatch : Give(device);
}
int hailo_release_vdevice(void*) { return TakeBack(); }

int hailo_create_hef_file(void** hef, const char*) {
  return Says("bad hef") ? kInvalidHef : Give(hef);
}
#ifndef WITHOUT_RELEASE_HEF
int hailo_release_hef(void*) { return TakeBack(); }
#endif

int hailo_configure_vdevice(void*, void*, void*, void** groups, size_t* count) {
  groups[0] = &handle;
  *count = Says("two networks") ? 2 : 1;
  return Says("wrong kind") ? 93 : 0;
}

int hailo_make_input_vstream_params(void*, bool, int, char*, size_t* count) {
  *count = 1;
  return 0;
}
int hailo_make_output_vstream_params(void*, bool, int, char*, size_t* count) {
  *count = 1;
  return 0;
}
int hailo_create_input_vstreams(void*, const void*, size_t, void** streams) {
  return Give(streams);
}
int hailo_create_output_vstreams(void*, const void*, size_t, void** streams) {
  return Give(streams);
}
int hailo_release_input_vstreams(void* const*, size_t) { return TakeBack(); }
int hailo_release_output_vstreams(void* const*, size_t) { return TakeBack(); }

int hailo_get_input_vstream_info(void*, char* info) {
  WriteInfo(info, 1, kSide, kSide, Says("grey input") ? 1 : 3);
  return 0;
}
int hailo_get_output_vstream_info(void*, char* info) {
  WriteInfo(info, Says("no nms") ? 1 : 22, kClasses, kBoxesAClass, 0);
  return 0;
}
int hailo_get_output_vstream_frame_size(void*, size_t* bytes) {
  *bytes = Says("short buffer") ? (kClasses + 2) * 4 : kClasses * (4 + kBoxesAClass * 20);
  return 0;
}

int hailo_vstream_write_raw_buffer(void*, const void* picture, size_t bytes) {
  if (bytes != sizeof last_picture) {
    return 2;
  }
  std::memcpy(last_picture, picture, bytes);
  return 0;
}

int hailo_vstream_read_raw_buffer(void*, void* buffer, size_t bytes) {
  if (Says("timeout")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return kTimeout;
  }
  if (Says("nothing written")) {
    return 0;
  }
  std::memset(buffer, 0, bytes);
  float count = 1;
  if (Says("garbage count")) count = -3.7e8F;
  if (Says("broken count")) count = 0.5F;
  if (Says("large count")) count = 101;
  // A person where the picture is red: y_min, x_min, y_max, x_max, score.
  float box[] = {1, 1, 0, 0, 0.9F};
  for (size_t i = 0; i < kSide * kSide; ++i) {
    const size_t row = i / kSide, column = i % kSide;
    const float x = static_cast<float>(column) / kSide;
    const float y = static_cast<float>(row) / kSide;
    if (last_picture[3 * i] > 200 && last_picture[3 * i + 2] < 50) {
      box[0] = y < box[0] ? y : box[0];
      box[1] = x < box[1] ? x : box[1];
      box[2] = y > box[2] ? y : box[2];
      box[3] = x > box[3] ? x : box[3];
    }
  }
  if (Says("not a number")) box[1] = __builtin_nanf("");
  if (Says("no score")) box[4] = __builtin_nanf("");
  std::memcpy(buffer, &count, 4);
  if (bytes >= 4 + sizeof box) {
    std::memcpy(static_cast<char*>(buffer) + 4, box, sizeof box);
  }
  return 0;
}
}

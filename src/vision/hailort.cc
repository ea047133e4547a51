#include "vision/hailort.h"

#include <dlfcn.h>
#include <glob.h>

#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "formats/quote.h"

namespace bagel::vision {
namespace {

constexpr uint32_t kMajorVersion = 4;

std::vector<std::string> LibraryNames() {
  if (const char* file = std::getenv("HAILORT_LIB"); file != nullptr && *file != '\0') {
    return {file};
  }
  std::vector<std::string> names = {"libhailort.so"};
  for (const char* pattern :
       {"/usr/lib/libhailort.so.4.*", "/usr/lib/*-linux-gnu/libhailort.so.4.*",
        "/usr/local/lib/libhailort.so.4.*"}) {
    glob_t found{};
    if (::glob(pattern, 0, nullptr, &found) == 0) {
      for (size_t i = found.gl_pathc; i > 0; --i) {
        names.emplace_back(found.gl_pathv[i - 1]);
      }
    }
    ::globfree(&found);
  }
  return names;
}

// What a status of hailort.h means to people, and of which kind it is.
struct Meaning {
  hailo::Status status;
  ErrorKind kind;
  const char* text;
};

constexpr Meaning kMeanings[] = {
    {4, ErrorKind::kUnavailable, "the device did not answer in time"},
    {13, ErrorKind::kNotFound, "a file cannot be opened"},
    {26, ErrorKind::kCorrupt, "the file is no HEF"},
    {64, ErrorKind::kUnavailable, "the driver is not installed or not loaded"},
    {73, ErrorKind::kUnavailable, "another program uses the device"},
    {74, ErrorKind::kUnavailable, "there is no device that is free: another program has it"},
    {75, ErrorKind::kUnsupported,
     "the network was compiled for another kind of device; a Hailo-8L needs one for hailo8l"},
    {76, ErrorKind::kUnavailable,
     "library and driver are of different versions; install both alike"},
    {91, ErrorKind::kCorrupt, "the HEF file is damaged"},
    {92, ErrorKind::kUnsupported, "the HEF is of a version that this library does not know"},
    {93, ErrorKind::kUnsupported,
     "the network was compiled for another kind of device; a Hailo-8L needs one for hailo8l"},
    {96, ErrorKind::kUnavailable, "the device is not connected"},
    {97, ErrorKind::kUnavailable, "the device is not available for the moment"},
};

}  // namespace

std::string HailoDriverVersion() {
  std::ifstream file("/sys/module/hailo_pci/version");
  std::string version;
  return std::getline(file, version) ? version : "not loaded";
}

void HailoRt::Bind(const std::string& file) {
  const auto bind = [&](const char* name, auto& function) {
    const std::string symbol = std::string("hailo_") + name;
    void* address = ::dlsym(library_, symbol.c_str());
    if (address == nullptr) {
      throw Error(ErrorKind::kUnsupported,
                  "the HailoRT library " + Quote(file) + " has no function " + symbol);
    }
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  bind("get_library_version", get_library_version);
  hailo::Version version{};
  Check(get_library_version(&version), "asking for the library's version");
  version_ = std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
             std::to_string(version.revision);
  if (version.major != kMajorVersion) {
    throw Error(ErrorKind::kUnsupported, "the HailoRT library " + Quote(file) + " is version " +
                                             version_ + ", version 4 is needed");
  }
  bind("scan_devices", scan_devices);
  bind("create_vdevice", create_vdevice);
  bind("release_vdevice", release_vdevice);
  bind("create_hef_file", create_hef_file);
  bind("release_hef", release_hef);
  bind("configure_vdevice", configure_vdevice);
  bind("make_input_vstream_params", make_input_vstream_params);
  bind("make_output_vstream_params", make_output_vstream_params);
  bind("create_input_vstreams", create_input_vstreams);
  bind("create_output_vstreams", create_output_vstreams);
  bind("release_input_vstreams", release_input_vstreams);
  bind("release_output_vstreams", release_output_vstreams);
  bind("get_input_vstream_info", get_input_vstream_info);
  bind("get_output_vstream_info", get_output_vstream_info);
  bind("get_output_vstream_frame_size", get_output_vstream_frame_size);
  bind("vstream_write_raw_buffer", vstream_write_raw_buffer);
  bind("vstream_read_raw_buffer", vstream_read_raw_buffer);
}

std::shared_ptr<const HailoRt> HailoRt::Load() {
  std::string reason;
  for (const std::string& name : LibraryNames()) {
    std::shared_ptr<HailoRt> runtime(new HailoRt);
    runtime->library_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (runtime->library_ != nullptr) {
      runtime->Bind(name);
      return runtime;
    }
    if (reason.empty()) {
      reason = ::dlerror();
    }
  }
  throw Error(ErrorKind::kNotFound, "the HailoRT library cannot be loaded (" + Quote(reason) +
                                        "); install HailoRT 4 or name the library in HAILORT_LIB");
}

HailoRt::~HailoRt() {
  if (library_ != nullptr) {
    ::dlclose(library_);
  }
}

void HailoRt::Check(hailo::Status status, const std::string& doing) const {
  if (status == 0) {
    return;
  }
  ErrorKind kind = ErrorKind::kUnavailable;
  std::string text = "an error of the library";
  for (const Meaning& meaning : kMeanings) {
    if (meaning.status == status) {
      kind = meaning.kind;
      text = meaning.text;
    }
  }
  throw Error(kind, "hailo: " + doing + " failed: " + text + " (status " + std::to_string(status) +
                        ", HailoRT " + (version_.empty() ? "unknown" : version_) + ", driver " +
                        HailoDriverVersion() + ")");
}

}  // namespace bagel::vision

#include "engine/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/data_folder.h"
#include "base/error.h"

namespace bagel {
namespace {

#define BAGEL_TEXT_OF(name) #name
#define BAGEL_TEXT(name) BAGEL_TEXT_OF(name)
constexpr const char* kEntry = BAGEL_TEXT(BAGEL_MAKE_DEVICE);

std::string VariableOf(const std::string& name) {
  std::string variable = "BAGEL_" + name + "_LIBRARY";
  std::transform(variable.begin(), variable.end(), variable.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return variable;
}

std::string FileOf(const std::string& name) { return "libbagel_" + name + ".so"; }

// Folders that hold such libraries: the program's own, ../lib of a build, ../lib/bagel of /usr.
std::vector<std::filesystem::path> Folders() {
  const std::filesystem::path folder = FolderOfProgram();
  const std::filesystem::path lib = (folder / ".." / "lib").lexically_normal();
  return {folder, lib, lib / "bagel"};
}

// Empty where there is none.
std::filesystem::path FindLibrary(const std::string& name) {
  const char* given = std::getenv(VariableOf(name).c_str());
  if (given != nullptr && *given != '\0') return given;
  std::error_code ignored;
  for (const auto& folder : Folders())
    if (std::filesystem::exists(folder / FileOf(name), ignored)) return folder / FileOf(name);
  return {};
}

}  // namespace

std::unique_ptr<Ops> MakePluginDevice(const std::string& name, const DevicePluginOptions& options) {
  const std::filesystem::path path = FindLibrary(name);
  if (path.empty())
    throw Error(ErrorKind::kUnsupported,
                "device " + name + ": there is no " + FileOf(name) + " in " +
                    Folders()[0].string() + ", " + Folders()[1].string() + " or " +
                    Folders()[2].string() + ", and $" + VariableOf(name) + " is not set");
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr)
    throw Error(ErrorKind::kUnsupported,
                "device " + name + ": cannot load " + path.string() + ": " + dlerror());
  const auto make = reinterpret_cast<MakeDeviceFunction>(dlsym(library, kEntry));
  if (make == nullptr)
    throw Error(ErrorKind::kUnsupported, "device " + name + ": " + path.string() +
                                             " is not of this version: it has no " + kEntry);
  return std::unique_ptr<Ops>(make(options));
}

bool HasPlugin(const std::string& name) { return !FindLibrary(name).empty(); }

}  // namespace bagel

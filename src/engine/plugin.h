// Devices that come from a library beside the program, see tensor/device_plugin.h.
#ifndef BAGEL_ENGINE_PLUGIN_H_
#define BAGEL_ENGINE_PLUGIN_H_

#include <memory>
#include <string>

#include "tensor/device_plugin.h"

namespace bagel {

// Loads libbagel_<name>.so: the file that $BAGEL_<NAME>_LIBRARY names, else the one beside the
// program or in ../lib from there. It stays loaded. Throws kUnsupported where there is none or it
// is of another build, and what the library throws about the device.
std::unique_ptr<Ops> MakePluginDevice(const std::string& name, const DevicePluginOptions& options);

// Whether there is such a file.
bool HasPlugin(const std::string& name);

}  // namespace bagel

#endif  // BAGEL_ENGINE_PLUGIN_H_

// The GPU in tests: there where its library is found and can use one.
#ifndef BAGEL_TESTS_GPU_H_
#define BAGEL_TESTS_GPU_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/devices.h"
#include "engine/plugin.h"
#include "tensor/ops.h"

namespace bagel {

// A way to run on the GPU; `name` is for tests.
struct GpuProfile {
  const char* name;
  const char* profile;

  std::unique_ptr<Ops> Make(const std::string& kv_cache = "auto") const {
    return MakeDevice("cuda", 0, false, profile, kv_cache);
  }
};

// The card's own code, and what a V100 runs. Empty without a GPU: what then does not run is listed
// in tests/NEEDS.
inline std::vector<GpuProfile> GpuProfiles() {
  if (!HasPlugin("cuda")) return {};
  try {
    MakeDevice("cuda", 0, false);
  } catch (const Error&) {
    return {};
  }
  return {{"Cuda", "auto"}, {"CudaVolta", "sm_70"}};
}

}  // namespace bagel

#endif  // BAGEL_TESTS_GPU_H_

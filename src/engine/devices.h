// The one place that knows which devices exist.
#ifndef BAGEL_ENGINE_DEVICES_H_
#define BAGEL_ENGINE_DEVICES_H_

#include <memory>
#include <string>

#include "tensor/ops.h"

namespace bagel {

// `device` is "cpu", "cuda", "cuda:N" or "auto": the first GPU if one can be used, else the CPU,
// with a line on standard error where a GPU library is there and cannot be used. `gpu_profile` is
// "auto" or "sm_70", which takes the code of a V100 on any GPU, and no library of NVIDIA's.
// `kv_cache` is the type of keys and values: "auto", f16 on a GPU and on the CPU f32, or bf16 where
// it multiplies that; "f16", on a GPU only; or "int8", see KvLayer. Throws kInvalidArgument for
// other names, kUnsupported for f16 on the CPU, and kUnsupported or kNotFound with the reason for a
// GPU that cannot be used.
std::unique_ptr<Ops> MakeDevice(const std::string& device, int threads, bool exact,
                                const std::string& gpu_profile = "auto",
                                const std::string& kv_cache = "auto");

}  // namespace bagel

#endif  // BAGEL_ENGINE_DEVICES_H_

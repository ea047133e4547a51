// From a checkpoint folder to a smaller one.
#ifndef BAGEL_MODEL_QUANTIZE_H_
#define BAGEL_MODEL_QUANTIZE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/config.h"
#include "model/stored_weight.h"
#include "model/weights.h"

namespace bagel {

struct QuantizePolicy {
  std::map<TensorRole, StoredFormat> formats;  // a role that is not in it stays as it is
  std::vector<std::string> keep;               // patterns as of a shell: these stay as they are

  // Vectors always stay; so does what a pattern of `keep` fits.
  StoredFormat FormatOf(const TensorSpec& spec) const;
};

// "nf4": the decoder and lm_head as NF4, quantised twice, the vision encoder as int8_b64, the rest
// as it is. "nf4-plain": the same with magnitudes in f32. Throws kInvalidArgument for other names.
QuantizePolicy FindPolicy(const std::string& name);

// What a device must hold, in bytes: norms and biases in f32, the rows of the embedding not
// counted. To understand pictures; to draw and edit as well, the VAE not counted.
struct DeviceNeeds {
  int64_t understand = 0;
  int64_t draw = 0;
};
DeviceNeeds MeasureNeeds(const TensorMap& tensors, const BagelConfig& config);
// The same of a checkpoint with `element` bytes a value that `policy` has been applied to.
DeviceNeeds PredictNeeds(const BagelConfig& config, const QuantizePolicy& policy, int64_t element);

struct QuantizeResult {
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

// Called now and then with the bytes read so far and in all; false stops the work.
using QuantizeProgress = std::function<bool(uint64_t done, uint64_t total)>;

// Reads the checkpoint `from` piece by piece and writes `to`, which must not exist: it appears
// whole, under a temporary name until then, or not at all. Files keep their names; those without
// weights are copied. Throws kInvalidArgument when `to` exists, when something is quantised already
// or when a pattern fits no tensor; kUnavailable when `to` cannot be written or the disk is too
// full, with the numbers; kCorrupt for shapes that the configuration does not expect and values
// that are not finite; kCancelled when `progress` says so.
QuantizeResult QuantizeCheckpoint(const std::filesystem::path& from,
                                  const std::filesystem::path& to, const QuantizePolicy& policy,
                                  ThreadPool& pool, const QuantizeProgress& progress);

}  // namespace bagel

#endif  // BAGEL_MODEL_QUANTIZE_H_

// One value of a weight in any format that PlaceWeight makes: for kernels that read few of them.
#ifndef BAGEL_CUDA_WEIGHT_VALUES_CUH_
#define BAGEL_CUDA_WEIGHT_VALUES_CUH_

#include <cuda_fp16.h>

#include "base/error.h"
#include "tensor/weight.h"

namespace bagel {

struct F16Values {
  const __half* data;
  int64_t in;
  __device__ float operator()(int64_t row, int64_t column) const {
    return __half2float(data[row * in + column]);
  }
};

struct Int8Values {
  const int8_t* data;
  const __half* scales;
  int64_t in;
  __device__ float operator()(int64_t row, int64_t column) const {
    const int64_t blocks = (in + kInt8BlockSize - 1) / kInt8BlockSize;
    return static_cast<float>(data[row * in + column]) *
           __half2float(scales[row * blocks + column / kInt8BlockSize]);
  }
};

struct Nf4Values {
  const uint8_t* data;
  const float* map;
  const __half* absmax;
  int64_t in;
  __device__ float operator()(int64_t row, int64_t column) const {
    const int64_t index = row * in + column;
    const unsigned pair = data[index / 2];
    return map[index % 2 == 0 ? pair >> 4 : pair & 15u] * __half2float(absmax[index / kNf4Block]);
  }
};

// Calls body with the weight's values.
template <typename Body>
void WithWeightValues(const Weight& weight, const Body& body) {
  switch (weight.format) {
    case WeightFormat::kF16:
      return body(F16Values{static_cast<const __half*>(weight.data), weight.in});
    case WeightFormat::kInt8Block64:
      return body(Int8Values{static_cast<const int8_t*>(weight.data),
                             static_cast<const __half*>(weight.scales), weight.in});
    case WeightFormat::kNf4:
      return body(Nf4Values{static_cast<const uint8_t*>(weight.data), weight.nf4.map,
                            static_cast<const __half*>(weight.scales), weight.in});
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      CheckFailed(__FILE__, __LINE__, "a weight that was not placed");
  }
}

}  // namespace bagel

#endif  // BAGEL_CUDA_WEIGHT_VALUES_CUH_

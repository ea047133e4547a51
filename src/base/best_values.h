// The largest values of a long row, for whoever needs no others.
#ifndef BAGEL_BASE_BEST_VALUES_H_
#define BAGEL_BASE_BEST_VALUES_H_

#include <cstdint>

namespace bagel {

struct BestValues {
  static constexpr int32_t kSought = 128, kMost = 512;
  static constexpr int32_t kNotNumbers = -1, kTooMany = -2;

  // How many there are: at least kSought, or all of the row, and at most kMost, in any order. Or
  // kNotNumbers where the row has a NaN, or kTooMany where too many are alike; then nothing else is
  // set.
  int32_t count;
  float floor;  // every value that is not here is smaller
  int32_t columns[kMost];
  float values[kMost];
};

}  // namespace bagel

#endif  // BAGEL_BASE_BEST_VALUES_H_

// The executable specification of ops.h: plain loops, sums in double, slow on purpose.
#ifndef BAGEL_REF_REF_OPS_H_
#define BAGEL_REF_REF_OPS_H_

#include <memory>

#include "tensor/ops.h"

namespace bagel {

// `int8_cache`: keys and values in kI8.
std::unique_ptr<Ops> MakeRefOps(bool int8_cache = false);

}  // namespace bagel

#endif  // BAGEL_REF_REF_OPS_H_

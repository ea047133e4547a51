// The executable specification of ops.h: plain loops, sums in double, slow on purpose.
#ifndef BAGEL_REF_REF_OPS_H_
#define BAGEL_REF_REF_OPS_H_

#include <memory>

#include "tensor/ops.h"

namespace bagel {

std::unique_ptr<Ops> MakeRefOps();

}  // namespace bagel

#endif  // BAGEL_REF_REF_OPS_H_

// Every op on every device against the reference, on odd sizes and on the real model's sizes: the
// tests lie beside this file, by family.
#include "tests/ops_test.h"

namespace bagel {
namespace {

INSTANTIATE_TEST_SUITE_P(Devices, OpsTest, testing::ValuesIn(Devices()), kDeviceName);

}  // namespace
}  // namespace bagel

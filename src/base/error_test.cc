#include "base/error.h"

#include <gtest/gtest.h>

namespace bagel {
namespace {

TEST(ErrorTest, KindMapsToStatusAndExitCode) {
  EXPECT_EQ(HttpStatus(ErrorKind::kInvalidArgument), 400);
  EXPECT_EQ(HttpStatus(ErrorKind::kTooLarge), 413);
  EXPECT_EQ(HttpStatus(ErrorKind::kUnavailable), 503);
  EXPECT_EQ(ExitCode(ErrorKind::kInvalidArgument), 64);
  EXPECT_EQ(ExitCode(ErrorKind::kNotFound), 66);
  EXPECT_EQ(ExitCode(ErrorKind::kCancelled), 130);
}

TEST(ErrorDeathTest, CheckNamesTheExpression) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "CHECK failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace bagel

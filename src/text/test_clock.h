// Bounds on the time of a test that neither a busy machine nor a sanitizer trips.
#ifndef BAGEL_TEXT_TEST_CLOCK_H_
#define BAGEL_TEXT_TEST_CLOCK_H_

#include <ctime>

namespace bagel {

#if defined(__SANITIZE_ADDRESS__)  // GCC
#define BAGEL_TEXT_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)  // Clang
#define BAGEL_TEXT_SANITIZED
#endif
#endif

#ifdef BAGEL_TEXT_SANITIZED
inline constexpr double kMaxCpuSeconds = 20;
#else
inline constexpr double kMaxCpuSeconds = 2;
#endif

// The processor time this program has used.
inline double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace bagel

#endif  // BAGEL_TEXT_TEST_CLOCK_H_

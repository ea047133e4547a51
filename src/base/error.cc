#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace bagel {

int HttpStatus(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
    case ErrorKind::kCorrupt:
      return 400;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kTooLarge:
      return 413;
    case ErrorKind::kUnsupported:
      return 501;
    case ErrorKind::kUnavailable:
      return 503;
    case ErrorKind::kCancelled:
      return 499;
    case ErrorKind::kOutOfMemory:
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

int ExitCode(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return 64;
    case ErrorKind::kCorrupt:
    case ErrorKind::kTooLarge:
      return 65;
    case ErrorKind::kNotFound:
      return 66;
    case ErrorKind::kUnsupported:
    case ErrorKind::kUnavailable:
      return 69;
    case ErrorKind::kOutOfMemory:
      return 71;
    case ErrorKind::kCancelled:
      return 130;
    case ErrorKind::kInternal:
      return 70;
  }
  return 70;
}

void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace bagel

// What the world can do wrong (Error) and what only we can do wrong (CHECK).
#ifndef BAGEL_BASE_ERROR_H_
#define BAGEL_BASE_ERROR_H_

#include <stdexcept>
#include <string>

namespace bagel {

enum class ErrorKind {
  kInvalidArgument,  // a value from a user or client is wrong; the message names it
  kNotFound,         // a file, model or device is not there
  kCorrupt,          // a file's content contradicts itself or its format
  kTooLarge,         // a limit on untrusted input was passed
  kUnsupported,      // understood, but not something this build or model does
  kOutOfMemory,
  kUnavailable,  // busy, shutting down
  kCancelled,
  kInternal,
};

// The one exception type for failures that the world outside can cause. The message is one sentence
// that holds the actual values: which file, which tensor, what was expected, what was found.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// 400, 404, 413, 499, 500, 501 or 503.
int HttpStatus(ErrorKind kind);

// Exit codes of the programs, after sysexits.h: 64 usage, 65 bad data, 66 no input, 69 unavailable,
// 70 internal, 71 out of memory, 130 cancelled.
int ExitCode(ErrorKind kind);

[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace bagel

// For what only a mistake in this program can make false; no outside input may reach one.
#define CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::bagel::CheckFailed(__FILE__, __LINE__, #expression))

#endif  // BAGEL_BASE_ERROR_H_

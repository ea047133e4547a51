// An error whose HTTP status is the protocol's choice and not its kind's.
#ifndef BAGEL_API_API_ERROR_H_
#define BAGEL_API_API_ERROR_H_

#include <string>

#include "base/error.h"

namespace bagel::api {

class ApiError : public Error {
 public:
  ApiError(int status, const std::string& message)
      : Error(ErrorKind::kInvalidArgument, message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

// The status of any Error.
inline int StatusOf(const Error& error) {
  const auto* api_error = dynamic_cast<const ApiError*>(&error);
  return api_error != nullptr ? api_error->status() : HttpStatus(error.kind());
}

}  // namespace bagel::api

#endif  // BAGEL_API_API_ERROR_H_

// Requests that several tests of the engine make.
#ifndef BAGEL_TESTS_REQUESTS_H_
#define BAGEL_TESTS_REQUESTS_H_

#include <string>

#include "engine/request.h"

namespace bagel {

inline PictureRequest DrawingOf(const std::string& prompt, PictureSize size, int steps) {
  PictureRequest request;
  request.parts = {prompt};
  request.size = size;
  request.flow.steps = steps;
  request.seed = 7;
  return request;
}

inline TextRequest QuestionFor(int tokens) {
  TextRequest request;
  request.parts = {"Hello, who are you?"};
  request.sampling.temperature = 0;
  request.num_predict = tokens;
  return request;
}

}  // namespace bagel

#endif  // BAGEL_TESTS_REQUESTS_H_

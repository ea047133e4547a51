// The body of POST /api/generate.
#ifndef BAGEL_API_OLLAMA_REQUEST_H_
#define BAGEL_API_OLLAMA_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/picture_fields.h"
#include "api/wire_json.h"
#include "generate/sampling.h"

namespace bagel::api {

struct GenerateRequest {
  std::optional<std::string> model;
  std::optional<std::string> prompt;
  std::string system;
  std::vector<std::vector<std::byte>> images;  // files, decoded from base64
  WireObject options;                          // as sent; see ApplyOptions
  bool stream = true;
  bool think = false;
  bool raw = false;
  bool has_template = false;
  bool has_context = false;
  bool has_suffix = false;
  bool unload = false;  // keep_alive is 0

  SamplingOptions sampling;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::optional<int> num_predict;

  PictureFields picture;  // from the top level and from the options
};

// Reads a request's JSON. Keys match without case, unknown ones and nulls are ignored, the last of
// several wins. Throws Error with the text that Ollama answers (kInvalidArgument), kTooLarge for
// more than `max_images` images, and kUnsupported for fields that would change the answer and that
// this server does not have (format, logprobs).
GenerateRequest ParseGenerateRequest(std::string_view body, std::size_t max_images);

// Fills sampling, seed, stop, num_predict and picture from `options`. Unknown names and nulls are
// ignored. Throws ApiError 500 for a wrong type, as Ollama does, and kInvalidArgument out of range.
void ApplyOptions(GenerateRequest& request);

}  // namespace bagel::api

#endif  // BAGEL_API_OLLAMA_REQUEST_H_

// A text model that answers with what was seen in mind.
#ifndef BAGEL_VISION_LANGUAGE_MODEL_H_
#define BAGEL_VISION_LANGUAGE_MODEL_H_

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "vision/word_stream.h"

namespace bagel::vision {

struct LanguageModelOptions {
  std::string url;  // Ollama's, or one that ends in /v1: OpenAI's chat completions
  std::string model;
  std::string api_key;  // sent as "Authorization: Bearer ..." unless empty
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds first_word{60'000};
  std::chrono::milliseconds idle{30'000};  // between two words
  std::chrono::milliseconds total{300'000};
};

// Thread-safe.
class LanguageModel {
 public:
  // Throws kInvalidArgument for what is not a URL and for a missing model's name.
  explicit LanguageModel(LanguageModelOptions options);

  // The answer to what a person said. `context` is a report's ToContext, or empty where nobody
  // looked; it goes into the person's turn, as something seen, not into the instructions. Words go
  // to `on_word` as they come. `stop` as in Send. Throws as Send does, and kUnavailable for what
  // the server refuses.
  ModelAnswer Answer(const std::string& said, const std::string& context,
                     const std::function<void(std::string_view words)>& on_word = nullptr,
                     const std::function<bool()>& stop = nullptr) const;

  const LanguageModelOptions& options() const { return options_; }

 private:
  const LanguageModelOptions options_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_LANGUAGE_MODEL_H_

// A model's words as they come over HTTP, line by line.
#ifndef BAGEL_VISION_WORD_STREAM_H_
#define BAGEL_VISION_WORD_STREAM_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "formats/json.h"
#include "vision/http_client.h"

namespace bagel::vision {

struct ModelAnswer {
  std::string text;
  std::string model;
  std::string server;  // its URL, as it may be shown
  double first_word_ms = 0;
  double total_ms = 0;
};

// What one line of a stream holds.
struct StreamedWords {
  std::string words;
  bool done = false;  // nothing follows
};

// Reads a line; nothing for one that holds no words. Throws Error for what is not of its protocol.
using LineParser = std::function<std::optional<StreamedWords>(std::string_view line)>;

// An error after words have gone out: nobody else may be asked then.
class BrokenAnswer : public Error {
 public:
  explicit BrokenAnswer(const Error& error) : Error(error.kind(), error.what()) {}
};

// Sends `call` and collects the words of its answer's lines; they go to `on_word` as they come.
// Throws as Send does; kInvalidArgument or kUnavailable for a status that is not 200, with the
// server's words; kUnavailable for a stream that ends without its last line; kTooLarge for more
// than 64 KiB of words. Once there were words, all of these are a BrokenAnswer.
ModelAnswer StreamWords(const HttpCall& call, const std::string& model, const LineParser& parse,
                        const std::function<void(std::string_view)>& on_word,
                        const std::function<bool()>& stop);

// The string at `key`, or empty.
std::string TextAt(const Json& object, const char* key);

// What a server says about an error, in Ollama's or OpenAI's form or as plain text, cut to a
// sentence's length; empty for JSON that holds no error.
std::string ErrorText(const std::string& body);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_WORD_STREAM_H_

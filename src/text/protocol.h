// BAGEL's prompt protocol: the marks around text and pictures, the think prompts, the think tags.
#ifndef BAGEL_TEXT_PROTOCOL_H_
#define BAGEL_TEXT_PROTOCOL_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace bagel {

// System prompts of the think mode, word for word as the model was trained: the first for answers
// in text, the second for pictures.
inline constexpr std::string_view kThinkUnderstandPrompt =
    "You should first think about the reasoning process in the mind and then provide the user with "
    "the answer. \n"
    "The reasoning process is enclosed within <think> </think> tags, i.e. <think> reasoning "
    "process here </think> answer here";
inline constexpr std::string_view kThinkGeneratePrompt =
    "You should first think about the planning process in the mind and then generate the image. \n"
    "The planning process is enclosed within <think> </think> tags, i.e. <think> planning process "
    "here </think> image here";

// The ids of the protocol's marks.
struct ProtocolIds {
  int32_t im_start = 0;      // before a text; also what text generation is started with
  int32_t im_end = 0;        // after a text; ends generated text
  int32_t vision_start = 0;  // before a picture's tokens
  int32_t vision_end = 0;    // after them
  int32_t endoftext = 0;     // never written by the protocol; a model may still give it out

  // Throws kCorrupt if the checkpoint lacks one of them.
  static ProtocolIds From(const Tokenizer& tokenizer);
};

// <|im_start|> ids <|im_end|>, the form in which every text enters the context.
std::vector<int32_t> WrapText(const ProtocolIds& protocol, std::span<const int32_t> ids);

// Splits text generated in think mode, as it arrives, into what stands inside <think> </think> and
// the answer around it. Tags may be cut anywhere; white space right after </think> is dropped. Text
// without tags is answer, a block that is never closed is thinking.
class ThinkSplitter {
 public:
  struct Parts {
    std::string thinking;
    std::string answer;
  };

  // What can be told apart after adding `text`, well-formed UTF-8; so are the parts.
  Parts Push(std::string_view text);
  // What was held back as the beginning of a tag; starts anew.
  Parts Finish();

 private:
  void Emit(std::string_view text, Parts& parts);

  std::string held_;
  bool thinking_ = false;
  bool drop_space_ = false;
};

}  // namespace bagel

#endif  // BAGEL_TEXT_PROTOCOL_H_

// What is asked of the engine, and what comes back.
#ifndef BAGEL_ENGINE_REQUEST_H_
#define BAGEL_ENGINE_REQUEST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "formats/picture.h"
#include "generate/flow.h"
#include "generate/sampling.h"
#include "image/sizes.h"

namespace bagel {

// One input of a request, in the order in which the model sees it: a picture, or a text that
// becomes one `<|im_start|> ... <|im_end|>` block. Special tokens spelled out in a text stay plain
// text.
using Part = std::variant<std::string, Picture>;

// A question about pictures, or a conversation in text alone.
struct TextRequest {
  std::string system;       // empty = none; one text block before the parts
  std::vector<Part> parts;  // at least one
  bool think = false;  // prepend the model's thinking prompt and split off <think> ... </think>
  SamplingOptions sampling;
  std::optional<uint64_t> seed;   // absent = random, and returned
  std::vector<std::string> stop;  // never part of the text that is returned
  int num_predict = 512;          // -1 = until the model ends or the context is full
};

// A picture to draw: from texts, or from pictures to change and texts.
struct PictureRequest {
  std::vector<Part> parts;          // at least one, in the order in which the model sees them
  std::string negative;             // what to stay away from: stands where the text is left out
  std::optional<PictureSize> size;  // absent = the model's usual one; with a picture among the
                                    // parts the last one gives the size
  FlowSettings flow;
  std::optional<uint64_t> seed;  // absent = random, and returned; its low 32 bits count
  bool think = false;            // plan in words first
  int64_t plan_tokens = 1000;    // at most
  SamplingOptions plan_sampling = {.temperature = 0};
};

enum class FinishReason { kStop, kLength, kCancelled };
// "stop", "length", "cancelled".
const char* FinishReasonName(FinishReason reason);

struct TextPiece {
  std::string text;  // well-formed UTF-8
  bool thinking = false;
};

struct TextResult {
  std::string text;  // all pieces that were not thinking
  std::string thinking;
  std::vector<int32_t> ids;  // generated, without the end token
  FinishReason finish_reason = FinishReason::kStop;
  uint64_t seed = 0;
  int64_t prompt_tokens = 0;     // everything prefilled, image_tokens included
  int64_t image_tokens = 0;      // picture rows with their two markers
  int64_t generated_tokens = 0;  // the end token included
  double queue_ms = 0;           // from Submit until the worker takes it in
  double prefill_ms = 0;
  double decode_ms = 0;
};

// When the inputs are read, and after every move.
struct PictureProgress {
  PictureSize size;  // that will be drawn
  int moves_done = 0;
  int moves = 0;
  Picture preview;  // small; empty where none was asked for
};

struct PictureResult {
  Picture picture;  // empty when cancelled
  FinishReason finish_reason = FinishReason::kStop;
  std::string plan;
  FlowSettings flow;
  uint64_t seed = 0;
  int64_t prompt_tokens = 0;  // of all inputs, the plan included
  int64_t latent_tokens = 0;
  int forwards = 0;       // decoder passes over the latents
  double queue_ms = 0;    // from Submit to the first work on it
  double prepare_ms = 0;  // reading the inputs, planning
  double draw_ms = 0;     // all moves
  double decode_ms = 0;   // the autoencoder
};

// Progress in order, then one result or one error; as for texts.
using PictureEvent = std::variant<PictureProgress, PictureResult, Error>;
using PictureHandler = std::function<void(PictureEvent)>;

// Pieces in order, then one result or one error. Called on the engine's worker thread: hand over
// and return, never wait. An exception out of a handler cancels the request.
using Event = std::variant<TextPiece, TextResult, Error>;
using EventHandler = std::function<void(Event)>;

}  // namespace bagel

#endif  // BAGEL_ENGINE_REQUEST_H_

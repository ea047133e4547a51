// One running text request: a context, what is still to be read, and what has been said.
#ifndef BAGEL_ENGINE_SESSION_H_
#define BAGEL_ENGINE_SESSION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "generate/sampling.h"
#include "model/bagel.h"
#include "text/protocol.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"

namespace bagel {

using Clock = std::chrono::steady_clock;

// A request as it waits for its turn.
struct QueuedRequest {
  TextRequest request;
  EventHandler handler;
  std::shared_ptr<Job> job;
  Clock::time_point submitted;
  std::vector<ImagePatches> images = {};  // the request's pictures, which are empty then
};

class Session {
 public:
  // Tokenises. Throws kInvalidArgument when the prompt does not fit into `context_tokens`.
  Session(QueuedRequest queued, const Tokenizer& tokenizer, const ProtocolIds& protocol,
          KvPool& pool, int64_t context_tokens);

  const Job& job() const { return *job_; }
  Phase phase() const { return block_ < blocks_.size() ? Phase::kPrefill : Phase::kDecode; }
  // What AddInputs would add.
  NextRows next_rows() const;
  bool done() const { return done_; }
  bool before_first_word() const { return result_.generated_tokens == 0; }

  // Adds the next rows of this request: a picture, with the text behind it where that is short, a
  // chunk of its prompt's text, or the token generated last.
  void AddInputs(std::vector<StepInput>& inputs);

  // Chooses the next token by `logits` [vocabulary]; needs nothing that sessions share.
  void Choose(std::span<const float> logits) { next_ = sampler_.Next(logits, history_); }
  // The same by the best of the logits; false where those do not decide.
  bool Choose(const BestValues& best, int32_t vocabulary) {
    const std::optional<int32_t> id = sampler_.Next(best, vocabulary, history_);
    if (id) next_ = *id;
    return id.has_value();
  }
  // Takes note that what AddInputs added has gone through the model, and that Choose was called if
  // it wanted logits.
  void Advance();

  // Ends the request with what there is, or with an error.
  void Finish(FinishReason reason);
  void Fail(const Error& error);

 private:
  // Ids that go in causally, or one picture.
  struct Block {
    std::vector<int32_t> ids;
    ImagePatches image;
    bool is_image() const { return !image.positions.empty(); }
  };

  void AddText(const std::string& text, Specials specials);
  void AddBlock(Block block);
  // Whether the text behind the picture that is next goes with it.
  bool TextGoesWithPicture() const;
  void TakeToken(int32_t id);
  void Emit(const std::string& text);
  void SendParts(const ThinkSplitter::Parts& parts);
  void Send(Event event);

  const Tokenizer& tokenizer_;
  const ProtocolIds& protocol_;
  EventHandler handler_;
  std::shared_ptr<Job> job_;
  bool think_;
  int num_predict_;
  int64_t context_tokens_;
  Clock::time_point started_;
  Clock::time_point first_logits_;

  std::vector<Block> blocks_;
  size_t block_ = 0;    // being read
  int64_t offset_ = 0;  // tokens of it that have been read
  Context context_;

  uint64_t seed_;
  Sampler sampler_;
  std::optional<int32_t> next_;   // chosen, not yet taken
  std::vector<int32_t> history_;  // every token so far, for the penalties
  Utf8Stream utf8_;
  StopStrings stops_;
  ThinkSplitter splitter_;
  TextResult result_;
  bool done_ = false;
};

}  // namespace bagel

#endif  // BAGEL_ENGINE_SESSION_H_

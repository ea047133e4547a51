// One picture in the making: its contexts, its noise, and the moves from noise to picture.
#ifndef BAGEL_ENGINE_DRAWING_H_
#define BAGEL_ENGINE_DRAWING_H_

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/torch_rng.h"
#include "engine/request.h"
#include "generate/flow.h"
#include "generate/sampling.h"
#include "image/latents.h"
#include "model/bagel.h"
#include "text/protocol.h"
#include "text/tokenizer.h"

namespace bagel {

// The picture's sides for a request: its own, rounded to latent tokens, or those of its last input
// picture. Throws kInvalidArgument for what the model cannot draw.
PictureSize DrawnSize(const PictureRequest& request, const BagelConfig& config);

// Rows that the input pictures of a request may take in its context: two of the largest.
int64_t MostPictureTokens(const BagelConfig& config);

// Throws kInvalidArgument naming what is wrong with a request, without any work on it.
void CheckPictureRequest(const PictureRequest& request, const BagelConfig& config);

// Works in units, each one model step or so: prefill the inputs, plan in words (think mode), move,
// decode. Reference: InterleaveInferencer.interleave_inference and Bagel.generate_image.
class Drawing {
 public:
  // All of the model's parts must outlive it. Throws as DrawnSize does, and kInvalidArgument when
  // the texts do not fit into `context_tokens`.
  Drawing(PictureRequest request, Bagel& model, Ops& ops, KvPool& pool, const Tokenizer& tokenizer,
          const ProtocolIds& protocol, int64_t context_tokens);

  bool done() const { return done_; }
  // Works on the next unit. `stop` as in Bagel::Run.
  void Step(const std::function<bool()>& stop);

  PictureSize size() const { return size_; }
  // The longest context so far and the tokens of the picture.
  int64_t prompt_tokens() const { return full_.context.length(); }
  int64_t latent_tokens() const { return grid_.rows * grid_.columns; }
  bool inputs_read() const { return block_ == blocks_.size() && !planning(); }
  int moves_done() const { return move_; }
  int moves() const { return static_cast<int>(times_.size()) - 1; }
  int forwards() const { return forwards_; }  // decoder passes over the latents so far
  const std::string& plan() const { return plan_; }
  // The last guided velocity and the latent tokens [tokens, token size].
  const std::vector<float>& velocity() const { return velocity_; }
  const std::vector<float>& latents() const { return x_; }
  // A small picture of where the moves lead, or an empty one before the first.
  Picture Preview();
  // The finished picture.
  const Picture& picture() const { return picture_; }

 private:
  // A block of the prompt: ids, or a picture.
  struct Block {
    std::vector<int32_t> ids;
    Picture picture;
    bool is_picture() const { return picture.width > 0; }
  };
  // The context, the state of TaylorSeer and the velocity of one guidance pass.
  struct Pass {
    explicit Pass(KvPool& pool) : context(pool) {}
    Context context;
    std::unique_ptr<TaylorHistory> history;
    TaylorSchedule schedule;
    std::vector<float> velocity;
  };

  bool planning() const { return request_.think && (plan_ids_.empty() || plan_context_); }
  void SplitImageContext();
  void ReadBlock();
  void TakeNoTextContext();
  void ReadPicture(const Picture& picture);
  void AddLatents(const Picture& picture);
  void AddText(std::span<const int32_t> ids, std::initializer_list<Context*> contexts);
  void BeginPlan();
  void PlanToken();
  void FinishPlan();
  void Move();
  void RunPasses(std::span<Pass* const> passes, const LatentTokens& latents);
  void Decode();
  std::vector<float> UnscaledPixels(std::span<const float> tokens) const;

  PictureRequest request_;
  Bagel& model_;
  Ops& ops_;
  KvPool& pool_;
  const BagelConfig& config_;
  const Tokenizer& tokenizer_;
  const ProtocolIds& protocol_;
  PictureSize size_;
  LatentGrid grid_;
  std::vector<int32_t> positions_;
  TorchRng rng_;
  std::function<bool()> stop_;

  std::vector<Block> blocks_;
  std::vector<int32_t> negative_;  // with its markers; empty = none
  size_t block_ = 0;
  size_t no_text_block_ = 0;  // before this block the context without text is taken
  Pass full_, no_text_, no_image_;
  bool image_differs_ = false;  // no_image_ is another context than full_
  std::unique_ptr<Context> plan_context_;
  std::unique_ptr<Sampler> plan_sampler_;
  std::vector<int32_t> plan_ids_;  // with the start token
  std::string plan_;

  std::vector<float> times_;
  std::vector<float> x_;
  std::vector<float> velocity_;
  int move_ = 0;
  int forwards_ = 0;
  Picture picture_;
  bool done_ = false;
};

}  // namespace bagel

#endif  // BAGEL_ENGINE_DRAWING_H_

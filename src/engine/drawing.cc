#include "engine/drawing.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "image/patches.h"
#include "image/resize.h"

namespace bagel {
namespace {

constexpr int kLeastSide = 128;  // pixels
constexpr int kLargestSide = 1024;

[[noreturn]] void FailSize(const std::string& what, int width, int height, int largest) {
  throw Error(ErrorKind::kInvalidArgument,
              what + " " + std::to_string(width) + "x" + std::to_string(height) +
                  " is outside the sides of " + std::to_string(kLeastSide) + " to " +
                  std::to_string(largest) + " that this model draws");
}

// Rows of an input picture: as the autoencoder and as the vision encoder sees it, with markers.
int64_t PictureTokens(const Picture& picture, const BagelConfig& config) {
  const PictureSize vae = ResizedSize({picture.width, picture.height}, config.vae_image);
  const PictureSize vit = ResizedSize(vae, config.vit_image);
  const int64_t unit = config.TokenPixels(), patch = config.vit.patch;
  return vae.width / unit * (vae.height / unit) + vit.width / patch * (vit.height / patch) + 4;
}

// Latent pixels of a side of the preview's.
constexpr int64_t kPreviewSide = 24;

}  // namespace

PictureSize DrawnSize(const PictureRequest& request, const BagelConfig& config) {
  const int unit = static_cast<int>(config.TokenPixels());
  const int largest = std::min<int>(kLargestSide, unit * static_cast<int>(config.latent.max_size));
  PictureSize size = request.size.value_or(PictureSize{});
  bool edit = false;
  for (const Part& part : request.parts) {
    const auto* picture = std::get_if<Picture>(&part);
    if (picture == nullptr) continue;
    const int longer = std::max(picture->width, picture->height);
    if (longer > 40 * std::min(picture->width, picture->height))
      throw Error(ErrorKind::kInvalidArgument,
                  "an input picture of " + std::to_string(picture->width) + "x" +
                      std::to_string(picture->height) + " is longer than 40:1");
    size = ResizedSize({picture->width, picture->height}, config.vae_image);
    if (std::min(size.width, size.height) < kLeastSide ||
        std::max(size.width, size.height) > largest)
      FailSize("the input picture's resized", size.width, size.height, largest);
    edit = true;
  }
  if (edit) return size;
  if (!request.size)
    size = {std::min(config.picture.width, largest), std::min(config.picture.height, largest)};
  if (std::min(size.width, size.height) < kLeastSide || std::max(size.width, size.height) > largest)
    FailSize("a picture of", size.width, size.height, largest);
  const auto rounded = [&](int side) { return (side + unit / 2) / unit * unit; };
  return {rounded(size.width), rounded(size.height)};
}

int64_t MostPictureTokens(const BagelConfig& config) {
  const int64_t side = config.latent.max_size;
  return 2 * (side * side + 2 + config.MaxImageRows());
}

void CheckPictureRequest(const PictureRequest& request, const BagelConfig& config) {
  bool words = false;
  int64_t tokens = 0;
  for (const Part& part : request.parts) {
    if (const auto* text = std::get_if<std::string>(&part))
      words = words || text->find_first_not_of(" \t\r\n") != std::string::npos;
    else
      tokens += PictureTokens(std::get<Picture>(part), config);
  }
  if (!words) throw Error(ErrorKind::kInvalidArgument, "the prompt is empty");
  if (request.think && (request.plan_tokens < 1 || request.plan_tokens > 8192))
    throw Error(ErrorKind::kInvalidArgument,
                "plan_tokens is " + std::to_string(request.plan_tokens) + ", expected 1 to 8192");
  CheckFlowSettings(request.flow);
  CheckSamplingOptions(request.plan_sampling);
  static_cast<void>(DrawnSize(request, config));
  if (tokens > MostPictureTokens(config))
    throw Error(ErrorKind::kInvalidArgument, "the input pictures have " + std::to_string(tokens) +
                                                 " tokens together, and there is room for " +
                                                 std::to_string(MostPictureTokens(config)));
}

Drawing::Drawing(PictureRequest request, Bagel& model, Ops& ops, KvPool& pool,
                 const Tokenizer& tokenizer, const ProtocolIds& protocol, int64_t context_tokens)
    : request_(std::move(request)),
      model_(model),
      ops_(ops),
      pool_(pool),
      config_(model.config()),
      tokenizer_(tokenizer),
      protocol_(protocol),
      size_(DrawnSize(request_, config_)),
      grid_{size_.height / config_.TokenPixels(), size_.width / config_.TokenPixels(),
            config_.latent.patch, config_.latent.channels},
      positions_(PatchPositions(static_cast<int>(grid_.rows), static_cast<int>(grid_.columns),
                                static_cast<int>(config_.latent.max_size))),
      rng_(request_.seed.value_or(0)),
      full_(pool),
      no_text_(pool),
      no_image_(pool),
      times_(FlowTimes(request_.flow)) {
  if (request_.think)
    blocks_.push_back(
        {WrapText(protocol, tokenizer.Encode(kThinkGeneratePrompt, Specials::kParse)), {}});
  for (Part& part : request_.parts) {
    if (auto* text = std::get_if<std::string>(&part))
      blocks_.push_back({WrapText(protocol, tokenizer.Encode(*text, Specials::kPlain)), {}});
    else
      blocks_.push_back({{}, std::move(std::get<Picture>(part))});
  }
  request_.parts.clear();
  no_text_block_ = blocks_.back().is_picture() ? blocks_.size() : blocks_.size() - 1;
  if (!request_.negative.empty())
    negative_ = WrapText(protocol, tokenizer.Encode(request_.negative, Specials::kPlain));
  int64_t tokens = static_cast<int64_t>(negative_.size());
  if (request_.think) tokens += request_.plan_tokens + 2;
  for (const Block& block : blocks_) tokens += static_cast<int64_t>(block.ids.size());
  if (tokens > context_tokens)
    throw Error(ErrorKind::kInvalidArgument,
                "the picture's texts have " + std::to_string(tokens) +
                    " tokens, those of a plan included, and the context holds " +
                    std::to_string(context_tokens));
}

void Drawing::Step(const std::function<bool()>& stop) {
  CHECK(!done_);
  stop_ = stop;
  if (block_ < blocks_.size()) {
    ReadBlock();
  } else if (planning()) {
    if (plan_ids_.empty()) BeginPlan();
    PlanToken();
  } else if (move_ < moves()) {
    Move();
  } else {
    Decode();
  }
}

// From here on the context without pictures is one of its own.
void Drawing::SplitImageContext() {
  if (image_differs_ || request_.flow.image_scale <= 1 || request_.flow.text_scale <= 1) return;
  no_image_.context.Fork(full_.context);
  image_differs_ = true;
}

void Drawing::ReadBlock() {
  if (block_ == no_text_block_) TakeNoTextContext();
  Block& block = blocks_[block_];
  if (block.is_picture()) {
    SplitImageContext();
    ReadPicture(block.picture);
  } else if (image_differs_) {
    AddText(block.ids, {&full_.context, &no_image_.context});
  } else {
    AddText(block.ids, {&full_.context});
  }
  block = {};
  ++block_;
  if (block_ == blocks_.size() && block_ == no_text_block_) TakeNoTextContext();
}

// What has been read so far, and then what to stay away from.
void Drawing::TakeNoTextContext() {
  if (request_.flow.text_scale <= 1) return;
  no_text_.context.Fork(full_.context);
  AddText(negative_, {&no_text_.context});
}

void Drawing::AddText(std::span<const int32_t> ids, std::initializer_list<Context*> contexts) {
  constexpr size_t kChunk = 256;
  for (size_t first = 0; first < ids.size(); first += kChunk) {
    const std::span<const int32_t> chunk = ids.subspan(first, std::min(kChunk, ids.size() - first));
    std::vector<StepInput> inputs;
    for (Context* context : contexts) inputs.push_back({context, {chunk.begin(), chunk.end()}});
    model_.Run(inputs, pool_, "text", stop_);
  }
}

void Drawing::ReadPicture(const Picture& picture) {
  AddLatents(picture);
  const ImagePatches patches = PrepareImage(picture, config_);
  const StepInput input{&full_.context, {}, &patches};
  model_.Run(std::span(&input, 1), pool_, "image", stop_);
}

// The picture as the autoencoder sees it, at time 0.
void Drawing::AddLatents(const Picture& picture) {
  const VaePixels pixels = PreparePixels(picture, config_);
  const std::vector<float> moments =
      model_.EncodePixels(pixels.values, pixels.size.height, pixels.size.width, stop_);
  const auto channels = static_cast<size_t>(config_.latent.channels);
  const size_t count = moments.size() / (2 * channels);
  std::vector<float> noise(count * channels), latents(count * channels);
  rng_.Normal(noise);  // by channel, then pixel
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      const float* moment = moments.data() + i * 2 * channels + c;
      const float sample = moment[0] + std::exp(0.5f * moment[channels]) * noise[c * count + i];
      latents[i * channels + c] = config_.vae.scale * (sample - config_.vae.shift);
    }
  }
  const int64_t unit = config_.TokenPixels();
  const LatentGrid grid{pixels.size.height / unit, pixels.size.width / unit, grid_.patch,
                        grid_.channels};
  const std::vector<float> tokens = ToTokens(grid, latents);
  const std::vector<int32_t> positions =
      PatchPositions(static_cast<int>(grid.rows), static_cast<int>(grid.columns),
                     static_cast<int>(config_.latent.max_size));
  const LatentTokens block{tokens, positions, 0.0f};
  const StepInput input{&full_.context, {}, nullptr, false, &block};
  model_.Run(std::span(&input, 1), pool_, "latents", stop_);
}

void Drawing::BeginPlan() {
  plan_context_ = std::make_unique<Context>(pool_);
  plan_context_->Fork(full_.context);
  plan_sampler_ = std::make_unique<Sampler>(request_.plan_sampling, request_.seed.value_or(0));
  plan_ids_ = {protocol_.im_start};
}

void Drawing::PlanToken() {
  const StepInput input{plan_context_.get(), {plan_ids_.back()}, nullptr, true};
  const std::span<const BestValues> best =
      model_.RunForBest(std::span(&input, 1), pool_, "plan", stop_);
  const auto known = static_cast<size_t>(
      std::min<int64_t>(config_.llm.vocabulary, static_cast<int64_t>(tokenizer_.size())));
  std::optional<int32_t> chosen;
  if (!best.empty()) chosen = plan_sampler_->Next(best[0], static_cast<int32_t>(known), plan_ids_);
  if (!chosen) chosen = plan_sampler_->Next(model_.Logits().first(known), plan_ids_);
  const int32_t id = *chosen;
  const bool ended = id == protocol_.im_end || id == protocol_.endoftext;
  if (!ended) plan_ids_.push_back(id);
  if (ended || static_cast<int64_t>(plan_ids_.size()) > request_.plan_tokens) FinishPlan();
}

// The plan joins the full context alone, as text that is encoded anew.
void Drawing::FinishPlan() {
  plan_context_.reset();
  plan_ = tokenizer_.Decode(std::span(plan_ids_).subspan(1));
  plan_ = plan_.substr(0, std::min(plan_.find("<|im_end|>"), plan_.find("<|im_start|>")));
  SplitImageContext();
  AddText(WrapText(protocol_, tokenizer_.Encode(plan_, Specials::kParse)), {&full_.context});
}

void Drawing::Move() {
  if (x_.empty()) {
    x_.resize(positions_.size() * static_cast<size_t>(config_.latent.TokenSize()));
    rng_.Normal(x_);
  }
  const auto index = static_cast<size_t>(move_);
  const LatentTokens latents{x_, positions_, times_[index]};
  const FlowPasses passes = PassesAt(request_.flow, times_[index], image_differs_);
  std::vector<Pass*> run = {&full_};
  if (passes.text) run.push_back(&no_text_);
  if (passes.image) run.push_back(&no_image_);
  RunPasses(run, latents);
  velocity_ = std::move(full_.velocity);
  if (passes.text)
    Guide(request_.flow, config_.latent.TokenSize(), velocity_, no_text_.velocity,
          passes.image ? std::span<const float>(no_image_.velocity) : std::span<const float>());
  const float distance = times_[index] - times_[index + 1];
  for (size_t i = 0; i < x_.size(); ++i) x_[i] -= velocity_[i] * distance;
  ++move_;
}

// The velocity of every pass: the computed ones in one step, the others from their histories.
void Drawing::RunPasses(std::span<Pass* const> passes, const LatentTokens& latents) {
  std::vector<StepInput> inputs;
  std::vector<TaylorHistory*> histories;
  std::vector<Pass*> computed;
  for (Pass* pass : passes) {
    if (request_.flow.taylorseer && !pass->schedule.NextIsComputed()) continue;
    computed.push_back(pass);
    inputs.push_back({&pass->context, {}, nullptr, false, &latents, false});
    if (!request_.flow.taylorseer) continue;
    if (pass->history == nullptr)
      pass->history = std::make_unique<TaylorHistory>(ops_, latents.rows(), config_.llm.hidden);
    histories.push_back(pass->history.get());
  }
  if (!computed.empty()) {
    std::vector<int64_t> distances;
    for (size_t i = 0; i < histories.size(); ++i) {
      TaylorSchedule next = computed[i]->schedule;
      distances.push_back(next.TakeComputed());
    }
    std::span<const float> velocities = model_.Velocity(inputs, pool_, histories, distances, stop_);
    for (Pass* pass : computed) {
      pass->velocity.assign(velocities.begin(),
                            velocities.begin() + static_cast<std::ptrdiff_t>(x_.size()));
      velocities = velocities.subspan(x_.size());
    }
    forwards_ += static_cast<int>(computed.size());
  }
  for (Pass* pass : passes) {
    if (std::find(computed.begin(), computed.end(), pass) != computed.end())
      pass->schedule.TakeComputed();
    else
      pass->velocity = model_.Extrapolate(*pass->history, pass->schedule.TakeExtrapolated());
  }
}

std::vector<float> Drawing::UnscaledPixels(std::span<const float> tokens) const {
  std::vector<float> pixels = FromTokens(grid_, tokens);
  for (float& value : pixels) value = value / config_.vae.scale + config_.vae.shift;
  return pixels;
}

Picture Drawing::Preview() {
  if (velocity_.empty()) return {};
  // The picture to which a straight line at this velocity leads.
  std::vector<float> tokens = x_;
  const float time = times_[static_cast<size_t>(move_)];
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] -= velocity_[i] * time;
  const int64_t height = grid_.rows * grid_.patch, width = grid_.columns * grid_.patch;
  int64_t side = 1;
  while (std::max(height, width) / side > kPreviewSide && height % (2 * side) == 0 &&
         width % (2 * side) == 0)
    side *= 2;
  const std::vector<float> small =
      AverageLatents(UnscaledPixels(tokens), height, width, grid_.channels, side);
  const int64_t scale = config_.vae.Downsample();
  return ToPicture(model_.DecodeLatents(small, height / side, width / side), height / side * scale,
                   width / side * scale);
}

void Drawing::Decode() {
  picture_ = ToPicture(model_.DecodeLatents(UnscaledPixels(x_), grid_.rows * grid_.patch,
                                            grid_.columns * grid_.patch, {}, stop_),
                       size_.height, size_.width);
  done_ = true;
}

}  // namespace bagel

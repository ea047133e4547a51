#include "engine/session.h"

#include <algorithm>
#include <random>
#include <utility>

#include "engine/deliver.h"

namespace bagel {
namespace {

uint64_t RandomSeed() {
  // 53 bits, so that the number survives JSON readers that hold numbers as doubles.
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) >> 11;
}

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Session::Session(QueuedRequest queued, const Tokenizer& tokenizer, const ProtocolIds& protocol,
                 KvPool& pool, int64_t context_tokens)
    : tokenizer_(tokenizer),
      protocol_(protocol),
      handler_(std::move(queued.handler)),
      job_(std::move(queued.job)),
      think_(queued.request.think),
      num_predict_(queued.request.num_predict),
      context_tokens_(context_tokens),
      started_(Clock::now()),
      context_(pool),
      seed_(queued.request.seed ? *queued.request.seed : RandomSeed()),
      sampler_(queued.request.sampling, seed_),
      stops_(queued.request.stop) {
  TextRequest& request = queued.request;
  result_.seed = seed_;
  result_.queue_ms = Milliseconds(started_ - queued.submitted);

  if (think_) AddText(std::string(kThinkUnderstandPrompt), Specials::kParse);
  if (!request.system.empty()) AddText(request.system, Specials::kPlain);
  auto image = queued.images.begin();
  for (const Part& part : request.parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      AddText(*text, Specials::kPlain);
    } else {
      AddBlock({{}, std::move(*image++)});
      result_.image_tokens += blocks_.back().image.rows() + 2;
    }
  }
  // The token that starts the answer is read together with the prompt.
  AddBlock({{protocol.im_start}, {}});
  for (const Block& block : blocks_) {
    result_.prompt_tokens +=
        block.is_image() ? block.image.rows() + 2 : static_cast<int64_t>(block.ids.size());
    history_.insert(history_.end(), block.ids.begin(), block.ids.end());
  }
  if (result_.prompt_tokens >= context_tokens_)
    throw Error(ErrorKind::kInvalidArgument,
                "the prompt has " + std::to_string(result_.prompt_tokens) + " tokens (" +
                    std::to_string(result_.image_tokens) +
                    " of them for pictures), and the context holds " +
                    std::to_string(context_tokens_));
}

void Session::AddText(const std::string& text, Specials specials) {
  AddBlock({WrapText(protocol_, tokenizer_.Encode(text, specials)), {}});
}

// Texts in a row are one run of causal tokens.
void Session::AddBlock(Block block) {
  if (!block.is_image() && !blocks_.empty() && !blocks_.back().is_image()) {
    std::vector<int32_t>& ids = blocks_.back().ids;
    ids.insert(ids.end(), block.ids.begin(), block.ids.end());
  } else {
    blocks_.push_back(std::move(block));
  }
}

bool Session::TextGoesWithPicture() const {
  return block_ + 1 < blocks_.size() && !blocks_[block_ + 1].is_image() &&
         std::ssize(blocks_[block_ + 1].ids) <= Bagel::kRowsBesidePicture;
}

NextRows Session::next_rows() const {
  if (phase() == Phase::kDecode) return {Phase::kDecode, 1};
  const Block& block = blocks_[block_];
  if (!block.is_image())
    return {Phase::kPrefill,
            std::min<int64_t>(kPrefillChunkTokens, std::ssize(block.ids) - offset_)};
  const int64_t text = TextGoesWithPicture() ? std::ssize(blocks_[block_ + 1].ids) : 0;
  return {Phase::kPrefill, block.image.rows() + 2 + text};
}

void Session::AddInputs(std::vector<StepInput>& inputs) {
  const auto add = [&]() -> StepInput& {
    inputs.emplace_back();
    inputs.back().context = &context_;
    return inputs.back();
  };
  const auto add_text = [&](size_t index, int64_t offset) {
    const Block& block = blocks_[index];
    const auto first = block.ids.begin() + offset;
    const auto count = std::min<std::ptrdiff_t>(kPrefillChunkTokens, block.ids.end() - first);
    StepInput& input = add();
    input.ids.assign(first, first + count);
    input.wants_logits = index + 1 == blocks_.size() && first + count == block.ids.end();
  };
  if (phase() == Phase::kDecode) {
    StepInput& input = add();
    input.ids = {history_.back()};
    input.wants_logits = true;
  } else if (blocks_[block_].is_image()) {
    add().image = &blocks_[block_].image;
    if (TextGoesWithPicture()) add_text(block_ + 1, 0);
  } else {
    add_text(block_, offset_);
  }
}

void Session::Advance() {
  if (phase() == Phase::kPrefill) {
    const auto end_block = [&] {
      blocks_[block_++] = {};
      offset_ = 0;
    };
    if (blocks_[block_].is_image()) {
      const bool text = TextGoesWithPicture();
      end_block();
      if (text) end_block();
    } else {
      offset_ += kPrefillChunkTokens;
      if (offset_ >= static_cast<int64_t>(blocks_[block_].ids.size())) end_block();
    }
    if (!next_) return;
    first_logits_ = Clock::now();
    result_.prefill_ms = Milliseconds(first_logits_ - started_);
    if (num_predict_ == 0) return Finish(FinishReason::kLength);
  }
  TakeToken(*std::exchange(next_, std::nullopt));
}

void Session::TakeToken(int32_t id) {
  ++result_.generated_tokens;
  if (id == protocol_.im_end || id == protocol_.endoftext) return Finish(FinishReason::kStop);
  history_.push_back(id);
  result_.ids.push_back(id);
  if (!tokenizer_.IsSpecial(id)) Emit(stops_.Push(utf8_.Push(tokenizer_.TokenBytes(id))));
  if (stops_.stopped()) return Finish(FinishReason::kStop);
  if (num_predict_ >= 0 && result_.generated_tokens >= num_predict_)
    return Finish(FinishReason::kLength);
  if (context_.length() + 1 >= context_tokens_) return Finish(FinishReason::kLength);
}

void Session::Emit(const std::string& text) {
  const ThinkSplitter::Parts parts = think_ ? splitter_.Push(text) : ThinkSplitter::Parts{"", text};
  SendParts(parts);
}

void Session::SendParts(const ThinkSplitter::Parts& parts) {
  result_.thinking += parts.thinking;
  result_.text += parts.answer;
  if (!parts.thinking.empty()) Send(TextPiece{parts.thinking, true});
  if (!parts.answer.empty()) Send(TextPiece{parts.answer, false});
}

void Session::Finish(FinishReason reason) {
  if (done_) return;
  Emit(stops_.Push(utf8_.Finish()));
  Emit(stops_.Finish());
  if (think_) SendParts(splitter_.Finish());
  result_.finish_reason = reason;
  const Clock::time_point now = Clock::now();
  if (first_logits_ == Clock::time_point())
    result_.prefill_ms = Milliseconds(now - started_);
  else
    result_.decode_ms = Milliseconds(now - first_logits_);
  done_ = true;
  Send(std::move(result_));
}

void Session::Fail(const Error& error) {
  if (done_) return;
  done_ = true;
  Send(error);
}

void Session::Send(Event event) { Deliver(std::move(event), handler_, *job_); }

}  // namespace bagel

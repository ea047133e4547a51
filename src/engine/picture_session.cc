#include "engine/picture_session.h"

#include <new>
#include <utility>

#include "engine/deliver.h"

namespace bagel {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

PictureSession::PictureSession(QueuedPicture queued, Bagel& model, Ops& ops, KvPool& pool,
                               const Tokenizer& tokenizer, const ProtocolIds& protocol,
                               int64_t context_tokens)
    : handler_(std::move(queued.handler)),
      job_(std::move(queued.job)),
      drawing_(queued.request, model, ops, pool, tokenizer, protocol, context_tokens) {
  result_.flow = queued.request.flow;
  result_.seed = queued.request.seed.value_or(0);
  result_.queue_ms = MillisecondsSince(queued.submitted);
}

void PictureSession::Step(const std::function<bool()>& stop) {
  const Clock::time_point begin = Clock::now();
  const bool reading = !drawing_.inputs_read();
  try {
    drawing_.Step(stop);
    if (drawing_.done()) {
      result_.decode_ms = MillisecondsSince(begin);
      result_.picture = drawing_.picture();
      Finish(FinishReason::kStop);
      return;
    }
    (reading ? result_.prepare_ms : result_.draw_ms) += MillisecondsSince(begin);
    if (!drawing_.inputs_read()) return;
    PictureProgress progress{drawing_.size(), drawing_.moves_done(), drawing_.moves(), {}};
    if (!reading && job_->TakePreviewWish()) progress.preview = drawing_.Preview();
    Send(std::move(progress));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) return;
    Fail(error);
  } catch (const std::bad_alloc&) {
    Fail(Error(ErrorKind::kOutOfMemory, "no memory for this step of the picture"));
  }
}

void PictureSession::Cancel() { Finish(FinishReason::kCancelled); }

void PictureSession::Finish(FinishReason reason) {
  if (done_) return;
  done_ = true;
  result_.finish_reason = reason;
  result_.plan = drawing_.plan();
  result_.prompt_tokens = drawing_.prompt_tokens();
  result_.latent_tokens = drawing_.latent_tokens();
  result_.forwards = drawing_.forwards();
  Send(std::move(result_));
}

void PictureSession::Fail(const Error& error) {
  if (done_) return;
  done_ = true;
  Send(error);
}

void PictureSession::Send(PictureEvent event) { Deliver(std::move(event), handler_, *job_); }

}  // namespace bagel

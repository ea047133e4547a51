// One running picture request: a drawing, and whom to tell about it.
#ifndef BAGEL_ENGINE_PICTURE_SESSION_H_
#define BAGEL_ENGINE_PICTURE_SESSION_H_

#include <chrono>
#include <functional>
#include <memory>

#include "engine/drawing.h"
#include "engine/engine.h"
#include "engine/request.h"

namespace bagel {

// A request as it waits for its turn.
struct QueuedPicture {
  PictureRequest request;
  PictureHandler handler;
  std::shared_ptr<Job> job;
  std::chrono::steady_clock::time_point submitted;
};

class PictureSession {
 public:
  // Throws as Drawing does.
  PictureSession(QueuedPicture queued, Bagel& model, Ops& ops, KvPool& pool,
                 const Tokenizer& tokenizer, const ProtocolIds& protocol, int64_t context_tokens);

  const Job& job() const { return *job_; }
  bool done() const { return done_; }

  // Works on the next unit and tells of it. `stop` as in Bagel::Run; a stopped unit is no error.
  void Step(const std::function<bool()>& stop);

  // Ends the request without a picture, or with an error.
  void Cancel();
  void Fail(const Error& error);

 private:
  void Send(PictureEvent event);
  void Finish(FinishReason reason);

  PictureHandler handler_;
  std::shared_ptr<Job> job_;
  PictureResult result_;
  Drawing drawing_;
  bool done_ = false;
};

}  // namespace bagel

#endif  // BAGEL_ENGINE_PICTURE_SESSION_H_

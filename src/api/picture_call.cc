#include "api/picture_call.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "api/api_error.h"
#include "api/generate_call.h"
#include "api/pictures.h"
#include "formats/base64.h"

namespace bagel::api {

using nlohmann::ordered_json;

PictureCall::PictureCall(std::shared_ptr<http::HttpReply> reply, Settings settings,
                         http::BudgetShare pictures)
    : reply_(std::move(reply)), settings_(std::move(settings)), pictures_(std::move(pictures)) {}

void PictureCall::On(const PictureEvent& event) {
  if (const auto* progress = std::get_if<PictureProgress>(&event)) {
    SendProgress(progress->moves_done);
  } else if (const auto* result = std::get_if<PictureResult>(&event)) {
    OnResult(*result);
  } else {
    SendError(*reply_, std::get<Error>(event));
  }
}

// The last of the steps is the one that turns latents into pixels. A zero is left out, as Go does.
void PictureCall::SendProgress(int completed) {
  if (!settings_.stream) {
    return;
  }
  ordered_json line = AnswerLine(settings_.model);
  line["response"] = "";
  line["done"] = false;
  if (completed > 0) {
    line["completed"] = completed;
  }
  line["total"] = settings_.recipe.flow.steps;
  SendLine(*reply_, line, /*last=*/false);
}

void PictureCall::OnResult(const PictureResult& result) {
  if (result.finish_reason == FinishReason::kCancelled) {
    SendError(*reply_, ApiError(499, "request canceled"));
    return;
  }
  SendProgress(settings_.recipe.flow.steps);
  ordered_json line = AnswerLine(settings_.model);
  line["response"] = "";
  if (!result.plan.empty()) {
    line["thinking"] = result.plan;
  }
  line["done"] = true;
  line["done_reason"] = FinishReasonName(result.finish_reason);
  line["image"] = EncodeBase64(EncodeResult(result, settings_.recipe));
  line["width"] = result.picture.width;
  line["height"] = result.picture.height;
  line["seed"] = result.seed;
  line["total_duration"] = Nanoseconds(std::chrono::steady_clock::now() - settings_.received);
  line["load_duration"] = Nanoseconds(settings_.submitted - settings_.received);
  if (settings_.stream) {
    SendLine(*reply_, line, /*last=*/true);
  } else {
    reply_->Send(200, kJsonType, DumpJson(line));
  }
}

}  // namespace bagel::api

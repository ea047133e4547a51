#include "api/images_call.h"

#include <algorithm>
#include <utility>

#include "api/api_error.h"
#include "api/generate_call.h"
#include "api/pictures.h"
#include "formats/base64.h"

namespace bagel::api {
namespace {

using nlohmann::ordered_json;

std::string SizeText(PictureSize size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

ordered_json ErrorObject(const Error& error) {
  const int status = StatusOf(error);
  const char* const type = status == 404                   ? "not_found_error"
                           : status >= 400 && status < 500 ? "invalid_request_error"
                                                           : "api_error";
  return {{"error",
           {{"message", error.what()}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}};
}

}  // namespace

void SendOpenAiError(http::HttpReply& reply, const Error& error) {
  const std::string body = DumpJson(ErrorObject(error));
  if (reply.started()) {
    reply.Write("event: error\ndata: " + body + "\n\n");
    reply.End();
    return;
  }
  // Clients repeat what failed with 5xx by themselves; a picture is too much work for that.
  const int status = StatusOf(error);
  std::string headers = "x-should-retry: false\r\n";
  if (status == 503) {
    headers += "Retry-After: 10\r\n";
  }
  reply.Send(status, kJsonType, body, headers);
}

ImagesCall::ImagesCall(Engine& engine, std::shared_ptr<http::HttpReply> reply,
                       PictureRequest request, Settings settings, http::BudgetShare pictures)
    : engine_(engine),
      reply_(std::move(reply)),
      request_(std::move(request)),
      settings_(std::move(settings)),
      pictures_(std::move(pictures)) {}

void ImagesCall::Start() {
  Submit();
  reply_->OnCancel([self = shared_from_this()] { self->Cancel(); });
}

void ImagesCall::Submit() {
  partials_ = 0;
  // Events may come before SubmitPicture returns: they wait for the lock where they need the job.
  const std::lock_guard lock(mutex_);
  const bool is_last = done_ + 1 == settings_.count;
  job_ = engine_.SubmitPicture(
      is_last ? std::move(request_) : request_,
      [self = shared_from_this()](const PictureEvent& event) { self->On(event); });
  if (cancelled_) {
    job_->Cancel();
  }
}

void ImagesCall::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  job_->Cancel();
}

void ImagesCall::On(const PictureEvent& event) {
  try {
    if (const auto* progress = std::get_if<PictureProgress>(&event)) {
      OnProgress(*progress);
    } else if (const auto* result = std::get_if<PictureResult>(&event)) {
      OnResult(*result);
    } else {
      throw std::get<Error>(event);
    }
  } catch (const Error& error) {
    SendOpenAiError(*reply_, error);
  }
}

// Previews are spread evenly over the moves.
void ImagesCall::OnProgress(const PictureProgress& progress) {
  if (!settings_.stream) {
    return;
  }
  if (progress.preview.width > 0) {
    ordered_json event = Described({progress.preview.width, progress.preview.height});
    event["b64_json"] = EncodeBase64(EncodePng(progress.preview));
    event["output_format"] = PictureFormatName(PictureFormat::kPng);
    event["partial_image_index"] = partials_++;
    SendEvent("partial_image", std::move(event));
  }
  const int next = progress.moves * (partials_ + 1) / (settings_.partial_images + 1);
  if (partials_ < settings_.partial_images && progress.moves_done + 1 >= next) {
    const std::lock_guard lock(mutex_);
    job_->AskPreview();
  }
}

void ImagesCall::OnResult(const PictureResult& result) {
  if (result.finish_reason == FinishReason::kCancelled) {
    throw ApiError(499, "request canceled");
  }
  const std::string encoded = Encode(result);
  ordered_json last = Described({result.picture.width, result.picture.height});
  const int64_t output = result.latent_tokens, input = result.prompt_tokens;
  last["usage"] = {
      {"input_tokens", input}, {"output_tokens", output}, {"total_tokens", input + output}};
  last["seed"] = result.seed;
  if (settings_.stream) {
    ordered_json event = last;
    event["b64_json"] = encoded;
    SendEvent("completed", std::move(event));
  } else {
    ordered_json item = {{"seed", result.seed}};
    if (settings_.as_url) {
      item["url"] =
          std::string("data:image/") + PictureFormatName(settings_.format) + ";base64," + encoded;
    } else {
      item["b64_json"] = encoded;
    }
    data_.push_back(std::move(item));
  }
  if (++done_ == settings_.count) {
    Finish(last);
    return;
  }
  request_.seed = result.seed + 1;
  Submit();
}

void ImagesCall::Finish(const ordered_json& last) {
  if (settings_.stream) {
    reply_->End();
    return;
  }
  ordered_json answer = {{"created", created_}, {"data", std::move(data_)}};
  for (const char* key : {"size", "output_format", "background", "quality", "usage"}) {
    answer[key] = last.at(key);
  }
  reply_->Send(200, kJsonType, DumpJson(answer));
}

// In base64.
std::string ImagesCall::Encode(const PictureResult& result) const {
  switch (settings_.format) {
    case PictureFormat::kJpeg:
      return EncodeBase64(EncodeJpeg(result.picture, std::max(1, settings_.quality)));
    case PictureFormat::kWebp:
      return EncodeBase64(EncodeWebp(result.picture, settings_.quality));
    case PictureFormat::kPng:
      break;
  }
  return EncodeBase64(EncodeResult(result, settings_.recipe));
}

ordered_json ImagesCall::Described(PictureSize size) const {
  return {{"created_at", created_},
          {"size", SizeText(size)},
          {"quality", "high"},
          {"background", "opaque"},
          {"output_format", PictureFormatName(settings_.format)}};
}

void ImagesCall::SendEvent(const std::string& kind, ordered_json event) {
  const std::string type = settings_.event_stem + "." + kind;
  event["type"] = type;
  reply_->Begin(200, "text/event-stream");
  reply_->Write("event: " + type + "\ndata: " + DumpJson(event) + "\n\n");
}

}  // namespace bagel::api

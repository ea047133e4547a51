#include "api/generate_call.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "api/api_error.h"
#include "api/go_text.h"
#include "api/ollama.h"

namespace bagel::api {
namespace {

using nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr std::string_view kSpace = " \t\r\n\v\f";

std::string Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos
             ? std::string()
             : std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

int64_t MillisecondsToNanoseconds(double milliseconds) {
  return std::max<int64_t>(1, static_cast<int64_t>(milliseconds * 1e6));
}

}  // namespace

int64_t Nanoseconds(steady_clock::duration duration) {
  return std::max<int64_t>(1,
                           std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

std::string DumpJson(const ordered_json& json) {
  return json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

std::string TextTrimmer::Push(std::string_view piece) {
  const std::size_t last = piece.find_last_not_of(kSpace);
  if (last == std::string_view::npos) {
    if (begun_) {
      held_ += piece;
    }
    return {};
  }
  const std::size_t first = begun_ ? 0 : piece.find_first_not_of(kSpace);
  std::string shown = std::exchange(held_, std::string(piece.substr(last + 1)));
  shown += piece.substr(first, last + 1 - first);
  begun_ = true;
  return shown;
}

GenerateCall::GenerateCall(std::shared_ptr<http::HttpReply> reply, Settings settings,
                           http::BudgetShare pictures)
    : reply_(std::move(reply)), settings_(std::move(settings)), pictures_(std::move(pictures)) {}

void GenerateCall::On(const Event& event) {
  if (const auto* piece = std::get_if<TextPiece>(&event)) {
    OnPiece(*piece);
  } else if (const auto* result = std::get_if<TextResult>(&event)) {
    OnResult(*result);
  } else if (const auto* error = std::get_if<Error>(&event)) {
    OnError(*error);
  }
}

ordered_json AnswerLine(const std::string& model) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {{"model", model},
          {"created_at",
           FormatTime(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())}};
}

ordered_json GenerateCall::Line() const { return AnswerLine(settings_.model); }

void GenerateCall::OnPiece(const TextPiece& piece) {
  if (!settings_.stream) {
    return;
  }
  const std::string text = (piece.thinking ? thinking_ : text_).Push(piece.text);
  if (text.empty()) {
    return;
  }
  ordered_json line = Line();
  line["response"] = piece.thinking ? "" : text;
  if (piece.thinking) {
    line["thinking"] = text;
  }
  line["done"] = false;
  SendLine(*reply_, line, /*last=*/false);
}

void GenerateCall::OnResult(const TextResult& result) {
  if (result.finish_reason == FinishReason::kCancelled) {
    OnError(ApiError(499, "request canceled"));
    return;
  }
  ordered_json line = Line();
  line["response"] = settings_.stream ? "" : Trim(result.text);
  const std::string thinking = settings_.stream ? "" : Trim(result.thinking);
  if (!thinking.empty()) {
    line["thinking"] = thinking;
  }
  line["done"] = true;
  line["done_reason"] = FinishReasonName(result.finish_reason);
  if (settings_.with_context) {
    line["context"] = result.ids;
  }
  line["total_duration"] = Nanoseconds(steady_clock::now() - settings_.received);
  line["load_duration"] = Nanoseconds(settings_.submitted - settings_.received);
  line["prompt_eval_count"] = std::max<int64_t>(1, result.prompt_tokens);
  line["prompt_eval_duration"] = MillisecondsToNanoseconds(result.prefill_ms);
  line["eval_count"] = std::max<int64_t>(1, result.generated_tokens);
  line["eval_duration"] = MillisecondsToNanoseconds(result.decode_ms);
  if (settings_.stream) {
    SendLine(*reply_, line, /*last=*/true);
  } else {
    reply_->Send(200, kJsonType, DumpJson(line));
  }
}

void GenerateCall::OnError(const Error& error) { SendError(*reply_, error); }

void SendLine(http::HttpReply& reply, const ordered_json& line, bool last) {
  reply.Begin(200, "application/x-ndjson");
  reply.Write(DumpJson(line) + "\n");
  if (last) {
    reply.End();
  }
}

void SendError(http::HttpReply& reply, const Error& error) {
  if (reply.started()) {
    reply.Write(ErrorBody(error.what()) + "\n");
    reply.End();
  } else {
    reply.Send(StatusOf(error), kJsonType, ErrorBody(error.what()));
  }
}

}  // namespace bagel::api

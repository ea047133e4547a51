// One running /api/generate: the engine's events become Ollama's lines.
#ifndef BAGEL_API_GENERATE_CALL_H_
#define BAGEL_API_GENERATE_CALL_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/request.h"
#include "http/budget.h"
#include "http/http_reply.h"

namespace bagel::api {

// JSON in ASCII alone: some clients split lines at U+0085 and U+2028.
std::string DumpJson(const nlohmann::ordered_json& json);

inline constexpr std::string_view kJsonType = "application/json; charset=utf-8";

// Drops white space from both ends of a text that arrives in pieces.
class TextTrimmer {
 public:
  // What of the text so far can be shown now and was not before.
  std::string Push(std::string_view piece);

 private:
  bool begun_ = false;
  std::string held_;  // white space that counts once something follows
};

class GenerateCall {
 public:
  struct Settings {
    std::string model;  // as the client wrote it
    bool stream = true;
    bool with_context = true;
    std::chrono::steady_clock::time_point received;
    std::chrono::steady_clock::time_point submitted;
  };

  GenerateCall(std::shared_ptr<http::HttpReply> reply, Settings settings,
               http::BudgetShare pictures);

  // Called for each event in turn.
  void On(const Event& event);

 private:
  void OnPiece(const TextPiece& piece);
  void OnResult(const TextResult& result);
  void OnError(const Error& error);
  nlohmann::ordered_json Line() const;

  const std::shared_ptr<http::HttpReply> reply_;
  const Settings settings_;
  const http::BudgetShare pictures_;
  TextTrimmer text_;
  TextTrimmer thinking_;
};

// A line of a streamed answer, which begins with the first one.
void SendLine(http::HttpReply& reply, const nlohmann::ordered_json& line, bool last);

// Never 0: clients divide by durations, and Go leaves zeros out.
int64_t Nanoseconds(std::chrono::steady_clock::duration duration);

// Answers with the error's status and text, or, when a stream has begun, with a last line of it.
void SendError(http::HttpReply& reply, const Error& error);

// The object every line of an answer starts with: model and created_at.
nlohmann::ordered_json AnswerLine(const std::string& model);

}  // namespace bagel::api

#endif  // BAGEL_API_GENERATE_CALL_H_

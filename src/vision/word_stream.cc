#include "vision/word_stream.h"

#include <chrono>
#include <utility>

#include "base/utf8.h"
#include "vision/line_reader.h"
#include "vision/stopwatch.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLargestAnswer = size_t{64} << 10;  // bytes of words

// A request that another server would refuse as well is the asker's mistake.
ErrorKind KindOfStatus(int status) {
  return status == 400 || status == 413 || status == 422 ? ErrorKind::kInvalidArgument
                                                         : ErrorKind::kUnavailable;
}

}  // namespace

ModelAnswer StreamWords(const HttpCall& call, const std::string& model, const LineParser& parse,
                        const std::function<void(std::string_view)>& on_word,
                        const std::function<bool()>& stop) {
  const Clock::time_point begin = Clock::now();
  ModelAnswer answer;
  answer.model = model;
  answer.server = ShownUrl(call.url);
  bool done = false;
  LineReader lines([&](std::string_view line) {
    const std::optional<StreamedWords> part = done ? std::nullopt : parse(line);
    if (!part) return;
    done = part->done;
    if (part->words.empty()) return;
    if (answer.text.empty()) answer.first_word_ms = MillisecondsSince(begin);
    answer.text += part->words;
    if (answer.text.size() > kLargestAnswer)
      throw Error(ErrorKind::kTooLarge, answer.server + " does not stop to answer");
    if (on_word) on_word(part->words);
  });
  try {
    const HttpAnswer reply = Send(
        call, [&](std::string_view piece) { lines.Push(piece); }, stop);
    if (reply.status != 200)
      throw Error(KindOfStatus(reply.status), answer.server + " answers with status " +
                                                  std::to_string(reply.status) + ": " +
                                                  ErrorText(reply.body));
    lines.Finish();
    if (!done)
      throw Error(ErrorKind::kUnavailable, answer.server + " ended in the middle of its answer");
  } catch (const Error& error) {
    if (!answer.text.empty()) throw BrokenAnswer(error);
    throw;
  }
  answer.text = ReplaceInvalidUtf8(answer.text);
  answer.total_ms = MillisecondsSince(begin);
  return answer;
}

std::string TextAt(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string ErrorText(const std::string& body) {
  constexpr size_t kLongest = 300;
  const Json json = Json::parse(body, nullptr, false);
  std::string text = TextAt(json, "error");
  if (json.is_object() && json.contains("error") && json["error"].is_object())
    text = TextAt(json["error"], "message");
  if (json.is_discarded()) text = body;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return ReplaceInvalidUtf8(WithoutControlBytes(text, false));
}

}  // namespace bagel::vision

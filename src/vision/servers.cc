#include "vision/servers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/base64.h"
#include "formats/json.h"
#include "vision/http_client.h"
#include "vision/line_reader.h"

namespace bagel::vision {
namespace {

using Clock = std::chrono::steady_clock;

// How long a server that failed is asked last.
constexpr std::chrono::seconds kRest{5};
constexpr std::chrono::milliseconds kHealthPatience{3'000};
constexpr size_t kLargestAnswer = size_t{64} << 10;  // bytes of text
constexpr size_t kLargestStream = size_t{16} << 20;
constexpr size_t kMostModels = 1000;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A server's own words about an error, cut to a sentence's length.
std::string ErrorText(const HttpAnswer& answer) {
  const Json body = Json::parse(answer.body, nullptr, false);
  std::string text = TextOf(body, "error");
  if (text.empty()) text = answer.body;
  constexpr size_t kLongest = 300;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return ReplaceInvalidUtf8(text);
}

// A request that another server would refuse as well is the asker's mistake.
ErrorKind KindOfStatus(int status) {
  return status == 400 || status == 413 || status == 422 ? ErrorKind::kInvalidArgument
                                                         : ErrorKind::kUnavailable;
}

std::string RequestBody(const Question& question, const std::string& model) {
  Json body = {{"model", model},
               {"prompt", question.prompt},
               {"stream", true},
               {"options",
                {{"temperature", question.temperature}, {"num_predict", question.max_tokens}}}};
  if (!question.jpeg.empty())
    body["images"] = {EncodeBase64(std::as_bytes(std::span(question.jpeg)))};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Collects the words of a streamed answer.
class WordCollector {
 public:
  WordCollector(std::string server, const std::function<void(std::string_view)>& on_word)
      : server_(std::move(server)), on_word_(on_word) {}

  void Line(std::string_view line) {
    if (done_) return;
    const Json part = Json::parse(line, nullptr, false);
    if (!part.is_object())
      throw Error(ErrorKind::kUnavailable, server_ + " answers with what is not JSON");
    if (const std::string error = TextOf(part, "error"); !error.empty())
      throw Error(ErrorKind::kUnavailable, server_ + ": " + error.substr(0, 300));
    const std::string words = TextOf(part, "response");
    if (!words.empty()) {
      if (text_.empty()) first_word_ms_ = MillisecondsSince(begin_);
      text_ += words;
      if (text_.size() > kLargestAnswer)
        throw Error(ErrorKind::kTooLarge, server_ + " does not stop to answer");
      if (on_word_) on_word_(words);
    }
    const auto done = part.find("done");
    done_ = done != part.end() && done->is_boolean() && done->get<bool>();
  }

  bool started() const { return !text_.empty(); }
  bool done() const { return done_; }
  const std::string& text() const { return text_; }
  double first_word_ms() const { return first_word_ms_; }

 private:
  const std::string server_;
  const std::function<void(std::string_view)>& on_word_;
  const Clock::time_point begin_ = Clock::now();
  std::string text_;
  double first_word_ms_ = 0;
  bool done_ = false;
};

// An error after words have gone out: no other server may be asked then.
struct Broken {
  Error error;
};

}  // namespace

Servers::Servers(std::vector<std::string> urls, ServersOptions options)
    : options_(std::move(options)) {
  if (urls.empty()) throw Error(ErrorKind::kInvalidArgument, "no vision server was named");
  for (std::string& url : urls)
    servers_.push_back({CheckedServerUrl(std::move(url)), options_.model, 0, {}});
}

Servers::Health Servers::CheckOne(const Server& server) const {
  Health health;
  health.url = ShownUrl(server.url);
  HttpCall call;
  call.url = server.url + "/api/tags";
  call.limits.connect = options_.connect;
  call.limits.first_byte = call.limits.total = kHealthPatience;
  if (!options_.api_key.empty()) call.headers = {"Authorization: Bearer " + options_.api_key};
  const Clock::time_point begin = Clock::now();
  try {
    const HttpAnswer answer = Send(call);
    health.ms = MillisecondsSince(begin);
    if (answer.status != 200)
      throw Error(ErrorKind::kUnavailable, health.url + " answers with status " +
                                               std::to_string(answer.status) + ": " +
                                               ErrorText(answer));
    const Json tags = Json::parse(answer.body, nullptr, false);
    const auto models = tags.is_object() ? tags.find("models") : tags.end();
    if (models == tags.end() || !models->is_array())
      throw Error(ErrorKind::kUnavailable, health.url + " does not speak Ollama's API");
    for (const Json& model : *models) {
      if (std::string name = TextOf(model, "name"); !name.empty()) health.models.push_back(name);
      if (health.models.size() == kMostModels) break;
    }
    health.up = true;
  } catch (const Error& error) {
    health.problem = error.what();
  }
  return health;
}

std::vector<Servers::Health> Servers::CheckHealth() {
  std::vector<Server> servers;
  {
    std::lock_guard lock(mutex_);
    servers = servers_;
  }
  std::vector<Health> healths;
  for (const Server& server : servers) healths.push_back(CheckOne(server));
  return healths;
}

// The model to ask for; without one on the command line, the first that the server lists.
std::string Servers::ModelOf(Server& server) {
  Server copy;
  {
    std::lock_guard lock(mutex_);
    if (!server.model.empty()) return server.model;
    copy = server;
  }
  const Health health = CheckOne(copy);
  if (!health.up) throw Error(ErrorKind::kUnavailable, health.problem);
  if (health.models.empty())
    throw Error(ErrorKind::kUnavailable, health.url + " has no model to ask");
  std::lock_guard lock(mutex_);
  return server.model = health.models.front();
}

// The index of the server to ask next, counted as running from now on.
size_t Servers::Begin(const std::vector<bool>& tried) {
  std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  size_t best = servers_.size();
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (tried[i]) continue;
    const auto key = [&](const Server& s) { return std::pair(s.down_until > now, s.running); };
    if (best == servers_.size() || key(servers_[i]) < key(servers_[best])) best = i;
  }
  ++servers_[best].running;
  return best;
}

ModelAnswer Servers::AskOne(Server& server, const Question& question,
                            const std::function<void(std::string_view)>& on_word,
                            const std::function<bool()>& stop) {
  const std::string shown = ShownUrl(server.url), model = ModelOf(server);
  HttpCall call;
  call.method = "POST";
  call.url = server.url + "/api/generate";
  call.body = RequestBody(question, model);
  call.limits = {options_.connect, options_.first_word, options_.idle, options_.total,
                 kLargestStream};
  if (!options_.api_key.empty()) call.headers = {"Authorization: Bearer " + options_.api_key};
  const Clock::time_point begin = Clock::now();
  WordCollector words(shown, on_word);
  LineReader lines([&](std::string_view line) { words.Line(line); });
  try {
    const HttpAnswer answer = Send(
        call, [&](std::string_view piece) { lines.Push(piece); }, stop);
    if (answer.status != 200)
      throw Error(KindOfStatus(answer.status), shown + " answers with status " +
                                                   std::to_string(answer.status) + ": " +
                                                   ErrorText(answer));
    lines.Finish();
    if (!words.done())
      throw Error(ErrorKind::kUnavailable, shown + " ended in the middle of its answer");
  } catch (const Error& error) {
    if (words.started()) throw Broken{error};
    throw;
  }
  return {ReplaceInvalidUtf8(words.text()), model, shown, words.first_word_ms(),
          MillisecondsSince(begin)};
}

ModelAnswer Servers::Ask(const Question& question,
                         const std::function<void(std::string_view)>& on_word,
                         const std::function<bool()>& stop) {
  std::vector<bool> tried(servers_.size());
  std::string reasons;
  for (size_t count = 0; count < tried.size(); ++count) {
    const size_t index = Begin(tried);
    tried[index] = true;
    Server& server = servers_[index];
    const auto end = [&](bool failed) {
      std::lock_guard lock(mutex_);
      --server.running;
      server.down_until = failed ? Clock::now() + kRest : Clock::time_point();
    };
    try {
      ModelAnswer answer = AskOne(server, question, on_word, stop);
      end(false);
      return answer;
    } catch (const Broken& broken) {
      end(true);
      throw broken.error;
    } catch (const Error& error) {
      const bool unavailable =
          error.kind() == ErrorKind::kUnavailable || error.kind() == ErrorKind::kTooLarge;
      end(unavailable);
      if (!unavailable) throw;
      reasons += (reasons.empty() ? "" : "; ") + std::string(error.what());
    } catch (...) {
      end(false);
      throw;
    }
  }
  throw Error(ErrorKind::kUnavailable, reasons);
}

}  // namespace bagel::vision

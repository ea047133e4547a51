#include "vision/servers.h"

#include <future>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "formats/base64.h"
#include "formats/json.h"
#include "vision/http_client.h"
#include "vision/stopwatch.h"

namespace bagel::vision {
namespace {

using Clock = std::chrono::steady_clock;

// How long a server that failed is asked last.
constexpr std::chrono::seconds kRest{5};
constexpr std::chrono::milliseconds kHealthPatience{3'000};
constexpr size_t kLargestStream = size_t{16} << 20;
constexpr size_t kMostModels = 1000;

std::string RequestBody(const Question& question, const std::string& model) {
  Json body = {
      {"model", model},
      {"prompt", question.prompt},
      {"stream", true},
      {"options", {{"temperature", question.temperature}, {"num_predict", question.max_tokens}}}};
  if (!question.jpeg.empty())
    body["images"] = {EncodeBase64(std::as_bytes(std::span(question.jpeg)))};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A line of Ollama's /api/generate.
std::optional<StreamedWords> ParseLine(std::string_view line, const std::string& server) {
  const Json part = Json::parse(line, nullptr, false);
  if (!part.is_object())
    throw Error(ErrorKind::kUnavailable, server + " answers with what is not JSON");
  if (part.contains("error"))
    throw Error(ErrorKind::kUnavailable, server + ": " + ErrorText(std::string(line)));
  const auto done = part.find("done");
  return StreamedWords{TextAt(part, "response"),
                       done != part.end() && done->is_boolean() && done->get<bool>()};
}

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
    health.status = answer.status;
    if (answer.status != 200)
      throw Error(ErrorKind::kUnavailable, health.url + " answers with status " +
                                               std::to_string(answer.status) + ": " +
                                               ErrorText(answer.body));
    const Json tags = Json::parse(answer.body, nullptr, false);
    const auto models = tags.is_object() ? tags.find("models") : tags.end();
    if (models == tags.end() || !models->is_array())
      throw Error(ErrorKind::kUnavailable, health.url + " does not speak Ollama's API");
    for (const Json& model : *models) {
      if (std::string name = TextAt(model, "name"); !name.empty()) health.models.push_back(name);
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
  std::vector<std::future<Health>> asked;
  for (const Server& server : servers) {
    asked.push_back(std::async(std::launch::async, [this, &server] { return CheckOne(server); }));
  }
  std::vector<Health> healths;
  for (std::future<Health>& health : asked) healths.push_back(health.get());
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
  ModelAnswer answer = StreamWords(
      call, model, [&](std::string_view line) { return ParseLine(line, shown); }, on_word, stop);
  answer.server = shown;
  return answer;
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
      if (failed) server.model = options_.model;  // it may come back with another one
    };
    try {
      ModelAnswer answer = AskOne(server, question, on_word, stop);
      end(false);
      return answer;
    } catch (const BrokenAnswer& broken) {
      end(broken.kind() != ErrorKind::kCancelled);
      throw;
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

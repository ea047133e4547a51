// Vision servers that speak Ollama's API: bagel serve, or Ollama with a model that sees.
#ifndef BAGEL_VISION_SERVERS_H_
#define BAGEL_VISION_SERVERS_H_

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vision/word_stream.h"

namespace bagel::vision {

struct ServersOptions {
  std::string model;    // empty = whatever each server serves first
  std::string api_key;  // sent as "Authorization: Bearer ..." unless empty
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds first_word{60'000};
  std::chrono::milliseconds idle{30'000};  // between two words
  std::chrono::milliseconds total{120'000};
};

struct Question {
  std::string prompt;
  std::string jpeg;  // bytes of a picture file; empty = none
  double temperature = 0.3;
  int max_tokens = 150;
};

// A list of servers that do the same. Thread-safe.
class Servers {
 public:
  // Throws kInvalidArgument for an empty list or for what is not a URL.
  Servers(std::vector<std::string> urls, ServersOptions options);

  // Asks the least busy server that is up, the next one if that fails before its first word. Words
  // go to `on_word` as they come. `stop` as in Send. Throws kUnavailable with every server's reason
  // when none answers, what a server said for a request that it refuses.
  ModelAnswer Ask(const Question& question,
                  const std::function<void(std::string_view words)>& on_word = nullptr,
                  const std::function<bool()>& stop = nullptr);

  struct Health {
    std::string url;
    bool up = false;
    int status = 0;       // of its answer, 0 without one
    std::string problem;  // why it is not up
    double ms = 0;
    std::vector<std::string> models;
  };
  // Asks all servers at once for their models, for three seconds at most.
  std::vector<Health> CheckHealth();

  const ServersOptions& options() const { return options_; }

 private:
  struct Server {
    std::string url;
    std::string model;  // once known
    int running = 0;
    std::chrono::steady_clock::time_point down_until;
  };
  Health CheckOne(const Server& server) const;
  std::string ModelOf(Server& server);
  size_t Begin(const std::vector<bool>& tried);
  ModelAnswer AskOne(Server& server, const Question& question,
                     const std::function<void(std::string_view)>& on_word,
                     const std::function<bool()>& stop);

  const ServersOptions options_;
  std::mutex mutex_;
  std::vector<Server> servers_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_SERVERS_H_

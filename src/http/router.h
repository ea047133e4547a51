// Which function answers which method and path.
#ifndef BAGEL_HTTP_ROUTER_H_
#define BAGEL_HTTP_ROUTER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/http_message.h"
#include "http/http_reply.h"

namespace bagel::http {

// Answers through the reply, now or later from another thread.
using Handler = std::function<void(HttpRequest request, std::shared_ptr<HttpReply> reply)>;

enum class Work {
  kLight,  // runs on the connection's thread: microseconds
  kHeavy,  // runs on the server's workers: decoding
};

struct Route {
  std::string method;
  std::string path;
  Work work;
  Handler handler;
};

class Router {
 public:
  void Add(std::string method, std::string path, Work work, Handler handler);

  struct Match {
    const Route* route = nullptr;  // null: nothing answers here
    bool path_known = false;       // but another method would be answered
  };
  Match Find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace bagel::http

#endif  // BAGEL_HTTP_ROUTER_H_

// An HTTP/1.1 server for hostile networks: sockets, limits and deadlines. It knows nothing of JSON.
#ifndef BAGEL_HTTP_HTTP_SERVER_H_
#define BAGEL_HTTP_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/http_guard.h"
#include "http/http_message.h"
#include "http/router.h"

namespace bagel::http {

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or a name of this machine
  uint16_t port = 8095;            // 0 = any free one
  int threads = 2;                 // for sockets
  int workers = 2;                 // for heavy handlers
  HttpLimits limits;
  GuardOptions guard;
  // The body of an error of the server's own (too large, busy), and its type.
  std::function<std::string(std::string_view message)> error_body;
  std::string error_type = "application/json; charset=utf-8";
  // Called once when the server begins to stop, so that endless replies end. It may not wait.
  std::function<void()> on_stop;
};

class HttpServer {
 public:
  // Listens and starts to answer. Throws kInvalidArgument for a host that cannot be resolved and
  // kUnavailable if the port cannot be had.
  HttpServer(ServerOptions options, Router router);
  ~HttpServer();  // stops at once
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  int connections() const;
  int64_t buffered_bytes() const;  // of request bodies at this moment

  // From now on SIGINT and SIGTERM call Stop, and a second one ends the process with status 130.
  void StopOnSignals();

  // Accepts nothing more, closes connections without a whole request, and lets the others finish
  // until the drain deadline. Thread-safe; returns at once.
  void Stop();

  // Returns when the server has stopped and its last connection is closed.
  void Wait();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace bagel::http

#endif  // BAGEL_HTTP_HTTP_SERVER_H_

// One client's connection: requests in, replies out, everything under a deadline.
#ifndef BAGEL_HTTP_HTTP_CONNECTION_H_
#define BAGEL_HTTP_HTTP_CONNECTION_H_

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "http/budget.h"
#include "http/http_reply.h"
#include "http/http_server.h"
#include "http/router.h"

namespace bagel::http {

// What all connections of a server share; it outlives them.
struct ServerContext {
  ServerOptions options;
  Router router;
  std::shared_ptr<Budget> budget;
  boost::asio::thread_pool* workers;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The socket's executor is a strand of its own.
  Connection(const ServerContext& context, boost::asio::ip::tcp::socket socket);

  // Answers requests until one side has enough.
  boost::asio::awaitable<void> Run();

  // Thread-safe. Polite: close now if no request is being answered, else after this one. Forced:
  // cancel the request and close.
  void Stop(bool force);

  bool receiving() const { return receiving_; }  // no whole request is there to be answered

 private:
  using Body = boost::beast::http::string_body;
  using Parser = boost::beast::http::request_parser<Body>;
  using Message = Parser::value_type;

  boost::asio::awaitable<bool> ReadHeader(Parser& parser);
  boost::asio::awaitable<int> ReadBody(Parser& parser, BudgetShare& share);
  boost::asio::awaitable<bool> Answer(Parser& parser);
  boost::asio::awaitable<bool> SendReply(std::shared_ptr<HttpReply> reply);
  boost::asio::awaitable<bool> WriteAll(std::string bytes);
  boost::asio::awaitable<void> Refuse(int status);
  boost::asio::awaitable<void> CloseAfterReply();

  int Gate(const Message& message, HttpReply::Frame& frame, const Route** route) const;
  std::shared_ptr<HttpReply> NewReply(HttpReply::Frame frame);
  void Dispatch(const Route& route, Message message, BudgetShare share,
                const std::shared_ptr<HttpReply>& reply);
  void SetDeadline(std::chrono::milliseconds deadline);
  void Log(std::string_view method, std::string_view target, int status) const;

  const ServerContext& context_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer wake_;
  std::shared_ptr<HttpReply> reply_;  // of the request in progress
  std::string local_address_;
  std::chrono::steady_clock::time_point received_;
  std::atomic<bool> receiving_{true};
  bool stopping_ = false;
};

}  // namespace bagel::http

#endif  // BAGEL_HTTP_HTTP_CONNECTION_H_

#include "http/http_server.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/http_connection.h"

namespace bagel::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};  // when no descriptor is free

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<HttpServer::Impl> {
 public:
  Impl(ServerOptions options, Router router);
  void Listen();
  void Start();
  void Shutdown();  // stops at once and ends the threads
  void Stop();
  void StopOnSignals();
  void Wait();
  uint16_t port() const { return port_; }
  int connections();
  int64_t buffered_bytes() const { return context_.budget->used(); }

 private:
  asio::awaitable<void> Accept();
  void Serve(tcp::socket socket);
  bool EvictReceiving();
  void RefuseBusy(tcp::socket socket);
  void ForEach(const std::function<void(Connection&)>& action);
  void WaitForSignal(bool again);

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  asio::strand<asio::io_context::executor_type> strand_{asio::make_strand(io_)};
  tcp::acceptor acceptor_{strand_};
  asio::steady_timer pause_{strand_};
  asio::steady_timer drain_{strand_};
  asio::signal_set signals_{strand_};
  asio::thread_pool workers_;
  ServerContext context_;
  uint16_t port_ = 0;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::weak_ptr<Connection>> connections_;
  bool stopping_ = false;
  bool accepting_ = false;
};

HttpServer::Impl::Impl(ServerOptions options, Router router)
    : workers_(static_cast<std::size_t>(std::max(1, options.workers))),
      context_{std::move(options), std::move(router), nullptr, &workers_} {
  context_.budget = std::make_shared<Budget>(context_.options.limits.total_bytes);
}

void HttpServer::Impl::Listen() {
  const ServerOptions& options = context_.options;
  error_code error;
  tcp::resolver resolver(io_);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "cannot resolve host \"" + options.host + "\": " + error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    throw Error(ErrorKind::kUnavailable, "cannot listen on " + options.host + ":" +
                                             std::to_string(options.port) + ": " + error.message());
  }
  port_ = acceptor_.local_endpoint().port();
}

void HttpServer::Impl::Start() {
  accepting_ = true;
  asio::co_spawn(
      strand_, [self = shared_from_this()] { return self->Accept(); },
      [self = shared_from_this()](const std::exception_ptr&) {
        const std::lock_guard lock(self->mutex_);
        self->accepting_ = false;
        self->changed_.notify_all();
      });
  for (int i = 0; i < std::max(1, context_.options.threads); ++i) {
    threads_.emplace_back([this] { io_.run(); });
  }
}

asio::awaitable<void> HttpServer::Impl::Accept() {
  while (acceptor_.is_open()) {
    error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(
        asio::make_strand(io_), asio::redirect_error(asio::use_awaitable, error));
    if (!acceptor_.is_open()) {
      co_return;
    }
    if (error) {
      spdlog::warn("accepting a connection failed: {}", error.message());
      pause_.expires_after(kAcceptPause);
      co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    } else if (connections() < context_.options.limits.connections || EvictReceiving()) {
      Serve(std::move(socket));
    } else {
      RefuseBusy(std::move(socket));
    }
  }
}

void HttpServer::Impl::Serve(tcp::socket socket) {
  const auto executor = socket.get_executor();
  auto connection = std::make_shared<Connection>(context_, std::move(socket));
  std::list<std::weak_ptr<Connection>>::iterator entry;
  {
    const std::lock_guard lock(mutex_);
    entry = connections_.insert(connections_.end(), connection);
  }
  asio::co_spawn(
      executor, [connection] { return connection->Run(); },
      [self = shared_from_this(), connection, entry](const std::exception_ptr& failure) {
        if (failure) {
          spdlog::error("a connection ended with an exception");
        }
        const std::lock_guard lock(self->mutex_);
        self->connections_.erase(entry);
        self->changed_.notify_all();
      });
}

// Closes the connection that came first among those that have no whole request to be answered, so
// that slow senders cannot keep others out.
bool HttpServer::Impl::EvictReceiving() {
  const std::lock_guard lock(mutex_);
  for (const std::weak_ptr<Connection>& entry : connections_) {
    const std::shared_ptr<Connection> connection = entry.lock();
    if (connection && connection->receiving()) {
      connection->Stop(false);
      return true;
    }
  }
  return false;
}

void HttpServer::Impl::RefuseBusy(tcp::socket socket) {
  const ServerOptions& options = context_.options;
  HttpReply::Frame frame;
  frame.keep_alive = false;
  HttpReply reply(std::move(frame), options.limits.unsent_bytes, nullptr);
  reply.Send(503, options.error_type,
             options.error_body("server busy, please try again.  too many connections"));
  const std::string bytes = reply.Take().bytes;
  error_code error;
  socket.non_blocking(true, error);
  socket.write_some(asio::buffer(bytes), error);
  socket.shutdown(tcp::socket::shutdown_send, error);
  socket.close(error);
}

void HttpServer::Impl::ForEach(const std::function<void(Connection&)>& action) {
  const std::lock_guard lock(mutex_);
  for (const std::weak_ptr<Connection>& entry : connections_) {
    if (const std::shared_ptr<Connection> connection = entry.lock()) {
      action(*connection);
    }
  }
}

int HttpServer::Impl::connections() {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(connections_.size());
}

void HttpServer::Impl::Stop() {
  asio::post(strand_, [self = shared_from_this()] {
    {
      const std::lock_guard lock(self->mutex_);
      if (std::exchange(self->stopping_, true)) {
        return;
      }
    }
    error_code ignored;
    self->acceptor_.close(ignored);
    self->pause_.cancel();
    self->ForEach([](Connection& connection) { connection.Stop(false); });
    if (self->context_.options.on_stop) {
      self->context_.options.on_stop();
    }
    self->drain_.expires_after(self->context_.options.limits.drain_deadline);
    self->drain_.async_wait([weak = std::weak_ptr(self)](const error_code& error) {
      const std::shared_ptr<Impl> server = weak.lock();
      if (server && !error) {
        server->ForEach([](Connection& connection) { connection.Stop(true); });
      }
    });
  });
}

void HttpServer::Impl::StopOnSignals() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  asio::post(strand_, [self = shared_from_this()] { self->WaitForSignal(false); });
}

void HttpServer::Impl::WaitForSignal(bool again) {
  signals_.async_wait([weak = weak_from_this(), again](const error_code& error, int) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (error || !self) {
      return;
    }
    if (again) {
      ::_exit(130);
    }
    spdlog::info("stopping: running requests have {} s to finish; once more stops at once",
                 self->context_.options.limits.drain_deadline.count() / 1000);
    self->Stop();
    self->WaitForSignal(true);
  });
}

void HttpServer::Impl::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ && !accepting_ && connections_.empty(); });
}

void HttpServer::Impl::Shutdown() {
  Stop();
  asio::post(strand_, [self = shared_from_this()] {
    self->ForEach([](Connection& connection) { connection.Stop(true); });
  });
  Wait();
  workers_.join();
  asio::post(strand_, [self = shared_from_this()] {
    error_code ignored;
    self->drain_.cancel();
    self->signals_.cancel(ignored);
  });
  guard_.reset();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

HttpServer::HttpServer(ServerOptions options, Router router)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(router))) {
  impl_->Listen();
  impl_->Start();
}

HttpServer::~HttpServer() { impl_->Shutdown(); }

uint16_t HttpServer::port() const { return impl_->port(); }

int HttpServer::connections() const { return impl_->connections(); }

int64_t HttpServer::buffered_bytes() const { return impl_->buffered_bytes(); }

void HttpServer::StopOnSignals() { impl_->StopOnSignals(); }

void HttpServer::Stop() { impl_->Stop(); }

void HttpServer::Wait() { impl_->Wait(); }

}  // namespace bagel::http

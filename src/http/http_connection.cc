#include "http/http_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <utility>

#include "http/http_guard.h"
#include "http/socket_text.h"

namespace bagel::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kWriteSlice = 256 << 10;
constexpr std::size_t kBufferBytes = 128 << 10;
constexpr milliseconds kGonePoll{100};
constexpr milliseconds kLingerDeadline{2'000};
constexpr std::string_view kPlainType = "text/plain; charset=utf-8";

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

int StatusOfReadError(const error_code& error) {
  if (error == http::error::body_limit) {
    return 413;
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return 431;
  }
  const bool bad_bytes =
      error.category() == http::make_error_code(http::error::bad_method).category();
  return bad_bytes && error != http::error::end_of_stream && error != http::error::partial_message
             ? 400
             : 0;
}

}  // namespace

Connection::Connection(const ServerContext& context, asio::ip::tcp::socket socket)
    : context_(context),
      stream_(std::move(socket)),
      buffer_(kBufferBytes),
      wake_(stream_.get_executor()) {
  error_code error;
  const auto endpoint = stream_.socket().local_endpoint(error);
  if (!error) {
    asio::ip::address address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    local_address_ = address.to_string();
  }
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), error);
}

void Connection::SetDeadline(milliseconds deadline) { stream_.expires_after(deadline); }

void Connection::Stop(bool force) {
  asio::post(stream_.get_executor(), [self = shared_from_this(), force] {
    self->stopping_ = true;
    if (force && self->reply_) {
      self->reply_->Cancel();
    }
    if (force || self->receiving_) {
      self->stream_.close();
    }
  });
}

asio::awaitable<void> Connection::Run() {
  bool more = true;
  while (more && !stopping_) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(context_.options.limits.header_bytes));
    parser.body_limit(context_.options.limits.body_bytes);
    more = co_await ReadHeader(parser);
    if (more) {
      more = co_await Answer(parser);
    }
    receiving_ = true;
  }
  stream_.close();
}

asio::awaitable<bool> Connection::ReadHeader(Parser& parser) {
  error_code error;
  if (buffer_.size() == 0) {
    SetDeadline(context_.options.limits.idle_deadline);
    const std::size_t size = co_await stream_.async_read_some(
        buffer_.prepare(4096), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return false;
    }
    buffer_.commit(size);
  }
  received_ = steady_clock::now();
  SetDeadline(context_.options.limits.header_deadline);
  co_await http::async_read_header(stream_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
  if (!error) {
    co_return true;
  }
  const int status = StatusOfReadError(error);
  if (status != 0) {
    Log("-", "-", status);
    co_await Refuse(status);
  }
  co_return false;
}

// 0 when the body is complete, else the status of the refusal that was sent (499: nobody was
// there).
asio::awaitable<int> Connection::ReadBody(Parser& parser, BudgetShare& share) {
  const HttpLimits& limits = context_.options.limits;
  const auto end = steady_clock::now() + limits.body_deadline;
  while (!parser.is_done()) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    SetDeadline(std::clamp(left, milliseconds(1), limits.read_deadline));
    error_code error;
    co_await http::async_read_some(stream_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      const int status = StatusOfReadError(error);
      if (status != 0) {
        co_await Refuse(status);
      }
      co_return status != 0 ? status : 499;
    }
    if (!share.GrowTo(static_cast<int64_t>(parser.get().body().size()))) {
      co_await Refuse(503);
      co_return 503;
    }
  }
  co_return 0;
}

// Refuses what needs no body to be refused: returns its status, or 0 and the route. Adds to the
// frame the headers that every reply to this request carries.
int Connection::Gate(const Message& message, HttpReply::Frame& frame, const Route** route) const {
  const std::string_view host = View(message[http::field::host]);
  const std::string_view origin = View(message[http::field::origin]);
  const std::string_view target = View(message.target());
  const bool star = target == "*" && message.method() == http::verb::options;
  if (message.count(http::field::host) > 1 || (frame.http11 && host.empty()) ||
      (!target.starts_with('/') && !star)) {
    return 400;
  }
  const GuardOptions& guard = context_.options.guard;
  if (!origin.empty() && !OriginAllowed(guard, origin, host)) {
    return 403;
  }
  if (!HostAllowed(guard, host, local_address_)) {
    return 403;
  }
  if (!origin.empty()) {
    const bool preflight = message.method() == http::verb::options;
    frame.extra_headers = CorsHeaders(guard, origin, host, preflight);
    if (preflight) {
      return 204;
    }
  }
  const std::string_view expect = View(message[http::field::expect]);
  if (!expect.empty() && !beast::iequals(message[http::field::expect], "100-continue")) {
    return 417;
  }
  const std::string_view path = target.substr(0, target.find('?'));
  if (message.count(http::field::authorization) > 1 ||
      !KeyAllowed(guard, path, View(message[http::field::authorization]))) {
    frame.extra_headers += "WWW-Authenticate: Bearer\r\n";
    return 401;
  }
  const Router::Match match = context_.router.Find(View(message.method_string()), path);
  *route = match.route;
  if (match.route == nullptr) {
    return match.path_known ? 405 : 404;
  }
  return 0;
}

asio::awaitable<bool> Connection::Answer(Parser& parser) {
  HttpReply::Frame frame;
  frame.http11 = parser.get().version() >= 11;
  frame.keep_alive = frame.http11 && parser.get().keep_alive() && !stopping_;
  frame.head_only = parser.get().method() == http::verb::head;
  const std::string method(View(parser.get().method_string()));
  const std::string target(View(parser.get().target()));

  const Route* route = nullptr;
  const int refusal = Gate(parser.get(), frame, &route);
  const bool unread = refusal != 0 && !parser.is_done();
  BudgetShare share(context_.budget);
  if (refusal == 0) {
    if (frame.http11 && !parser.is_done() && buffer_.size() == 0 &&
        parser.get().count(http::field::expect) != 0) {
      const bool sent = co_await WriteAll("HTTP/1.1 100 Continue\r\n\r\n");
      if (!sent) {
        co_return false;
      }
    }
    const int failure = co_await ReadBody(parser, share);
    if (failure != 0) {
      Log(method, target, failure);
      co_return false;
    }
  } else if (unread) {
    frame.keep_alive = false;
  }

  receiving_ = false;
  const std::shared_ptr<HttpReply> reply = NewReply(std::move(frame));
  reply_ = reply;
  if (refusal != 0) {
    const std::string text = PlainText(refusal);
    reply->Send(refusal, text.empty() ? std::string_view() : kPlainType, text);
  } else {
    Dispatch(*route, parser.release(), std::move(share), reply);
  }
  bool more = co_await SendReply(reply);
  reply_.reset();
  Log(method, target, reply->cancelled() ? 499 : reply->status());
  if (more && !reply->keep_alive()) {
    co_await CloseAfterReply();
    more = false;
  }
  co_return more;
}

std::shared_ptr<HttpReply> Connection::NewReply(HttpReply::Frame frame) {
  const std::weak_ptr<Connection> weak = weak_from_this();
  auto wake = [weak, executor = stream_.get_executor()] {
    asio::post(executor, [weak] {
      const std::shared_ptr<Connection> self = weak.lock();
      if (!self) {
        return;
      }
      self->wake_.cancel();
      if (self->reply_ && self->reply_->cancelled()) {
        self->stream_.close();
      }
    });
  };
  return std::make_shared<HttpReply>(std::move(frame), context_.options.limits.unsent_bytes,
                                     std::move(wake));
}

void Connection::Dispatch(const Route& route, Message message, BudgetShare share,
                          const std::shared_ptr<HttpReply>& reply) {
  HttpRequest request;
  request.method = route.method;
  const std::string_view target = View(message.target());
  const std::size_t mark = target.find('?');
  request.path = route.path;
  request.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  request.content_type = View(message[http::field::content_type]);
  request.body = std::move(message.body());
  request.received = received_;
  request.share = std::move(share);
  auto call = [&handler = route.handler, request = std::move(request), reply,
               &options = context_.options]() mutable {
    try {
      handler(std::move(request), reply);
    } catch (const std::exception& error) {
      spdlog::error("{}", error.what());
      reply->Send(500, options.error_type, options.error_body("internal error"));
    }
  };
  if (route.work == Work::kHeavy) {
    asio::post(*context_.workers, std::move(call));
  } else {
    call();
  }
}

// Sends what handlers write until the reply has ended. False: the client is gone.
asio::awaitable<bool> Connection::SendReply(std::shared_ptr<HttpReply> reply) {
  struct Detacher {
    HttpReply& reply;
    ~Detacher() { reply.Detach(); }
  } const detacher{*reply};
  while (true) {
    HttpReply::Outgoing outgoing = reply->Take();
    if (reply->cancelled()) {
      co_return false;
    }
    const bool waiting = outgoing.bytes.empty();
    if (!waiting) {
      const bool sent = co_await WriteAll(std::move(outgoing.bytes));
      if (!sent) {
        co_return false;
      }
    }
    if (outgoing.ended) {
      co_return true;
    }
    if (PeerClosed(stream_.socket().native_handle())) {
      co_return false;
    }
    if (waiting) {
      error_code ignored;
      wake_.expires_after(kGonePoll);
      co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }
}

asio::awaitable<bool> Connection::WriteAll(std::string bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const std::size_t size = std::min(kWriteSlice, bytes.size() - sent);
    SetDeadline(context_.options.limits.write_deadline);
    error_code error;
    co_await asio::async_write(stream_, asio::buffer(bytes.data() + sent, size),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return false;
    }
    sent += size;
  }
  co_return true;
}

// Answers a request that could not be read to its end, and closes.
asio::awaitable<void> Connection::Refuse(int status) {
  const ServerOptions& options = context_.options;
  HttpReply::Frame frame;
  frame.keep_alive = false;
  HttpReply reply(std::move(frame), options.limits.unsent_bytes, nullptr);
  if (status == 413) {
    const std::string text =
        "request body is larger than " + std::to_string(options.limits.body_bytes) + " bytes";
    reply.Send(status, options.error_type, options.error_body(text));
  } else if (status == 503) {
    const std::string text = "server busy, please try again.  too many bytes in requests at once";
    reply.Send(status, options.error_type, options.error_body(text));
  } else {
    reply.Send(status, kPlainType, PlainText(status));
  }
  const bool sent = co_await WriteAll(reply.Take().bytes);
  if (sent) {
    co_await CloseAfterReply();
  }
}

// Lets the client read the reply: a socket closed with unread bytes would reset the connection and
// could destroy the reply on its way.
asio::awaitable<void> Connection::CloseAfterReply() {
  error_code error;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  SetDeadline(kLingerDeadline);
  std::array<char, 16 << 10> discarded{};
  while (!error) {
    co_await stream_.async_read_some(asio::buffer(discarded),
                                     asio::redirect_error(asio::use_awaitable, error));
  }
  stream_.close();
}

void Connection::Log(std::string_view method, std::string_view target, int status) const {
  const std::chrono::duration<double, std::milli> elapsed = steady_clock::now() - received_;
  const std::string_view path = target.substr(0, target.find('?'));
  spdlog::info("{} {} {} {:.1f} ms", Printable(method), Printable(path), status, elapsed.count());
}

}  // namespace bagel::http

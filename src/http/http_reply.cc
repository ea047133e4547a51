#include "http/http_reply.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace bagel::http {
namespace {

std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 40> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), length};
}

bool HasNoBody(int status) { return status == 204 || status == 304; }

}  // namespace

const char* ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Request Entity Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

HttpReply::HttpReply(Frame frame, std::size_t unsent_limit, std::function<void()> wake)
    : frame_(std::move(frame)), unsent_limit_(unsent_limit), wake_(std::move(wake)) {}

std::string HttpReply::Head(int status, std::string_view content_type,
                            std::string_view more_lines) const {
  std::string head = frame_.http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  head += std::to_string(status) + " " + ReasonPhrase(status) + "\r\n";
  if (!content_type.empty()) {
    head.append("Content-Type: ").append(content_type).append("\r\n");
  }
  head.append("Date: ").append(HttpDate()).append("\r\n");
  head.append(more_lines);
  if (!frame_.keep_alive) {
    head += "Connection: close\r\n";
  }
  return head.append(frame_.extra_headers).append("\r\n");
}

void HttpReply::Send(int status, std::string_view content_type, std::string_view body,
                     std::string_view headers) {
  const std::lock_guard lock(mutex_);
  if (status_ != 0) {
    return;
  }
  status_ = status;
  std::string lines(headers);
  if (!HasNoBody(status)) {
    lines += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  ended_ = true;
  cancel_action_ = nullptr;
  if (cancelled_) {
    return;
  }
  pending_ += Head(status, content_type, lines);
  if (!frame_.head_only && !HasNoBody(status)) {
    pending_ += body;
  }
  Wake();
}

void HttpReply::Begin(int status, std::string_view content_type) {
  const std::lock_guard lock(mutex_);
  if (status_ != 0) {
    return;
  }
  status_ = status;
  if (cancelled_) {
    return;
  }
  pending_ += Head(status, content_type, frame_.http11 ? "Transfer-Encoding: chunked\r\n" : "");
  Wake();
}

void HttpReply::Write(std::string_view piece) {
  std::unique_lock lock(mutex_);
  if (cancelled_ || ended_ || frame_.head_only || piece.empty()) {
    return;
  }
  // Before this piece: one that is longer than the limit alone must get through.
  if (pending_.size() > unsent_limit_) {
    RunCancelAction(std::move(lock));
    return;
  }
  if (frame_.http11) {
    std::array<char, 20> size{};
    const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
    pending_.append(size.data(), static_cast<std::size_t>(length)).append(piece).append("\r\n");
  } else {
    pending_.append(piece);
  }
  Wake();
}

void HttpReply::End() {
  const std::lock_guard lock(mutex_);
  if (ended_) {
    return;
  }
  ended_ = true;
  cancel_action_ = nullptr;
  if (cancelled_) {
    return;
  }
  if (frame_.http11 && !frame_.head_only) {
    pending_ += "0\r\n\r\n";
  }
  Wake();
}

bool HttpReply::started() const {
  const std::lock_guard lock(mutex_);
  return status_ != 0;
}

int HttpReply::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool HttpReply::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void HttpReply::OnCancel(std::function<void()> action) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) {
      return;
    }
    if (!cancelled_) {
      cancel_action_ = std::move(action);
      return;
    }
  }
  action();
}

HttpReply::Outgoing HttpReply::Take() {
  const std::lock_guard lock(mutex_);
  return {std::exchange(pending_, {}), ended_};
}

void HttpReply::Cancel() { RunCancelAction(std::unique_lock(mutex_)); }

void HttpReply::Detach() {
  std::unique_lock lock(mutex_);
  wake_ = nullptr;
  if (!ended_) {
    RunCancelAction(std::move(lock));
  }
}

void HttpReply::Wake() {
  if (wake_) {
    wake_();
  }
}

// Marks the reply as cancelled, wakes the connection and calls the action outside the lock.
void HttpReply::RunCancelAction(std::unique_lock<std::mutex> lock) {
  if (cancelled_) {
    return;
  }
  cancelled_ = true;
  pending_.clear();
  pending_.shrink_to_fit();
  Wake();
  const std::function<void()> action = std::exchange(cancel_action_, nullptr);
  const bool ended = ended_;
  lock.unlock();
  if (action && !ended) {
    action();
  }
}

}  // namespace bagel::http

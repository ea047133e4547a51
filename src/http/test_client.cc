#include "http/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>

#include "base/error.h"

namespace bagel::http {

TestClient::TestClient(uint16_t port, int receive_buffer)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

TestClient::~TestClient() { ::close(socket_); }

bool TestClient::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    pollfd ready{socket_, POLLOUT, 0};
    if (::poll(&ready, 1, 20'000) <= 0) {
      return false;
    }
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void TestClient::EndSending() const { ::shutdown(socket_, SHUT_WR); }

std::string TestClient::ReadSome(std::chrono::milliseconds patience) {
  if (!buffer_.empty()) {
    return std::exchange(buffer_, {});
  }
  pollfd ready{socket_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) {
    return {};
  }
  std::array<char, 64 << 10> bytes{};
  const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), 0);
  return size <= 0 ? std::string() : std::string(bytes.data(), static_cast<size_t>(size));
}

bool TestClient::ClosedWithin(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 10) > 0) {
      std::array<char, 64 << 10> bytes{};
      if (::recv(socket_, bytes.data(), bytes.size(), 0) <= 0) {
        return true;
      }
    }
  }
  return false;
}

bool TestClient::FillUntil(const std::function<bool()>& enough) {
  while (!enough()) {
    std::string kept = std::exchange(buffer_, {});
    const std::string more = ReadSome();
    buffer_ = std::move(kept) + more;
    if (more.empty()) {
      return false;
    }
  }
  return true;
}

bool TestClient::ReadChunks(TestResponse& response) {
  while (true) {
    if (!FillUntil([this] { return buffer_.find("\r\n") != std::string::npos; })) {
      return false;
    }
    const size_t line = buffer_.find("\r\n");
    const size_t size = std::stoul(buffer_.substr(0, line), nullptr, 16);
    const size_t whole = line + 2 + size + 2;
    if (!FillUntil([&] { return buffer_.size() >= whole; })) {
      return false;
    }
    response.body += buffer_.substr(line + 2, size);
    buffer_.erase(0, whole);
    if (size == 0) {
      return true;
    }
  }
}

TestResponse TestClient::Read(bool head_only) {
  TestResponse response;
  const auto has_head = [this] { return buffer_.find("\r\n\r\n") != std::string::npos; };
  if (!FillUntil(has_head)) {
    return response;
  }
  const size_t head_end = buffer_.find("\r\n\r\n") + 4;
  response.head = buffer_.substr(0, head_end);
  buffer_.erase(0, head_end);
  response.status = std::stoi(response.head.substr(9, 3));
  const size_t length_at = response.head.find("Content-Length: ");
  if (head_only || response.status == 204 || response.status == 100) {
    response.complete = true;
  } else if (response.HasHeader("Transfer-Encoding: chunked")) {
    response.complete = ReadChunks(response);
  } else if (length_at != std::string::npos) {
    const size_t length = std::stoul(response.head.substr(length_at + 16));
    response.complete = FillUntil([&] { return buffer_.size() >= length; });
    response.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
  } else {
    FillUntil([] { return false; });
    response.body = std::exchange(buffer_, {});
    response.complete = true;
  }
  return response;
}

std::string PostText(std::string_view path, std::string_view body, std::string_view headers) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string GetText(std::string_view path, std::string_view headers, std::string_view method) {
  return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
         std::string(headers) + "\r\n";
}

TestResponse Fetch(uint16_t port, std::string_view request, bool head_only) {
  TestClient client(port);
  client.Send(request);
  return client.Read(head_only);
}

bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace bagel::http

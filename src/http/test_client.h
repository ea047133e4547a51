// A blunt HTTP client for tests: it can send anything at any pace.
#ifndef BAGEL_HTTP_TEST_CLIENT_H_
#define BAGEL_HTTP_TEST_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace bagel::http {

struct TestResponse {
  int status = 0;  // 0: the connection ended before a whole head
  std::string head;
  std::string body;       // chunks joined
  bool complete = false;  // the body came to its announced end

  bool HasHeader(std::string_view line) const { return head.find(line) != std::string::npos; }
};

class TestClient {
 public:
  // `receive_buffer` > 0 makes the kernel hold little of what is not read.
  explicit TestClient(uint16_t port, int receive_buffer = 0);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False once the peer does not take it.
  bool Send(std::string_view bytes) const;
  void EndSending() const;
  TestResponse Read(bool head_only = false);
  // The next bytes of the stream, "" at its end or after `patience`.
  std::string ReadSome(std::chrono::milliseconds patience = std::chrono::seconds(20));
  bool ClosedWithin(std::chrono::milliseconds patience);

 private:
  bool FillUntil(const std::function<bool()>& enough);
  bool ReadChunks(TestResponse& response);

  int socket_;
  std::string buffer_;
};

// A request with Host and Content-Length; `headers` are complete lines.
std::string PostText(std::string_view path, std::string_view body, std::string_view headers = "");
std::string GetText(std::string_view path, std::string_view headers = "",
                    std::string_view method = "GET");

// Sends one request on a connection of its own.
TestResponse Fetch(uint16_t port, std::string_view request, bool head_only = false);

bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds patience = std::chrono::seconds(20));

}  // namespace bagel::http

#endif  // BAGEL_HTTP_TEST_CLIENT_H_

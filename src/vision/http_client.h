// Requests to other machines' servers, none of which is trusted: every wait and every size has a
// limit.
#ifndef BAGEL_VISION_HTTP_CLIENT_H_
#define BAGEL_VISION_HTTP_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bagel::vision {

struct HttpLimitsOut {
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds first_byte{60'000};  // of the answer's body, from the begin
  std::chrono::milliseconds idle{30'000};        // between two pieces of the body
  std::chrono::milliseconds total{120'000};
  size_t answer_bytes = size_t{8} << 20;
};

struct HttpCall {
  std::string method = "GET";
  std::string url;  // http or https
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::string> headers;  // "Name: value"
  HttpLimitsOut limits;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// Sends `call` and reads the answer. With `on_data` the body of an answer with status 200 goes
// there piece by piece instead, on this thread. `stop` is asked at least ten times a second; true
// ends the call with kCancelled. Redirects are not followed and proxies not used. Throws
// kUnavailable when no whole answer comes in time, kTooLarge when it does not end, kInvalidArgument
// for a URL that is none; the message names the URL without its password. What `on_data` throws
// comes out of here.
HttpAnswer Send(const HttpCall& call,
                const std::function<void(std::string_view piece)>& on_data = nullptr,
                const std::function<bool()>& stop = nullptr);

// `url` as it may be shown: without a password, and without what stands behind '?'.
std::string ShownUrl(const std::string& url);

// Throws kInvalidArgument unless `url` begins with http:// or https:// and has a host. Returns it
// without slashes at its end.
std::string CheckedServerUrl(std::string url);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_HTTP_CLIENT_H_

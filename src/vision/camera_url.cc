#include "vision/camera_url.h"

#include <curl/curl.h>

#include <cctype>
#include <memory>
#include <string>

namespace bagel::vision {
namespace {

// Ends the transfer as soon as content comes; the status is known by then.
size_t RefuseContent(char*, size_t, size_t, void*) { return 0; }
size_t SkipHeader(char*, size_t size, size_t count, void*) { return size * count; }

std::string StatusText(long status) {
  switch (status) {
    case 401:
    case 403:
      return "user or password is wrong (" + std::to_string(status) + ")";
    case 404:
      return "there is nothing at this path (404)";
    default:
      return "the camera answers with status " + std::to_string(status);
  }
}

std::string CurlText(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "no such host";
    case CURLE_COULDNT_CONNECT:
      return "connection refused, or the host is unreachable";
    case CURLE_OPERATION_TIMEDOUT:
      return "no answer in time";
    default: {
      std::string text = curl_easy_strerror(code);
      if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
      return text;
    }
  }
}

}  // namespace

std::string WhyUnreachable(const std::string& url, std::chrono::milliseconds timeout) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> request(curl_easy_init(),
                                                                    &curl_easy_cleanup);
  if (ready != CURLE_OK || !request) return "";
  CURL* const curl = request.get();
  const bool rtsp = url.starts_with("rtsp");
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "rtsp,http,https");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC | CURLAUTH_DIGEST);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, RefuseContent);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, SkipHeader);
  if (rtsp) {
    curl_easy_setopt(curl, CURLOPT_RTSP_REQUEST, CURL_RTSPREQ_DESCRIBE);
    curl_easy_setopt(curl, CURLOPT_RTSP_STREAM_URI, url.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) return StatusText(status);
  const bool answered = status >= 200 || code == CURLE_OK || code == CURLE_UNSUPPORTED_PROTOCOL;
  return answered ? "" : CurlText(code);
}

}  // namespace bagel::vision

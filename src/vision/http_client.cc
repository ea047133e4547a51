#include "vision/http_client.h"

#include <curl/curl.h>

#include <exception>
#include <memory>

#include "base/error.h"

namespace bagel::vision {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

CURL* NewHandle() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* handle = initialised == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr) throw Error(ErrorKind::kOutOfMemory, "libcurl cannot be initialised");
  return handle;
}

std::string Seconds(milliseconds time) {
  std::string text = std::to_string(static_cast<double>(time.count()) / 1000.0);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

// One transfer and what libcurl calls back into.
class Transfer {
 public:
  Transfer(const HttpCall& call, const std::function<void(std::string_view)>& on_data)
      : call_(call), on_data_(on_data), easy_(NewHandle()), multi_(curl_multi_init()) {
    for (const std::string& header : call.headers) AddHeader(header);
    if (!call.body.empty()) AddHeader("Content-Type: " + call.content_type);
    AddHeader("Expect:");
    Set(CURLOPT_URL, call.url.c_str());
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
    Set(CURLOPT_HTTPHEADER, headers_.get());
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.limits.connect.count()));
    Set(CURLOPT_ERRORBUFFER, error_text_);
    Set(CURLOPT_WRITEDATA, this);
    Set(
        CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* self) {
          return static_cast<Transfer*>(self)->OnData({data, size * count});
        });
    if (!call.body.empty()) {
      Set(CURLOPT_POSTFIELDS, call.body.data());
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    }
    curl_multi_add_handle(multi_.get(), easy_.get());
  }
  ~Transfer() { curl_multi_remove_handle(multi_.get(), easy_.get()); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  HttpAnswer Run(const std::function<bool()>& stop) {
    constexpr int kPollMs = 50;
    for (int running = 1; running > 0;) {
      curl_multi_perform(multi_.get(), &running);
      if (failure_) std::rethrow_exception(failure_);
      if (running == 0) break;
      if (stop && stop()) throw Error(ErrorKind::kCancelled, "the request was cancelled");
      CheckDeadlines();
      curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
    if (message == nullptr) Fail("gave no answer");
    if (message->data.result != CURLE_OK) Fail(Words(message->data.result));
    answer_.status = Status();
    return std::move(answer_);
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
      throw Error(ErrorKind::kInvalidArgument, "'" + ShownUrl(call_.url) + "' is not a usable URL");
  }

  void AddHeader(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }

  int Status() const {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
  }

  size_t OnData(std::string_view piece) {
    last_data_ = Clock::now();
    received_ += piece.size();
    try {
      if (received_ > call_.limits.answer_bytes)
        throw Error(ErrorKind::kTooLarge, ShownUrl(call_.url) + " sends more than " +
                                              std::to_string(call_.limits.answer_bytes) + " bytes");
      if (on_data_ && Status() == 200)
        on_data_(piece);
      else
        answer_.body += piece;
    } catch (...) {
      failure_ = std::current_exception();
      return 0;
    }
    return piece.size();
  }

  void CheckDeadlines() const {
    const Clock::time_point now = Clock::now();
    if (now - begin_ > call_.limits.total)
      Fail("has not finished within " + Seconds(call_.limits.total));
    if (received_ == 0 && now - begin_ > call_.limits.first_byte)
      Fail("has not begun to answer within " + Seconds(call_.limits.first_byte));
    if (received_ > 0 && now - last_data_ > call_.limits.idle)
      Fail("stopped in the middle of its answer for " + Seconds(call_.limits.idle));
  }

  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(ErrorKind::kUnavailable, ShownUrl(call_.url) + " " + what);
  }

  std::string Words(CURLcode code) const {
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
      throw Error(ErrorKind::kInvalidArgument, "'" + ShownUrl(call_.url) + "' is not a usable URL");
    const bool half = received_ > 0 || code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING ||
                      code == CURLE_RECV_ERROR;
    const std::string why = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
    return (half ? "broke off its answer: " : "does not answer: ") + why;
  }

  const HttpCall& call_;
  const std::function<void(std::string_view)>& on_data_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  char error_text_[CURL_ERROR_SIZE] = {};
  HttpAnswer answer_;
  size_t received_ = 0;
  std::exception_ptr failure_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_data_ = begin_;
};

}  // namespace

HttpAnswer Send(const HttpCall& call, const std::function<void(std::string_view)>& on_data,
                const std::function<bool()>& stop) {
  return Transfer(call, on_data).Run(stop);
}

std::string ShownUrl(const std::string& url) {
  std::string shown = url.substr(0, url.find_first_of("?#"));
  const size_t begin = shown.find("://");
  if (begin == std::string::npos) return shown;
  const size_t at = shown.substr(0, shown.find('/', begin + 3)).rfind('@');
  if (at != std::string::npos) shown.replace(begin + 3, at - begin - 3, "***");
  return shown;
}

std::string CheckedServerUrl(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0 || url.size() == scheme ||
      url.find_first_of(" \t\r\n\\\"<>") != std::string::npos)
    throw Error(ErrorKind::kInvalidArgument,
                "server '" + ShownUrl(url) + "' is not a URL such as http://127.0.0.1:8095");
  return url;
}

}  // namespace bagel::vision

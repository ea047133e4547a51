#include "http/socket_text.h"

#include <poll.h>

#include <algorithm>
#include <cctype>

#include "http/http_message.h"

namespace bagel::http {

bool PeerClosed(int descriptor) {
  pollfd query{descriptor, POLLRDHUP, 0};
  return ::poll(&query, 1, 0) > 0 && (query.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string PlainText(int status) {
  switch (status) {
    case 404:
      return "404 page not found";
    case 405:
      return "405 method not allowed";
    case 400:
    case 401:
    case 417:
    case 431:
      return std::to_string(status) + " " + ReasonPhrase(status);
    default:
      return {};
  }
}

std::string Printable(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string printable;
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) {
      printable += c;
    } else {
      printable.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return printable;
}

}  // namespace bagel::http

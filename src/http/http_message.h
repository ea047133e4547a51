// One HTTP request as the handlers see it, and the limits under which it was read.
#ifndef BAGEL_HTTP_HTTP_MESSAGE_H_
#define BAGEL_HTTP_HTTP_MESSAGE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "http/budget.h"

namespace bagel::http {

struct HttpRequest {
  std::string method;  // as sent: "GET", "POST", ...
  std::string path;    // without the query
  std::string query;   // behind the '?', undecoded
  std::string body;
  std::string content_type;
  std::chrono::steady_clock::time_point received;  // when its first byte was read
  BudgetShare share;                               // what the body takes of the server's memory
};

struct HttpLimits {
  std::size_t header_bytes = 16 << 10;
  std::size_t body_bytes = 64 << 20;
  // What bodies and replies of all connections together may hold; beyond that: 503.
  int64_t total_bytes = int64_t{512} << 20;
  // Reply that a client has not taken yet when there is more of it to send; then it is dropped.
  std::size_t unsent_bytes = 1 << 20;
  int connections = 256;  // beyond that, one that is still receiving is closed, or else: 503
  std::chrono::milliseconds idle_deadline{60'000};    // from one request to the next
  std::chrono::milliseconds header_deadline{10'000};  // from its first byte to the empty line
  std::chrono::milliseconds read_deadline{10'000};    // for each piece of a body
  std::chrono::milliseconds body_deadline{120'000};   // for a whole body
  std::chrono::milliseconds write_deadline{30'000};   // for each piece of a reply
  std::chrono::milliseconds drain_deadline{10'000};   // for running requests once asked to stop
};

// The standard reason phrase, "" for a status this server does not send.
const char* ReasonPhrase(int status);

}  // namespace bagel::http

#endif  // BAGEL_HTTP_HTTP_MESSAGE_H_

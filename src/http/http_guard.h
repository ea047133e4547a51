// Who may talk to this server: the Host check against DNS rebinding, CORS, and the key.
#ifndef BAGEL_HTTP_HTTP_GUARD_H_
#define BAGEL_HTTP_HTTP_GUARD_H_

#include <string>
#include <string_view>
#include <vector>

namespace bagel::http {

struct GuardOptions {
  // Names (and addresses) that a Host header may have besides loopback ones and the address that
  // the connection came in on; "*.example.org" stands for every name below, "*" for any.
  std::vector<std::string> allowed_hosts;
  // Origins besides the ones of this machine, as "https://page.example:8080"; each may hold one
  // '*'.
  std::vector<std::string> allowed_origins;
  // What "Authorization: Bearer" must hold; empty = no key is asked for.
  std::string api_key;
  std::vector<std::string> open_paths;  // answered without a key, as "/healthz"
};

// `host` is a Host header ("name", "name:port", "[::1]:port" or ""), `local_address` the address
// that the client connected to.
bool HostAllowed(const GuardOptions& options, std::string_view host,
                 std::string_view local_address);

// `origin` is a non-empty Origin header. An origin equal to the host is not a foreign one.
bool OriginAllowed(const GuardOptions& options, std::string_view origin, std::string_view host);

// The response headers (complete lines with CRLF) for an allowed origin.
std::string CorsHeaders(const GuardOptions& options, std::string_view origin, std::string_view host,
                        bool preflight);

// Whether a request for `path` (without the query) with this Authorization header may pass. How
// long it takes tells nothing of the key but its length.
bool KeyAllowed(const GuardOptions& options, std::string_view path, std::string_view authorization);

}  // namespace bagel::http

#endif  // BAGEL_HTTP_HTTP_GUARD_H_

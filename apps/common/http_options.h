// What the two serve commands have in common: the HTTP server's options and how it is called.
#ifndef BAGEL_APPS_COMMON_HTTP_OPTIONS_H_
#define BAGEL_APPS_COMMON_HTTP_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "http/http_server.h"

namespace bagel {

// Adds --host, --port, --allowed-hosts, --allowed-origins and --body-limit, whose defaults are what
// `options` holds. It must outlive `command`.
void AddHttpOptions(CLI::App& command, http::ServerOptions& options);

// "http://127.0.0.1:8095", "http://[::1]:8095".
std::string HttpUrl(const std::string& host, uint16_t port);

// Whether only programs of this machine reach a server that listens on `host`.
bool IsLoopback(const std::string& host);

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_HTTP_OPTIONS_H_

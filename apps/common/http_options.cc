#include "http_options.h"

#include <cstddef>

namespace bagel {

void AddHttpOptions(CLI::App& command, http::ServerOptions& options) {
  command.add_option("--host", options.host, "Address to listen on")
      ->type_name("ADDRESS")
      ->capture_default_str();
  command.add_option("--port", options.port, "0 = any free one")
      ->type_name("PORT")
      ->capture_default_str();
  command
      .add_option("--allowed-hosts", options.guard.allowed_hosts,
                  "Names by which clients may call this server, separated by commas; * = any")
      ->type_name("NAME")
      ->delimiter(',');
  command
      .add_option("--allowed-origins", options.guard.allowed_origins,
                  "Web pages that may call it, as https://name:port; one * in each stands for all")
      ->type_name("ORIGIN")
      ->delimiter(',');
  command
      .add_option_function<int>(
          "--body-limit",
          [&options](int mib) { options.limits.body_bytes = static_cast<std::size_t>(mib) << 20; },
          "Largest request in MiB")
      ->check(CLI::Range(1, 1024))
      ->default_str(std::to_string(options.limits.body_bytes >> 20));
}

std::string HttpUrl(const std::string& host, uint16_t port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return "http://" + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool IsLoopback(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}

}  // namespace bagel

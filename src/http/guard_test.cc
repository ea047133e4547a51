#include <gtest/gtest.h>

#include "http/http_guard.h"

namespace bagel::http {
namespace {

TEST(HostAllowed, TakesLoopbackAndTheAddressConnectedTo) {
  const GuardOptions options;
  for (const char* host : {"", "localhost", "LOCALHOST:8095", "127.0.0.1", "127.9.9.9:80", "[::1]",
                           "[::1]:8095", "app.localhost", "localhost."}) {
    EXPECT_TRUE(HostAllowed(options, host, "127.0.0.1")) << host;
  }
  EXPECT_TRUE(HostAllowed(options, "192.168.1.5:8095", "192.168.1.5"));
  EXPECT_TRUE(HostAllowed(options, "[fe80::1]:8095", "fe80::1"));
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "192.168.1.6", "evillocalhost", "[::1", "[::1]x", "localhost:x",
                           "localhost@evil.example", "127.0.0.evil", ":8095"}) {
    EXPECT_FALSE(HostAllowed(options, host, "192.168.1.5")) << host;
  }
}

TEST(HostAllowed, TakesListedNames) {
  GuardOptions options;
  options.allowed_hosts = {"Eyes.Example", "*.lan"};
  EXPECT_TRUE(HostAllowed(options, "eyes.example:8095", "10.0.0.1"));
  EXPECT_TRUE(HostAllowed(options, "box.lan", "10.0.0.1"));
  EXPECT_FALSE(HostAllowed(options, "lan", "10.0.0.1"));
  options.allowed_hosts = {"*"};
  EXPECT_TRUE(HostAllowed(options, "any.example", "10.0.0.1"));
}

TEST(OriginAllowed, TakesThisMachineAndListedOnes) {
  GuardOptions options;
  for (const char* origin : {"http://localhost", "https://localhost:3000", "http://127.0.0.1:8080",
                             "http://0.0.0.0", "app://x", "tauri://localhost", "http://[::1]:99",
                             "vscode-webview://abc", "http://Host.example:8095"}) {
    EXPECT_TRUE(OriginAllowed(options, origin, "host.example:8095")) << origin;
  }
  for (const char* origin : {"null", "http://evil.example", "http://localhost.evil.example",
                             "http://localhost:80@evil.example", "https://host.example"}) {
    EXPECT_FALSE(OriginAllowed(options, origin, "host.example:8095")) << origin;
  }
  options.allowed_origins = {"https://*.example"};
  EXPECT_TRUE(OriginAllowed(options, "https://page.example", "h"));
  EXPECT_FALSE(OriginAllowed(options, "http://page.example", "h"));
}

TEST(KeyAllowed, AsksForTheKeyWhereThereIsOne) {
  GuardOptions options;
  EXPECT_TRUE(KeyAllowed(options, "/look", ""));
  options.api_key = "secret";
  options.open_paths = {"/healthz"};
  EXPECT_TRUE(KeyAllowed(options, "/healthz", ""));
  EXPECT_TRUE(KeyAllowed(options, "/look", "Bearer secret"));
  EXPECT_TRUE(KeyAllowed(options, "/look", "bearer secret"));
  for (const char* wrong : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                            "Bearer  secret", "Basic secret", "Bearer SECRET"}) {
    EXPECT_FALSE(KeyAllowed(options, "/look", wrong)) << wrong;
  }
  EXPECT_FALSE(KeyAllowed(options, "/healthz/", ""));
}

TEST(CorsHeaders, EchoesTheOriginOrAStar) {
  GuardOptions options;
  EXPECT_EQ(CorsHeaders(options, "http://h", "h", false), "");
  EXPECT_EQ(CorsHeaders(options, "http://localhost:3", "h", false),
            "Access-Control-Allow-Origin: http://localhost:3\r\nVary: Origin\r\n");
  options.allowed_origins = {"*"};
  const std::string headers = CorsHeaders(options, "http://localhost:3", "h", true);
  EXPECT_TRUE(headers.starts_with("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_NE(headers.find("Access-Control-Max-Age: 43200\r\n"), std::string::npos);
}

}  // namespace
}  // namespace bagel::http

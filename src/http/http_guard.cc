#include "http/http_guard.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "http/socket_text.h"

namespace bagel::http {
namespace {

// Pages of this machine, in any port, and the desktop shells that have no web origin.
constexpr std::array<std::string_view, 6> kLocalNames = {"localhost", "127.0.0.1", "0.0.0.0",
                                                         "[::1]",     "[::]",      "::1"};
constexpr std::array<std::string_view, 5> kLocalSchemes = {"app://", "file://", "tauri://",
                                                           "vscode-webview://", "vscode-file://"};

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The name in "name:port" or "[address]:port", brackets kept, one trailing dot dropped; nothing if
// the text is neither.
std::optional<std::string> HostName(std::string_view host) {
  std::string_view name = host;
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    name = host.substr(0, end + 1);
  } else {
    name = host.substr(0, host.find(':'));
  }
  const std::string_view rest = host.substr(name.size());
  if (!rest.empty() && (rest.front() != ':' || !AllDigits(rest.substr(1)))) {
    return std::nullopt;
  }
  if (!name.empty() && name.back() == '.') {
    name.remove_suffix(1);
  }
  const bool clean = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' ||
           c == ']';
  });
  return clean ? std::optional(Lower(name)) : std::nullopt;
}

bool EndsWithLabel(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() + 1 && name.ends_with(suffix) &&
         name[name.size() - suffix.size() - 1] == '.';
}

// 127.0.0.0/8 in its usual spelling.
bool IsLoopbackAddress(std::string_view name) {
  return name.starts_with("127.") && std::count(name.begin(), name.end(), '.') == 3 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return c == '.' || AllDigits({&c, 1});
         });
}

bool MatchesPattern(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return pattern == text;
  }
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  return text.size() >= head.size() + tail.size() && text.starts_with(head) && text.ends_with(tail);
}

bool IsSameOrigin(std::string_view origin, std::string_view host) {
  return !host.empty() && (origin == "http://" + Lower(host) || origin == "https://" + Lower(host));
}

bool IsLocalOrigin(std::string_view origin) {
  for (const std::string_view scheme : kLocalSchemes) {
    if (origin.starts_with(scheme)) {
      return true;
    }
  }
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) {
      continue;
    }
    const std::optional<std::string> name = HostName(origin.substr(scheme.size()));
    return name && std::find(kLocalNames.begin(), kLocalNames.end(), *name) != kLocalNames.end();
  }
  return false;
}

}  // namespace

bool HostAllowed(const GuardOptions& options, std::string_view host,
                 std::string_view local_address) {
  if (host.empty()) {
    return true;
  }
  const std::optional<std::string> name = HostName(host);
  if (!name || name->empty()) {
    return false;
  }
  const std::string local = Lower(local_address);
  if (*name == "localhost" || EndsWithLabel(*name, "localhost") || *name == "[::1]" ||
      IsLoopbackAddress(*name) || *name == local || *name == "[" + local + "]") {
    return true;
  }
  return std::any_of(
      options.allowed_hosts.begin(), options.allowed_hosts.end(),
      [&](const std::string& allowed) { return MatchesPattern(Lower(allowed), *name); });
}

bool OriginAllowed(const GuardOptions& options, std::string_view origin, std::string_view host) {
  const std::string lower = Lower(origin);
  if (IsSameOrigin(lower, host) || IsLocalOrigin(lower)) {
    return true;
  }
  return std::any_of(
      options.allowed_origins.begin(), options.allowed_origins.end(),
      [&](const std::string& allowed) { return MatchesPattern(Lower(allowed), lower); });
}

bool KeyAllowed(const GuardOptions& options, std::string_view path,
                std::string_view authorization) {
  const auto& open = options.open_paths;
  if (options.api_key.empty() || std::find(open.begin(), open.end(), path) != open.end()) {
    return true;
  }
  constexpr std::string_view kScheme = "bearer ";
  if (Lower(authorization.substr(0, kScheme.size())) != kScheme) {
    return false;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  const std::string_view key = options.api_key;
  unsigned different = given.size() == key.size() ? 0 : 1;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    different |= static_cast<unsigned char>(c) ^ static_cast<unsigned char>(key[i]);
  }
  return different == 0;
}

std::string CorsHeaders(const GuardOptions& options, std::string_view origin, std::string_view host,
                        bool preflight) {
  if (IsSameOrigin(Lower(origin), host)) {
    return {};
  }
  const bool any = std::find(options.allowed_origins.begin(), options.allowed_origins.end(), "*") !=
                   options.allowed_origins.end();
  std::string headers = "Access-Control-Allow-Origin: ";
  headers.append(any ? std::string_view("*") : origin).append("\r\n");
  if (!any) {
    headers += "Vary: Origin\r\n";
  }
  if (preflight) {
    headers +=
        "Access-Control-Allow-Methods: GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS\r\n"
        "Access-Control-Allow-Headers: Authorization,Content-Type,User-Agent,Accept,"
        "X-Requested-With,OpenAI-Beta,x-stainless-lang,x-stainless-package-version,x-stainless-os,"
        "x-stainless-arch,x-stainless-retry-count,x-stainless-runtime,"
        "x-stainless-runtime-version,x-stainless-async,x-stainless-helper-method,"
        "x-stainless-poll-helper,x-stainless-custom-poll-interval,x-stainless-timeout\r\n"
        "Access-Control-Max-Age: 43200\r\n";
  }
  return headers;
}

}  // namespace bagel::http

#include "base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace bagel {
namespace {

std::string_view Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// 0 for what is no number.
int64_t Number(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end ? value : 0;
}

}  // namespace

bool TellServiceManager(const std::string& state) {
  const std::string_view name = Variable("NOTIFY_SOCKET");
  sockaddr_un address{};
  // A path keeps its final zero; an abstract name has none and starts with one.
  if (name.size() < 2 || name.size() >= sizeof(address.sun_path)) return false;
  if (name[0] != '/' && name[0] != '@') return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  std::size_t length = offsetof(sockaddr_un, sun_path) + name.size() + 1;
  if (name[0] == '@') {
    address.sun_path[0] = '\0';
    --length;
  }
  const int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return false;
  const ssize_t sent =
      sendto(socket_fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length));
  close(socket_fd);
  return sent == static_cast<ssize_t>(state.size());
}

std::chrono::microseconds ServiceWatchdogInterval() {
  const std::string_view process = Variable("WATCHDOG_PID");
  if (!process.empty() && Number(process) != getpid()) return {};
  const int64_t interval = Number(Variable("WATCHDOG_USEC"));
  // Beyond what clocks can add, nobody watches.
  if (interval <= 0 || interval > std::numeric_limits<int64_t>::max() / 10000) return {};
  return std::chrono::microseconds(interval);
}

}  // namespace bagel

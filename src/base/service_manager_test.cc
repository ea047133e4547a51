#include "base/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace bagel {
namespace {

using std::chrono::microseconds;

// A datagram socket that listens as a service manager does.
class Manager {
 public:
  explicit Manager(const std::string& name) : socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const bool abstract = name[0] == '@';
    if (abstract) address.sun_path[0] = '\0';
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    close(socket_);
    unsetenv("NOTIFY_SOCKET");
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string Hear() const {
    char text[256];
    const ssize_t size = recv(socket_, text, sizeof(text), MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(size));
  }

 private:
  const int socket_;
};

TEST(TellServiceManager, ReachesAPath) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("notify-" + std::to_string(getpid()));
  {
    const Manager manager(path.string());
    EXPECT_TRUE(TellServiceManager("READY=1\nSTATUS=serves"));
    EXPECT_EQ(manager.Hear(), "READY=1\nSTATUS=serves");
  }
  std::filesystem::remove(path);
}

TEST(TellServiceManager, ReachesAnAbstractName) {
  const Manager manager("@bagel-notify-" + std::to_string(getpid()));
  EXPECT_TRUE(TellServiceManager("WATCHDOG=1"));
  EXPECT_EQ(manager.Hear(), "WATCHDOG=1");
}

TEST(TellServiceManager, SaysSoWhereNobodyListens) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(TellServiceManager("READY=1"));
  for (const std::string& name :
       {std::string(), std::string("@"), std::string("/"), std::string("vsock:2:1"),
        std::string("/no/such/socket"), "/" + std::string(200, 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    EXPECT_FALSE(TellServiceManager("READY=1")) << name;
  }
  unsetenv("NOTIFY_SOCKET");
}

TEST(TellServiceManager, DoesNotWaitForAFullQueue) {
  const Manager manager("@bagel-full-" + std::to_string(getpid()));
  bool sent = true;
  for (int i = 0; i < 100000 && sent; ++i) sent = TellServiceManager("WATCHDOG=1");
  EXPECT_FALSE(sent);
}

TEST(ServiceWatchdogInterval, IsThisProcessesOwn) {
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(ServiceWatchdogInterval(), microseconds(0));
  setenv("WATCHDOG_USEC", "600000000", 1);
  EXPECT_EQ(ServiceWatchdogInterval(), microseconds(600000000));
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(ServiceWatchdogInterval(), microseconds(600000000));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceWatchdogInterval(), microseconds(0));
  unsetenv("WATCHDOG_PID");
  for (const char* const value : {"", "-5", "ten", "18446744073709551615", "5s"}) {
    setenv("WATCHDOG_USEC", value, 1);
    EXPECT_EQ(ServiceWatchdogInterval(), microseconds(0)) << value;
  }
  unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace bagel

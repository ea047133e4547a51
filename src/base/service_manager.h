// What a service tells the manager that started it (systemd's Type=notify), as sd_notify(3) does.
#ifndef BAGEL_BASE_SERVICE_MANAGER_H_
#define BAGEL_BASE_SERVICE_MANAGER_H_

#include <chrono>
#include <string>

namespace bagel {

// Sends `state`, lines such as "READY=1" or "STATUS=loading", as one datagram to $NOTIFY_SOCKET, a
// path or, with a leading @, an abstract name. False where there is no such variable or nobody
// takes the datagram; a service works as well without. Never waits.
bool TellServiceManager(const std::string& state);

// How often the manager wants to hear "WATCHDOG=1" at the least: $WATCHDOG_USEC, if it is meant for
// this process ($WATCHDOG_PID). Zero where it does not watch.
std::chrono::microseconds ServiceWatchdogInterval();

}  // namespace bagel

#endif  // BAGEL_BASE_SERVICE_MANAGER_H_

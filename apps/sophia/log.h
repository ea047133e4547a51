// How the commands that run for long log.
#ifndef BAGEL_APPS_SOPHIA_LOG_H_
#define BAGEL_APPS_SOPHIA_LOG_H_

namespace bagel {

// Lines with a time on stderr.
void SetUpLog(bool verbose);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_LOG_H_

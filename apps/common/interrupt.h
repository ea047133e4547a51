// Ctrl-C and SIGTERM as a question to ask between two tokens.
#ifndef BAGEL_APPS_COMMON_INTERRUPT_H_
#define BAGEL_APPS_COMMON_INTERRUPT_H_

namespace bagel {

// From now on the first signal only sets the flag; a second one ends the process as usual.
void CatchInterrupts();

bool Interrupted();

}  // namespace bagel

#endif  // BAGEL_APPS_COMMON_INTERRUPT_H_

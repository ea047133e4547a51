// The program's commands. Each one is a file that adds itself to the command line; its action
// throws Error for what goes wrong.
#ifndef BAGEL_APPS_SOPHIA_COMMANDS_H_
#define BAGEL_APPS_SOPHIA_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace bagel {

void AddAsk(CLI::App& app);
void AddCameras(CLI::App& app);
void AddDescribe(CLI::App& app);
void AddDoctor(CLI::App& app);
void AddFaces(CLI::App& app);
void AddLook(CLI::App& app);
void AddServe(CLI::App& app);
void AddWatch(CLI::App& app);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_COMMANDS_H_

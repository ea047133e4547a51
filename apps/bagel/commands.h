// The program's commands. Each one is a file that adds itself to the command line; its action
// throws Error for what goes wrong.
#ifndef BAGEL_APPS_BAGEL_COMMANDS_H_
#define BAGEL_APPS_BAGEL_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace bagel {

void AddDescribe(CLI::App& app);
void AddGenerate(CLI::App& app);
void AddEdit(CLI::App& app);
void AddServe(CLI::App& app);
void AddTokenize(CLI::App& app);
void AddInspect(CLI::App& app);
void AddSynth(CLI::App& app);
void AddQuantize(CLI::App& app);
void AddCompare(CLI::App& app);
void AddBench(CLI::App& app);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_COMMANDS_H_

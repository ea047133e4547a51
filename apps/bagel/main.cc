// bagel: the engine's program.
#include "commands.h"
#include "program.h"

namespace {

void AddCommands(CLI::App& app) {
  bagel::AddDescribe(app);
  bagel::AddGenerate(app);
  bagel::AddEdit(app);
  bagel::AddServe(app);
  bagel::AddTokenize(app);
  bagel::AddInspect(app);
  bagel::AddSynth(app);
  bagel::AddQuantize(app);
  bagel::AddCompare(app);
  bagel::AddBench(app);
}

}  // namespace

int main(int argc, char** argv) {
  return bagel::RunProgram("bagel", "BAGEL in C++: looks at pictures, answers in words, and draws.",
                           AddCommands, argc, argv);
}

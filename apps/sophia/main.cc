// sophia: the eyes, where the camera is.
#include "commands.h"
#include "program.h"

namespace {

void AddCommands(CLI::App& app) {
  bagel::AddLook(app);
  bagel::AddDescribe(app);
  bagel::AddAsk(app);
  bagel::AddServe(app);
  bagel::AddWatch(app);
  bagel::AddFaces(app);
  bagel::AddCameras(app);
  bagel::AddDoctor(app);
}

}  // namespace

int main(int argc, char** argv) {
  return bagel::RunProgram("sophia",
                           "Looks through a camera and says who is there, how they look and feel.",
                           AddCommands, argc, argv);
}

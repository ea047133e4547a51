// bagel serve in a build without the server.
#include "base/error.h"
#include "commands.h"

namespace bagel {

void AddServe(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("serve", "Not in this build: it was made without Boost");
  command.allow_extras();
  command.callback([] {
    throw Error(ErrorKind::kUnsupported,
                "this build has no server: configure with -DBAGEL_SERVER=ON and Boost 1.81");
  });
}

}  // namespace bagel

// sophia look: who is in front of the camera, and how they look and feel.
#include <memory>
#include <string>

#include "commands.h"
#include "look_options.h"
#include "vision/report.h"

namespace bagel {
namespace {

struct LookCommand {
  EyeOptions eyes;
  bool json = false;
  bool text = false;
  bool context = false;
  bool markdown = false;
};

void Look(const LookCommand& command) {
  const bool whole = command.json || command.context || command.markdown;
  TextPrinter printer;
  const vision::Report report =
      LookOnce(command.eyes, whole ? vision::LookEvents() : printer.Events());
  if (command.json)
    Print(vision::ToJson(report) + "\n");
  else if (command.context)
    Print(vision::ToContext(report));
  else if (command.markdown)
    Print(vision::ToMarkdown(report));
  else
    printer.Finish(report);
  RequireDescribed(report);
}

}  // namespace

void AddLook(CLI::App& app) {
  auto look = std::make_shared<LookCommand>();
  CLI::App& command =
      *app.add_subcommand("look", "Says who is in front of the camera, and how they look and feel");
  AddEyeOptions(command, look->eyes);
  CLI::Option_group& form = *command.add_option_group("Form of the report");
  form.add_flag("--text", look->text, "A few lines, as the words come (the default)");
  form.add_flag("--json", look->json, "One JSON object, described by report.schema.json");
  form.add_flag("--context", look->context, "For a language model's context");
  form.add_flag("--markdown", look->markdown, "Markdown");
  form.require_option(0, 1);
  command.footer("Example: sophia look --camera demo --json");
  command.callback([look] { Look(*look); });
}

}  // namespace bagel

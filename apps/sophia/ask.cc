// sophia ask: looks if she is asked to, and answers.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "interrupt.h"
#include "language_options.h"
#include "look_options.h"
#include "progress.h"
#include "vision/report.h"
#include "vision/triggers.h"

namespace bagel {
namespace {

struct AskCommand {
  std::vector<std::string> words;
  EyeOptions eyes;
  LanguageOptions language;
};

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Without a text model the report is the answer.
void AnswerWithReport(const EyeOptions& eyes) {
  TextPrinter printer;
  const vision::Report report = LookOnce(eyes, printer.Events());
  printer.Finish(report);
  RequireDescribed(report);
}

void Ask(const AskCommand& command) {
  const std::string said = Joined(command.words);
  const vision::Triggers triggers = vision::Triggers::Load(command.language.triggers);
  const std::optional<std::string> phrase = triggers.Find(said);
  const std::optional<vision::LanguageModel> language = MakeLanguageModel(command.language);
  if (!language) {
    if (!phrase)
      throw Error(ErrorKind::kInvalidArgument,
                  "nothing in these words asks for a look, and no text model is named (--llm)");
    return AnswerWithReport(command.eyes);
  }
  std::string context;
  if (phrase) {
    std::fprintf(stderr, "looking, because of \"%s\"\n", phrase->c_str());
    context = vision::ToContext(LookOnce(command.eyes, {}));
  }
  CatchInterrupts();
  std::optional<Progress> progress(std::in_place, "asking " + language->options().model);
  const vision::ModelAnswer answer = language->Answer(
      said, context,
      [&](std::string_view words) {
        progress.reset();
        PrintWords(words);
      },
      Interrupted);
  Print("\n");
  PrintTimings({{"first word", answer.first_word_ms}, {"answer", answer.total_ms}}, answer.model);
}

}  // namespace

void AddAsk(CLI::App& app) {
  auto ask = std::make_shared<AskCommand>();
  CLI::App& command =
      *app.add_subcommand("ask", "Answers, and looks first if the words ask for that");
  command.add_option("words", ask->words, "What is said to her")->type_name("WORDS")->required();
  AddLanguageOptions(command, ask->language);
  AddEyeOptions(command, ask->eyes);
  command.footer(
      "Example: sophia ask \"How do I look?\" --camera demo --llm http://127.0.0.1:11434 "
      "--llm-model llama3");
  command.callback([ask] { Ask(*ask); });
}

}  // namespace bagel

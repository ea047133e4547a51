#include "language_options.h"

#include <utility>

namespace bagel {

void AddLanguageOptions(CLI::App& command, LanguageOptions& options) {
  command
      .add_option("--triggers", options.triggers,
                  "File of phrases that ask for a look; without it "
                  "/etc/sophia/triggers.conf or the built-in ones")
      ->type_name("FILE");
  command
      .add_option("--llm", options.model.url,
                  "Text model that answers what is said: Ollama's URL, or OpenAI's, which ends in "
                  "/v1; without it the report is the answer")
      ->type_name("URL");
  command.add_option("--llm-model", options.model.model, "Its name")->type_name("NAME");
  AddSecretFileOption(command, "--llm-key-file", "the key that the text model's server wants",
                      options.key);
}

std::optional<vision::LanguageModel> MakeLanguageModel(const LanguageOptions& options) {
  if (options.model.url.empty()) return std::nullopt;
  vision::LanguageModelOptions model = options.model;
  model.api_key = ReadKey(options.key);
  return vision::LanguageModel(std::move(model));
}

}  // namespace bagel

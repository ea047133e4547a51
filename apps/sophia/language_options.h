// What ask and serve share: which words ask for a look, and the text model that answers.
#ifndef BAGEL_APPS_SOPHIA_LANGUAGE_OPTIONS_H_
#define BAGEL_APPS_SOPHIA_LANGUAGE_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "key_file.h"
#include "vision/language_model.h"

namespace bagel {

struct LanguageOptions {
  std::string triggers;                // as Triggers::Load wants it
  vision::LanguageModelOptions model;  // without the key
  SecretSource key{"SOPHIA_LLM_KEY"};
};

// --triggers, --llm, --llm-model, --llm-key-file. `options` must outlive `command`.
void AddLanguageOptions(CLI::App& command, LanguageOptions& options);

// The text model, if one is named. Throws as ReadKey and LanguageModel do.
std::optional<vision::LanguageModel> MakeLanguageModel(const LanguageOptions& options);

}  // namespace bagel

#endif  // BAGEL_APPS_SOPHIA_LANGUAGE_OPTIONS_H_

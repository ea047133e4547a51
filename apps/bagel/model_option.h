// Options that every command with a model has, and the model that is taken when none is named.
#ifndef BAGEL_APPS_BAGEL_MODEL_OPTION_H_
#define BAGEL_APPS_BAGEL_MODEL_OPTION_H_

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "engine/engine.h"

namespace bagel {

// `--model` alone.
void AddModelOption(CLI::App& command, std::filesystem::path& model);

// `--model`, `--device`, `--threads`, `--exact` and `--context`.
void AddEngineOptions(CLI::App& command, EngineOptions& options);

// `model` if given; else $BAGEL_MODEL, else the demo model beside the program, else the one in the
// source tree. Throws kNotFound naming the places.
std::filesystem::path FindModel(const std::filesystem::path& model);

// Loads the model that `options` name (or the default one) and shows progress.
std::unique_ptr<Engine> LoadEngine(EngineOptions options);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_MODEL_OPTION_H_

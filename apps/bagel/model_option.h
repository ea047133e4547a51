// Options that every command with a model has, and the model that is taken when none is named.
#ifndef BAGEL_APPS_BAGEL_MODEL_OPTION_H_
#define BAGEL_APPS_BAGEL_MODEL_OPTION_H_

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "model/quantize.h"

namespace bagel {

struct ModelOptions : EngineOptions {
  std::string quant;  // a format to load the model in; empty = as it is stored
};

// `--model` alone.
void AddModelOption(CLI::App& command, std::filesystem::path& model);

// `--device` alone.
void AddDeviceOption(CLI::App& command, std::string& device);

// `--kv-cache` alone.
void AddKvCacheOption(CLI::App& command, std::string& kv_cache, const std::string& description);

// `--model`, `--quant`, `--device` and the other options of EngineOptions that all commands have.
void AddEngineOptions(CLI::App& command, ModelOptions& options);

// QuantizeCheckpoint with a progress bar; an interrupt (see interrupt.h) stops it.
QuantizeResult QuantizeFolder(const std::filesystem::path& model, const std::filesystem::path& out,
                              const QuantizePolicy& policy, int threads);

// For `--quant FORMAT`: `model` itself when `format` is empty; else `MODEL.FORMAT` beside it, which
// is made first where it is missing or older than the model's files. Where that folder cannot be
// written it is in $CACHE_DIRECTORY, $XDG_CACHE_HOME/bagel or ~/.cache/bagel.
std::filesystem::path QuantizedModel(const std::filesystem::path& model, const std::string& format,
                                     int threads);

// Turns the named or default model of `options` into the folder to load, `--quant` included.
void ResolveModel(ModelOptions& options);

// For options that hold a seed: digits alone, below 2^64.
CLI::Validator SeedNumber();

// `model` if given; else $BAGEL_MODEL, else the demo model beside the program, else the one in the
// source tree. Throws kNotFound naming the places.
std::filesystem::path FindModel(const std::filesystem::path& model);

// Loads the model that `options` name (or the default one) and shows progress.
std::unique_ptr<Engine> LoadEngine(ModelOptions options);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_MODEL_OPTION_H_

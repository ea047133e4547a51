// bagel inspect: what a checkpoint folder holds and what it lacks.
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "formats/mapped_file.h"
#include "formats/picture.h"
#include "formats/quote.h"
#include "formats/safetensors.h"
#include "model/kv_cache.h"
#include "model/quantize.h"
#include "model_option.h"
#include "terminal.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

struct KnownFile {
  const char* name;
  bool needed;
};

constexpr std::array<KnownFile, 9> kFiles = {{{"llm_config.json", true},
                                              {"vit_config.json", true},
                                              {"config.json", false},
                                              {"bagel.json", false},
                                              {"vocab.json", true},
                                              {"merges.txt", true},
                                              {"tokenizer_config.json", true},
                                              {"ema.safetensors", false},
                                              {"ae.safetensors", false}}};
// What the weights are called, in the order of the formats' reader: first the published name.
const std::vector<std::vector<std::string>> kWeights = {{"ema", "model"}, {"ae"}};

struct InspectOptions {
  std::string picture;
  fs::path model;
  bool json = false;
};

struct GroupKey {
  std::string stem;
  std::string group;
  std::string dtype;
  bool operator<(const GroupKey& other) const {
    return std::tie(stem, group, dtype) < std::tie(other.stem, other.group, other.dtype);
  }
};

struct GroupSize {
  int64_t tensors = 0;
  int64_t elements = 0;
  int64_t bytes = 0;
};

struct Report {
  fs::path folder;
  std::map<std::string, int64_t> files;
  std::vector<std::string> missing;
  std::map<GroupKey, GroupSize> groups;
  GroupSize total;
  DeviceNeeds needs;
  int64_t vae_bytes = 0;
  int64_t token_bytes = 0, int8_token_bytes = 0;  // of a context, in 16 and in 8 bits
};

// "vit_model" of "vit_model.vision_model...", with the next word where the first is only a prefix.
std::string GroupOf(std::string_view tensor) {
  constexpr std::string_view kSkipped = "language_model.model.";
  const std::size_t from = tensor.starts_with(kSkipped) ? kSkipped.size() : 0;
  const std::size_t dot = tensor.find('.', from);
  return std::string(tensor.substr(0, dot));
}

void AddWeights(Report& report, const std::vector<std::string>& stems) {
  try {
    const SafetensorsFolder weights(report.folder.string(), stems);
    for (const auto& [name, tensor] : weights.tensors()) {
      GroupSize& size =
          report.groups[{stems.front(), GroupOf(name), std::string(DTypeName(tensor.dtype))}];
      for (GroupSize* sum : {&size, &report.total}) {
        sum->tensors += 1;
        sum->elements += tensor.elements();
        sum->bytes += static_cast<int64_t>(tensor.data.size());
      }
    }
    if (stems.front() == "ae") {
      report.vae_bytes = report.files["ae.safetensors"];
    } else {
      const BagelConfig config = LoadBagelConfig(report.folder);
      report.needs = MeasureNeeds(weights.tensors(), config);
      report.token_bytes = KvPool::TokenBytes(config.llm, DType::kF16);
      report.int8_token_bytes = KvPool::TokenBytes(config.llm, DType::kI8);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) {
      throw;
    }
    report.missing.push_back(stems.front() + ".safetensors");
  }
}

Report Look(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw Error(ErrorKind::kNotFound, Quote(folder.string()) + " is not a folder");
  }
  Report report;
  report.folder = folder;
  for (const KnownFile& file : kFiles) {
    const auto size = fs::file_size(folder / file.name, error);
    if (!error) {
      report.files[file.name] = static_cast<int64_t>(size);
    } else if (file.needed) {
      report.missing.emplace_back(file.name);
    }
  }
  for (const std::vector<std::string>& stems : kWeights) {
    AddWeights(report, stems);
  }
  return report;
}

void PrintJson(const Report& report) {
  nlohmann::ordered_json groups = nlohmann::ordered_json::array();
  for (const auto& [key, size] : report.groups) {
    groups.push_back({{"file", key.stem},
                      {"group", key.group},
                      {"dtype", key.dtype},
                      {"tensors", size.tensors},
                      {"elements", size.elements},
                      {"bytes", size.bytes}});
  }
  const nlohmann::ordered_json json = {{"folder", report.folder.string()},
                                       {"files", report.files},
                                       {"missing", report.missing},
                                       {"groups", groups},
                                       {"tensors", report.total.tensors},
                                       {"elements", report.total.elements},
                                       {"bytes", report.total.bytes},
                                       {"device_bytes_understand", report.needs.understand},
                                       {"device_bytes_draw", report.needs.draw + report.vae_bytes},
                                       {"token_bytes", report.token_bytes},
                                       {"token_bytes_int8", report.int8_token_bytes}};
  std::printf("%s\n",
              json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

void PrintLine(std::string_view name, std::string_view dtype, const GroupSize& size) {
  std::printf("  %-52.*s %-8.*s %7lld %16lld %14.2f\n", static_cast<int>(name.size()), name.data(),
              static_cast<int>(dtype.size()), dtype.data(), static_cast<long long>(size.tensors),
              static_cast<long long>(size.elements), static_cast<double>(size.bytes) / (1 << 20));
}

void PrintText(const Report& report) {
  std::printf("%s\n", report.folder.c_str());
  for (const auto& [name, bytes] : report.files) {
    std::printf("  %-52s %32lld bytes\n", name.c_str(), static_cast<long long>(bytes));
  }
  for (const std::string& name : report.missing) {
    std::printf("  %-52s %38s\n", name.c_str(), "missing");
  }
  std::printf("\n  %-52s %-8s %7s %16s %14s\n", "group", "dtype", "tensors", "elements", "MiB");
  for (const auto& [key, size] : report.groups) {
    PrintLine(key.stem + ": " + key.group, key.dtype, size);
  }
  PrintLine("total", "", report.total);
  if (report.needs.understand > 0) {
    std::printf(
        "\n  weights on the device: %.2f GB to understand pictures, %.2f GB to draw as well\n",
        static_cast<double>(report.needs.understand) / 1e9,
        static_cast<double>(report.needs.draw + report.vae_bytes) / 1e9);
    std::printf("  a token of a context: %.1f KB in 16 bits, %.1f KB with --kv-cache int8\n",
                static_cast<double>(report.token_bytes) / 1e3,
                static_cast<double>(report.int8_token_bytes) / 1e3);
  }
}

// The texts of a PNG.
void PrintTexts(const std::string& path) {
  const MappedFile file(path);
  const PictureTexts texts = ReadPngTexts(file.bytes());
  if (texts.empty()) {
    throw Error(ErrorKind::kInvalidArgument, path + " does not say how it was made");
  }
  for (const auto& [key, text] : texts) {
    std::printf("%s: %s\n", key.c_str(), PrintableOn(stdout, text).c_str());
  }
}

}  // namespace

void AddInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App& command = *app.add_subcommand(
      "inspect", "Lists what a checkpoint holds and lacks, or how a picture was made");
  AddModelOption(command, options->model);
  command.add_flag("--json", options->json, "One JSON object instead of a table");
  command.footer("Example: bagel inspect --model BAGEL-7B-MoT");
  command.add_option("picture", options->picture, "A PNG made here: tells how instead")
      ->type_name("FILE");
  command.callback([options] {
    if (!options->picture.empty()) {
      PrintTexts(options->picture);
      return;
    }
    const Report report = Look(FindModel(options->model));
    options->json ? PrintJson(report) : PrintText(report);
  });
}

}  // namespace bagel

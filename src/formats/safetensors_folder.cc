#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "formats/json.h"
#include "formats/quote.h"
#include "formats/safetensors.h"

namespace bagel {
namespace {

constexpr std::string_view kExtension = ".safetensors";
constexpr size_t kMaxShards = 10'000;

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string PathIn(const std::string& folder, const std::string& name) {
  return folder + "/" + name;
}

bool IsPlainFileName(const std::string& name) {
  const bool separated = name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos;
  return !separated && name.size() <= 255 && name.size() > kExtension.size() &&
         name.ends_with(kExtension);
}

// Tensor name -> shard file name, both from the index.
std::map<std::string, std::string> ReadIndex(const std::string& path) {
  constexpr JsonLimits kLimits = {.max_bytes = size_t{16} << 20, .max_depth = 16};
  const Json json = ReadJsonFile(path, kLimits);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw Error(ErrorKind::kCorrupt, path + ": expected an object \"weight_map\", found none");
  }
  std::map<std::string, std::string> shard_of;
  for (const auto& [name, shard] : json["weight_map"].items()) {
    const std::string file = shard.is_string() ? shard.get<std::string>() : shard.dump();
    if (!shard.is_string() || !IsPlainFileName(file)) {
      throw Error(ErrorKind::kCorrupt, path + ": tensor " + Quote(name) + ": the shard is " +
                                           Quote(file) + ", expected a plain *.safetensors file " +
                                           "name");
    }
    shard_of.emplace(name, file);
  }
  return shard_of;
}

}  // namespace

SafetensorsFolder::SafetensorsFolder(const std::string& folder,
                                     const std::vector<std::string>& stems)
    : folder_(folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::kNotFound, "there is no folder " + folder);
  }
  std::string tried;
  for (const std::string& stem : stems) {
    const std::string file = stem + std::string(kExtension);
    const std::string file_path = PathIn(folder, file);
    if (Exists(file_path)) {
      AddFile(SafetensorsFile(file_path));
      return;
    }
    const std::string index_path = file_path + ".index.json";
    if (Exists(index_path)) {
      AddShards(index_path);
      return;
    }
    if (!tried.empty()) tried += ", ";
    tried.append(file).append(", ").append(file).append(".index.json");
  }
  throw Error(ErrorKind::kNotFound, folder + ": no weights, looked for " + tried);
}

void SafetensorsFolder::AddFile(SafetensorsFile file) {
  for (const auto& [name, entry] : file.tensors()) {
    if (!tensors_.emplace(name, entry).second) {
      throw Error(ErrorKind::kCorrupt,
                  file.path() + ": tensor " + Quote(name) + " is in another shard already");
    }
  }
  files_.push_back(std::move(file));
}

void SafetensorsFolder::AddShards(const std::string& index_path) {
  const std::map<std::string, std::string> shard_of = ReadIndex(index_path);
  std::set<std::string> shards;
  for (const auto& [name, shard] : shard_of) shards.insert(shard);
  if (shards.empty() || shards.size() > kMaxShards) {
    throw Error(ErrorKind::kCorrupt, index_path + ": names " + std::to_string(shards.size()) +
                                         " shards, expected 1 to " + std::to_string(kMaxShards));
  }
  std::map<std::string, size_t> index_of;
  for (const std::string& shard : shards) {
    index_of[shard] = files_.size();
    AddFile(SafetensorsFile(PathIn(folder_, shard)));
  }
  for (const auto& [name, shard] : shard_of) {
    if (files_[index_of[shard]].Find(name) == nullptr) {
      throw Error(ErrorKind::kCorrupt,
                  index_path + ": tensor " + Quote(name) + " is not in its shard " + Quote(shard));
    }
  }
}

const TensorEntry* SafetensorsFolder::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const TensorEntry& SafetensorsFolder::Get(std::string_view name) const {
  const TensorEntry* const entry = Find(name);
  if (entry == nullptr) {
    throw Error(ErrorKind::kCorrupt, folder_ + ": tensor " + Quote(name) + " is missing");
  }
  return *entry;
}

}  // namespace bagel

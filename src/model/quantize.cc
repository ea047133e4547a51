#include "model/quantize.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "formats/json.h"
#include "formats/quote.h"
#include "model/tensor_quantizer.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVaeFile = "ae.safetensors";
constexpr std::string_view kWeightsExtension = ".safetensors";
constexpr std::string_view kIndexExtension = ".safetensors.index.json";

[[noreturn]] void FailWithErrno(const std::string& what, const fs::path& path) {
  throw Error(ErrorKind::kUnavailable, "cannot " + what + " " + path.string() + ": " +
                                           std::generic_category().message(errno));
}

// A folder under a temporary name, removed unless it is committed.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& target) : target_(target.lexically_normal()) {
    if (!target_.has_filename()) target_ = target_.parent_path();
    std::error_code error;
    if (fs::symlink_status(target_, error).type() != fs::file_type::not_found)
      throw Error(ErrorKind::kInvalidArgument,
                  target_.string() + " exists already, expected a new folder");
    const fs::path path = target_.string() + "." + std::to_string(getpid()) + ".partial";
    if (mkdir(path.c_str(), 0777) != 0) FailWithErrno("create", path);
    path_ = path;
  }
  ~NewFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return path_; }

  void Commit() {
    Flush(path_);
    if (rename(path_.c_str(), target_.c_str()) != 0) FailWithErrno("write", target_);
    path_.clear();
    Flush(target_.has_parent_path() ? target_.parent_path() : ".");
  }

 private:
  // The names in a folder should outlive a power cut; a file system that cannot promise it still
  // has them.
  static void Flush(const fs::path& folder) {
    const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    static_cast<void>(fsync(descriptor));
    close(descriptor);
  }

  fs::path target_;
  fs::path path_;
};

// Where a tensor goes and in which format.
struct Plan {
  const SafetensorsFile* file;
  std::string name;
  TensorEntry entry;
  StoredFormat format;

  std::vector<TensorDeclaration> Declarations() const {
    return TensorQuantizer::Declare({name, entry.dtype, entry.shape}, format);
  }
};

std::vector<Plan> MakePlans(const SafetensorsFolder& checkpoint, const BagelConfig& config,
                            const QuantizePolicy& policy) {
  std::map<std::string, TensorSpec> specs;
  for (TensorSpec& spec : ExpectedTensors(config)) specs.emplace(spec.name, spec);
  std::vector<Plan> plans;
  for (const SafetensorsFile& file : checkpoint.files()) {
    for (const auto& [name, entry] : file.tensors()) {
      if (DescribesQuantization(name) || IsQuantized(checkpoint.tensors(), name))
        throw Error(ErrorKind::kInvalidArgument,
                    file.path() + ": tensor " + Quote(name) +
                        ": expected F32, F16 or BF16 values, found what is quantised already");
      const auto spec = specs.find(name);
      const StoredFormat format =
          spec == specs.end() ? StoredFormat::kAsIs : policy.FormatOf(spec->second);
      if (format != StoredFormat::kAsIs)
        static_cast<void>(FloatFormat(checkpoint, name, spec->second.shape));
      plans.push_back({&file, name, entry, format});
    }
  }
  for (const std::string& pattern : policy.keep) {
    if (std::none_of(plans.begin(), plans.end(), [&](const Plan& plan) {
          return fnmatch(pattern.c_str(), plan.name.c_str(), 0) == 0;
        }))
      throw Error(ErrorKind::kInvalidArgument,
                  "the pattern " + Quote(pattern) + " fits no tensor of " + checkpoint.folder());
  }
  return plans;
}

// The plain files of the folder that are not weights, and the VAE.
std::vector<fs::path> FilesToCopy(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool weights = name.ends_with(kWeightsExtension) || name.ends_with(kIndexExtension);
    if (entry.is_regular_file() && (!weights || name == kVaeFile)) files.push_back(entry.path());
  }
  return files;
}

uint64_t DeclaredBytes(const std::vector<TensorDeclaration>& declarations) {
  uint64_t bytes = 0;
  for (const TensorDeclaration& declaration : declarations) {
    uint64_t size = DTypeSize(declaration.dtype);
    for (const int64_t dimension : declaration.shape) size *= static_cast<uint64_t>(dimension);
    bytes += size;
  }
  return bytes;
}

void CheckDiskSpace(const fs::path& folder, const fs::path& target, uint64_t needed) {
  struct statvfs disk = {};
  if (statvfs(folder.c_str(), &disk) != 0) return;  // writing will tell
  const uint64_t available = uint64_t{disk.f_bavail} * uint64_t{disk.f_frsize};
  if (needed > available)
    throw Error(ErrorKind::kUnavailable, target.string() + ": needs " + std::to_string(needed) +
                                             " bytes, but its disk has only " +
                                             std::to_string(available) + " free");
}

// Everything about one run but the arithmetic.
class FolderQuantizer {
 public:
  FolderQuantizer(const fs::path& from, const QuantizePolicy& policy, ThreadPool& pool,
                  const QuantizeProgress& progress)
      : from_(from),
        checkpoint_(from.string(), {"ema", "model"}),
        plans_(MakePlans(checkpoint_, LoadBagelConfig(from), policy)),
        copies_(FilesToCopy(from)),
        progress_(progress),
        quantizer_(pool, [this](uint64_t bytes) { Advance(bytes); }) {
    constexpr uint64_t kHeaders = 64 << 20;
    result_.bytes_out = kHeaders;
    for (const Plan& plan : plans_) {
      result_.bytes_in += plan.entry.data.size();
      result_.bytes_out += DeclaredBytes(plan.Declarations());
    }
    for (const fs::path& file : copies_) {
      result_.bytes_in += fs::file_size(file);
      result_.bytes_out += fs::file_size(file);
    }
  }

  QuantizeResult Run(const fs::path& to) {
    NewFolder folder(to);
    CheckDiskSpace(folder.path(), to, result_.bytes_out);
    Advance(0);
    result_.bytes_out = 0;
    for (const SafetensorsFile& file : checkpoint_.files()) WriteWeights(file, folder.path());
    WriteIndex(folder.path());
    for (const fs::path& file : copies_) Copy(file, folder.path() / file.filename());
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path()))
      result_.bytes_out += entry.file_size();
    folder.Commit();
    return result_;
  }

 private:
  void Advance(uint64_t bytes) {
    done_ += bytes;
    if (progress_ && !progress_(done_, result_.bytes_in))
      throw Error(ErrorKind::kCancelled, "interrupted; nothing was written");
  }

  void WriteWeights(const SafetensorsFile& file, const fs::path& folder) {
    const std::string name = fs::path(file.path()).filename().string();
    std::vector<TensorDeclaration> declarations;
    for (const Plan& plan : plans_) {
      if (plan.file != &file) continue;
      for (TensorDeclaration& part : plan.Declarations()) {
        file_of_[part.name] = name;
        declarations.push_back(std::move(part));
      }
    }
    const std::map<std::string, std::string> metadata(file.metadata().begin(),
                                                      file.metadata().end());
    SafetensorsWriter writer((folder / name).string(), declarations, metadata);
    for (const Plan& plan : plans_)
      if (plan.file == &file)
        quantizer_.Write(writer, &file.file(), plan.name, plan.entry, plan.format);
    writer.Finish();
  }

  // Beside shards: which of them holds which tensor.
  void WriteIndex(const fs::path& folder) {
    for (const char* stem : {"ema", "model"}) {
      const std::string name = stem + std::string(kIndexExtension);
      const bool whole = fs::exists(from_ / (stem + std::string(kWeightsExtension)));
      if (whole) return;
      if (!fs::exists(from_ / name)) continue;
      std::ofstream stream(folder / name);
      stream << Json{{"metadata", Json::object()}, {"weight_map", file_of_}}.dump(2) << '\n';
      stream.close();
      if (!stream) FailWithErrno("write", folder / name);
      return;
    }
  }

  void Copy(const fs::path& from, const fs::path& to) {
    constexpr size_t kPiece = 16 << 20;
    const MappedFile source(from.string());
    std::FILE* file = std::fopen(to.c_str(), "wbx");
    if (file == nullptr) FailWithErrno("create", to);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> closer(file, std::fclose);
    std::span<const std::byte> left = source.bytes();
    while (!left.empty()) {
      const auto piece = left.first(std::min(kPiece, left.size()));
      if (std::fwrite(piece.data(), 1, piece.size(), file) != piece.size())
        FailWithErrno("write", to);
      source.DontNeed(piece);
      left = left.subspan(piece.size());
      Advance(piece.size());
    }
    if (std::fflush(file) != 0 || fsync(fileno(file)) != 0) FailWithErrno("flush", to);
  }

  fs::path from_;
  SafetensorsFolder checkpoint_;
  std::vector<Plan> plans_;
  std::vector<fs::path> copies_;
  const QuantizeProgress& progress_;
  TensorQuantizer quantizer_;
  QuantizeResult result_;
  uint64_t done_ = 0;
  std::map<std::string, std::string> file_of_;
};

}  // namespace

StoredFormat QuantizePolicy::FormatOf(const TensorSpec& spec) const {
  const auto format = formats.find(spec.role);
  if (spec.role == TensorRole::kVector || format == formats.end()) return StoredFormat::kAsIs;
  const bool kept = std::any_of(keep.begin(), keep.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), spec.name.c_str(), 0) == 0;
  });
  return kept ? StoredFormat::kAsIs : format->second;
}

QuantizePolicy FindPolicy(const std::string& name) {
  if (name != "nf4" && name != "nf4-plain")
    throw Error(ErrorKind::kInvalidArgument,
                "the format is " + Quote(name) + ", expected nf4 or nf4-plain");
  const StoredFormat format = FindStoredFormat(name);
  return {{{TensorRole::kDecoder, format},
           {TensorRole::kHead, format},
           {TensorRole::kVit, StoredFormat::kInt8Block64}},
          {}};
}

DeviceNeeds MeasureNeeds(const TensorMap& tensors, const BagelConfig& config) {
  DeviceNeeds needs;
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    if (spec.role == TensorRole::kEmbedding || !tensors.contains(spec.name)) continue;
    const int64_t bytes = spec.role == TensorRole::kVector
                              ? spec.elements() * static_cast<int64_t>(sizeof(float))
                              : StoredBytes(tensors, spec.name);
    if (!spec.is_drawing) needs.understand += bytes;
    needs.draw += bytes;
  }
  return needs;
}

DeviceNeeds PredictNeeds(const BagelConfig& config, const QuantizePolicy& policy, int64_t element) {
  DeviceNeeds needs;
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    if (spec.role == TensorRole::kEmbedding) continue;
    const int64_t bytes =
        spec.role == TensorRole::kVector
            ? spec.elements() * static_cast<int64_t>(sizeof(float))
            : StoredBytes(policy.FormatOf(spec), spec.elements(), spec.shape.back(), element);
    if (!spec.is_drawing) needs.understand += bytes;
    needs.draw += bytes;
  }
  return needs;
}

QuantizeResult QuantizeCheckpoint(const fs::path& from, const fs::path& to,
                                  const QuantizePolicy& policy, ThreadPool& pool,
                                  const QuantizeProgress& progress) {
  return FolderQuantizer(from, policy, pool, progress).Run(to);
}

}  // namespace bagel

// `--quant` of the commands that load a model: the quantised copy beside it.
#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.h"
#include "model_option.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

// The time of the last change to any file of the folder.
fs::file_time_type LastChange(const fs::path& folder) {
  fs::file_time_type last = fs::file_time_type::min();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file()) last = std::max(last, entry.last_write_time());
  return last;
}

// The time of the earliest; `folder` holds at least one.
fs::file_time_type FirstChange(const fs::path& folder) {
  fs::file_time_type first = fs::file_time_type::max();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    first = std::min(first, entry.last_write_time());
  return first;
}

}  // namespace

fs::path QuantizedModel(const fs::path& model, const std::string& format, int threads) {
  if (format.empty()) return model;
  const QuantizePolicy policy = FindPolicy(format);
  std::error_code error;
  if (!fs::is_directory(model, error))
    throw Error(ErrorKind::kNotFound, model.string() + ": no such model folder");
  fs::path folder = fs::canonical(model);
  folder += "." + format;
  if (fs::is_directory(folder, error)) {
    if (FirstChange(folder) >= LastChange(model)) return folder;
    fs::remove_all(folder, error);
    if (error)
      throw Error(ErrorKind::kUnavailable,
                  "cannot replace " + folder.string() +
                      ", which is older than the model: " + error.message());
  }
  QuantizeFolder(model, folder, policy, threads);
  return folder;
}

void ResolveModel(ModelOptions& options) {
  options.model = QuantizedModel(FindModel(options.model), options.quant, options.threads);
}

}  // namespace bagel

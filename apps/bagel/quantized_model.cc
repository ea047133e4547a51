// `--quant` of the commands that load a model: the quantised copy, beside it or in a cache.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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

bool IsCurrent(const fs::path& folder, const fs::path& model) {
  std::error_code error;
  return fs::is_directory(folder, error) && FirstChange(folder) >= LastChange(model);
}

// The program's folder for what can be made again: the service's, else the user's. Throws
// kUnavailable where there is none.
fs::path CacheFolder(const fs::path& for_what) {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string given = variable("CACHE_DIRECTORY"); !given.empty())
    return given.substr(0, given.find(':'));  // systemd lists all of a unit
  if (const std::string given = variable("XDG_CACHE_HOME"); !given.empty())
    return fs::path(given) / "bagel";
  if (const std::string home = variable("HOME"); !home.empty())
    return fs::path(home) / ".cache/bagel";
  throw Error(ErrorKind::kUnavailable, "cannot write " + for_what.string() +
                                           ", and neither $CACHE_DIRECTORY, $XDG_CACHE_HOME nor "
                                           "$HOME names another place for it");
}

// The whole path as one name: no two models share one.
std::string NameInCache(const fs::path& path) {
  std::string name;
  for (const char c : path.relative_path().string())
    name += c == '/' ? std::string("%2F") : c == '%' ? std::string("%25") : std::string(1, c);
  return name;
}

void MakeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || access(folder.c_str(), W_OK) != 0)
    throw Error(ErrorKind::kUnavailable, "cannot write to the cache " + folder.string() + ": " +
                                             (error ? error.message() : "no permission"));
}

void RemoveOutdated(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error)
    throw Error(ErrorKind::kUnavailable, "cannot replace " + folder.string() +
                                             ", which is older than the model: " + error.message());
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
  if (IsCurrent(folder, model)) return folder;
  if (access(folder.parent_path().c_str(), W_OK) != 0) {
    const fs::path cache = CacheFolder(folder);
    folder = cache / NameInCache(folder);
    if (IsCurrent(folder, model)) return folder;
    MakeFolder(cache);
    std::fprintf(stderr, "bagel: the quantised model goes to %s\n", folder.c_str());
  }
  RemoveOutdated(folder);
  try {
    QuantizeFolder(model, folder, policy, threads);
  } catch (const Error&) {
    if (!IsCurrent(folder, model)) throw;  // else another process was first
  }
  return folder;
}

void ResolveModel(ModelOptions& options) {
  options.model = QuantizedModel(FindModel(options.model), options.quant, options.threads);
}

}  // namespace bagel

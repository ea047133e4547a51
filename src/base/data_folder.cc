#include "base/data_folder.h"

#include <system_error>

#include "base/error.h"

namespace bagel {

namespace fs = std::filesystem;

fs::path FolderOfProgram() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

fs::path FindDataFolder(const std::string& name, const fs::path& installed,
                        const fs::path& source) {
  const fs::path program = FolderOfProgram();
  if (program.empty())
    throw Error(ErrorKind::kNotFound,
                name + " cannot be found: /proc/self/exe does not say where the program lies");
  fs::path beside = (program / ".." / installed).lexically_normal();
  std::error_code error;
  if (fs::is_directory(beside, error)) return beside;
  for (fs::path folder = program; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::is_directory(folder / source, error)) return folder / source;
  throw Error(ErrorKind::kNotFound, name + " are neither in " + beside.string() + " nor in " +
                                        source.string() + " above " + program.string());
}

}  // namespace bagel

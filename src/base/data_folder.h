// Where a program finds the files that come with it.
#ifndef BAGEL_BASE_DATA_FOLDER_H_
#define BAGEL_BASE_DATA_FOLDER_H_

#include <filesystem>
#include <string>

namespace bagel {

// The folder that the running program lies in; empty where that is not known.
std::filesystem::path FolderOfProgram();

// A folder that comes with the program: `installed` below the prefix that the program is installed
// in ("share/bagel/demo-model" for /usr/bin/bagel is /usr/share/bagel/demo-model); else `source`
// below a folder above the program, as for a build inside the source tree. Throws Error kNotFound
// that says what `name` is missing ("the pictures") and where it was looked for.
std::filesystem::path FindDataFolder(const std::string& name,
                                     const std::filesystem::path& installed,
                                     const std::filesystem::path& source);

}  // namespace bagel

#endif  // BAGEL_BASE_DATA_FOLDER_H_

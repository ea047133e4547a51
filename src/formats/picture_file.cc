#include "formats/picture_file.h"

#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "formats/mapped_file.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

constexpr int kJpegQuality = 95;
constexpr int kWebpQuality = 95;

std::string Ending(const std::string& path) {
  std::string ending = fs::path(path).extension().string();
  for (char& c : ending) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return ending;
}

std::vector<std::byte> Encode(const std::string& path, const Picture& picture,
                              const PictureTexts& texts) {
  const std::string ending = Ending(path);
  if (ending == ".png") {
    return EncodePng(picture, texts);
  }
  return ending == ".webp" ? EncodeWebp(picture, kWebpQuality) : EncodeJpeg(picture, kJpegQuality);
}

// Where a file is written before it gets its name.
std::string PartName(const std::string& path) {
  return path + ".part" + std::to_string(::getpid());
}

}  // namespace

void CheckPictureName(const std::string& path) {
  const std::string ending = Ending(path);
  if (ending != ".png" && ending != ".jpg" && ending != ".jpeg" && ending != ".webp") {
    throw Error(ErrorKind::kUnsupported,
                "the name " + path + " ends in none of .png, .jpg, .jpeg and .webp");
  }
}

void CheckWritable(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    throw Error(ErrorKind::kInvalidArgument, path + " is a folder");
  }
  const std::string part = PartName(path);
  const bool opened = std::ofstream(part, std::ios::binary).is_open();
  fs::remove(part, error);
  if (!opened) {
    throw Error(ErrorKind::kUnavailable, path + ": cannot be written");
  }
}

void WritePicture(const std::string& path, const Picture& picture, const PictureTexts& texts,
                  bool force) {
  const std::vector<std::byte> bytes = Encode(path, picture, texts);
  const std::string part = PartName(path);
  std::ofstream file(part, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (!file) {
    fs::remove(part, error);
    throw Error(ErrorKind::kUnavailable, path + ": cannot be written");
  }
  // A hard link is only made where there is no such name yet; not every file system has them.
  if (!force) {
    fs::create_hard_link(part, path, error);
  }
  if (force || (error && error != std::errc::file_exists && !fs::exists(path))) {
    fs::rename(part, path, error);
  }
  const std::error_code failure = error;
  fs::remove(part, error);
  if (failure == std::errc::file_exists) {
    throw Error(ErrorKind::kInvalidArgument, path + " exists; --force replaces it");
  }
  if (failure) {
    throw Error(ErrorKind::kUnavailable, path + ": " + failure.message());
  }
}

Picture ReadPictureFile(const std::string& path) {
  const MappedFile file(path);
  try {
    return DecodePicture(file.bytes());
  } catch (const Error& error) {
    throw Error(error.kind(), path + ": " + error.what());
  }
}

}  // namespace bagel

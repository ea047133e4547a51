// Pictures that stand in for a camera: a file, a folder.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "formats/quote.h"
#include "vision/camera_source.h"

namespace bagel::vision {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenStills{200};
constexpr std::chrono::seconds kBetweenPictures{5};
constexpr uintmax_t kMaxFileBytes = uintmax_t{64} << 20;
constexpr size_t kMaxPictures = 100'000;

// Reads and decodes. Throws Error that names the file.
cv::Mat LoadPicture(const std::string& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) {
    throw Error(ErrorKind::kNotFound, "cannot read " + Quote(path) + ": " + error.message());
  }
  if (size > kMaxFileBytes) {
    throw Error(ErrorKind::kTooLarge, Quote(path) + " has " + std::to_string(size) +
                                          " bytes, at most " + std::to_string(kMaxFileBytes) +
                                          " are read");
  }
  std::vector<char> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  try {
    return DecodeFrame(std::as_bytes(std::span(bytes)));
  } catch (const Error& failure) {
    throw Error(failure.kind(), Quote(path) + ": " + failure.what());
  }
}

bool HasPictureName(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

// By name. Throws Error if there is none.
std::vector<std::string> PicturesIn(const std::string& folder) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (HasPictureName(entry->path()) && pictures.size() < kMaxPictures) {
      pictures.push_back(entry->path());
    }
  }
  if (error) {
    throw Error(ErrorKind::kNotFound,
                "cannot read the folder " + Quote(folder) + ": " + error.message());
  }
  if (pictures.empty()) {
    throw Error(ErrorKind::kNotFound,
                "the folder " + Quote(folder) + " holds no .jpg, .png or .webp picture");
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

class StillSource : public FrameSource {
 public:
  StillSource(std::vector<std::string> pictures, size_t first)
      : pictures_(std::move(pictures)), next_(first % pictures_.size()) {}

  SourceFrame Read(steady_clock::time_point /*wanted_from*/, const StopSignal& stop) override {
    const auto now = steady_clock::now();
    if (picture_.empty() || (pictures_.size() > 1 && now - shown_ >= kBetweenPictures)) {
      Advance();
      shown_ = now;
    } else if (stop.WaitFor(kBetweenStills)) {
      return {};
    }
    return {picture_, steady_clock::now()};
  }

  std::string Format() const override {
    return std::to_string(picture_.cols) + "x" + std::to_string(picture_.rows);
  }

 private:
  // To the next picture that can be decoded.
  void Advance() {
    std::string reason;
    for (size_t tried = 0; tried < pictures_.size(); ++tried) {
      const std::string& path = pictures_[next_];
      next_ = (next_ + 1) % pictures_.size();
      try {
        picture_ = LoadPicture(path);
        return;
      } catch (const Error& failure) {
        reason = failure.what();
        ++broken_;
      }
    }
    throw CameraError(State::kCameraOffline, "no picture can be read: " + reason);
  }

  const std::vector<std::string> pictures_;
  size_t next_;
  cv::Mat picture_;
  steady_clock::time_point shown_;
};

}  // namespace

SourceRecipe PictureRecipe(const std::string& path) {
  LoadPicture(path);
  SourceRecipe recipe;
  recipe.name = path;
  recipe.open = [path](const StopSignal&) {
    return std::make_unique<StillSource>(std::vector<std::string>{path}, 0);
  };
  return recipe;
}

SourceRecipe FolderRecipe(const std::string& path, int first) {
  const size_t count = PicturesIn(path).size();
  if (first < 1 || static_cast<size_t>(first) > count) {
    throw Error(ErrorKind::kInvalidArgument, "picture " + std::to_string(first) + " of " +
                                                 Quote(path) + " does not exist, there are " +
                                                 std::to_string(count));
  }
  SourceRecipe recipe;
  recipe.name = path;
  recipe.open = [path, first](const StopSignal&) -> std::unique_ptr<FrameSource> {
    try {
      return std::make_unique<StillSource>(PicturesIn(path), static_cast<size_t>(first - 1));
    } catch (const Error& failure) {
      throw CameraError(State::kCameraOffline, failure.what());
    }
  };
  return recipe;
}

}  // namespace bagel::vision

// A folder of pictures that does not grow for ever.
#ifndef BAGEL_VISION_SNAPSHOTS_H_
#define BAGEL_VISION_SNAPSHOTS_H_

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace bagel::vision {

struct SnapshotOptions {
  std::string folder;  // made if need be, for its owner alone
  size_t max_files = 1'000;
  std::chrono::hours max_age{24 * 7};
};

// Thread-safe. Only files that end in .jpg are ever removed.
class Snapshots {
 public:
  // Throws kUnavailable when the folder cannot be made.
  explicit Snapshots(const SnapshotOptions& options);

  // Stores `jpeg` as NAME.jpg, readable by its owner alone, removes what is too old or too much,
  // and returns the path. Throws kUnavailable when it cannot be written. `name` holds no slash.
  std::string Save(const std::string& name, const std::string& jpeg);

 private:
  void Prune();

  const SnapshotOptions options_;
  std::mutex mutex_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_SNAPSHOTS_H_

// Small pictures on the terminal, or as a file where it shows none.
#ifndef BAGEL_APPS_BAGEL_PREVIEW_H_
#define BAGEL_APPS_BAGEL_PREVIEW_H_

#include <string>

#include "formats/picture.h"

namespace bagel {

// The file that holds previews of a picture `name` where the terminal shows none.
std::string PreviewName(const std::string& name);

class PreviewShower {
 public:
  // `name` is the finished picture's.
  explicit PreviewShower(const std::string& name);
  ~PreviewShower();  // removes the file
  PreviewShower(const PreviewShower&) = delete;
  PreviewShower& operator=(const PreviewShower&) = delete;

  void Show(const Picture& picture);

 private:
  enum class Way { kKitty, kIterm, kSixel, kFile };

  static Way FindWay();

  const std::string file_;
  const Way way_ = FindWay();
  bool shown_ = false;
};

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_PREVIEW_H_

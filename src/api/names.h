// Model names as Ollama writes them: [host/][namespace/]model[:tag].
#ifndef BAGEL_API_NAMES_H_
#define BAGEL_API_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

namespace bagel::api {

// The names that one served model answers to.
class ModelNames {
 public:
  // `folder` is the checkpoint folder's name; characters that a name cannot have become '-'.
  explicit ModelNames(std::string_view folder);

  // True for the folder's name and "bagel-7b-mot", in any case, with :latest, :image or no tag, and
  // with Ollama's default registry and namespace spelled out or not.
  bool Matches(std::string_view name) const;

  // True for a name with the tag that asks for pictures.
  static bool HasImageTag(std::string_view name);

  // What listings show, with tag: the folder's name first, each name again with the tag for
  // pictures where the model `draws`.
  std::vector<std::string> Listed(bool draws) const;

  // The short name without tag.
  const std::string& short_name() const { return names_.front(); }

 private:
  std::vector<std::string> names_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_NAMES_H_

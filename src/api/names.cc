#include "api/names.h"

#include <algorithm>
#include <cctype>

namespace bagel::api {
namespace {

constexpr std::string_view kPublishedName = "bagel-7b-mot";

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string CleanName(std::string_view folder) {
  std::string name(folder);
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) { return c >= 0x80 || (std::isalnum(c) == 0 && c != '.' && c != '_'); },
      '-');
  return name.empty() ? std::string(kPublishedName) : name;
}

}  // namespace

ModelNames::ModelNames(std::string_view folder) : names_{CleanName(folder)} {
  if (Lower(names_.front()) != kPublishedName) {
    names_.emplace_back(kPublishedName);
  }
}

bool ModelNames::Matches(std::string_view name) const {
  std::string wanted = Lower(name);
  for (const std::string_view prefix : {"registry.ollama.ai/", "library/"}) {
    if (wanted.starts_with(prefix)) {
      wanted.erase(0, prefix.size());
    }
  }
  const std::size_t colon = wanted.find(':');
  if (colon != std::string::npos) {
    const std::string tag = wanted.substr(colon + 1);
    if (tag != "latest" && tag != "image") {
      return false;
    }
    wanted.resize(colon);
  }
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& served) { return Lower(served) == wanted; });
}

bool ModelNames::HasImageTag(std::string_view name) { return Lower(name).ends_with(":image"); }

std::vector<std::string> ModelNames::Listed(bool draws) const {
  std::vector<std::string> listed;
  for (const std::string& name : names_) {
    listed.push_back(name + ":latest");
  }
  for (const std::string& name : draws ? names_ : std::vector<std::string>()) {
    listed.push_back(name + ":image");
  }
  return listed;
}

}  // namespace bagel::api

#include "api/names.h"

#include <gtest/gtest.h>

namespace bagel::api {
namespace {

TEST(ModelNames, AnswersToFolderAndPublishedNameInAnyCaseWithTags) {
  const ModelNames names("My Model");
  for (const char* name :
       {"my-model", "MY-MODEL:latest", "My-Model:Image", "bagel-7b-mot", "BAGEL-7B-MoT:latest",
        "library/bagel-7b-mot", "registry.ollama.ai/library/my-model:latest"}) {
    EXPECT_TRUE(names.Matches(name)) << name;
  }
  for (const char* name : {"", "bagel", "my-model:7b", "my-model:", ":latest", "other/my-model",
                           "my-model:latest:latest", "../my-model"}) {
    EXPECT_FALSE(names.Matches(name)) << name;
  }
}

TEST(ModelNames, ListsEachNameOnce) {
  EXPECT_EQ(ModelNames("demo").Listed(false),
            (std::vector<std::string>{"demo:latest", "bagel-7b-mot:latest"}));
  EXPECT_EQ(ModelNames("BAGEL-7B-MoT").Listed(true),
            (std::vector<std::string>{"BAGEL-7B-MoT:latest", "BAGEL-7B-MoT:image"}));
  EXPECT_EQ(ModelNames("").short_name(), "bagel-7b-mot");
}

TEST(ModelNames, KnowsTheTagForPictures) {
  EXPECT_TRUE(ModelNames::HasImageTag("bagel:IMAGE"));
  EXPECT_FALSE(ModelNames::HasImageTag("bagel"));
}

}  // namespace
}  // namespace bagel::api

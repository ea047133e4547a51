#include "base/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

TEST(DataFolder, IsFoundAboveABuild) {
  const fs::path folder = FindDataFolder("the pictures", "share/bagel/none", "demo/pictures");
  EXPECT_TRUE(fs::is_regular_file(folder / "labels.json")) << folder;
}

TEST(DataFolder, BesideTheProgramComesFirst) {
  const fs::path program = FolderOfProgram();
  EXPECT_EQ(FindDataFolder("the programs", program.filename(), "demo/pictures"), program);
}

TEST(DataFolder, BothPlacesAreNamed) {
  try {
    FindDataFolder("the pictures", "share/none", "none/at-all");
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_THAT(error.what(), testing::HasSubstr("the pictures are neither in"));
    EXPECT_THAT(error.what(), testing::HasSubstr("share/none"));
    EXPECT_THAT(error.what(), testing::HasSubstr("none/at-all above"));
  }
}

}  // namespace
}  // namespace bagel

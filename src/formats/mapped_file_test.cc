#include "formats/mapped_file.h"

#include <utility>

#include "formats/test_support.h"

namespace bagel {
namespace {

TEST(MappedFileTest, BytesSurviveMovingTheObject) {
  const TemporaryFolder folder;
  MappedFile first(folder.Write("a", "content"));
  const std::byte* const data = first.bytes().data();
  first.Sequential();
  first.WillNeed(first.bytes().subspan(3));
  first.DontNeed(first.bytes());
  MappedFile second = std::move(first);
  EXPECT_EQ(second.bytes().data(), data);
  EXPECT_EQ(second.bytes()[6], std::byte{'t'});
  MappedFile third(folder.Write("b", ""));
  EXPECT_TRUE(third.bytes().empty());
  third.WillNeed({});
  third = std::move(second);
  EXPECT_EQ(third.bytes().size(), 7U);
  EXPECT_EQ(third.path(), folder.Path("a"));
}

TEST(MappedFileTest, WhatIsNoFileIsNamed) {
  const TemporaryFolder folder;
  EXPECT_BAGEL_ERROR(MappedFile(folder.Path("x")), ErrorKind::kNotFound,
                     "cannot open " + folder.Path("x") + ": No such file or directory");
  EXPECT_BAGEL_ERROR(MappedFile(folder.path()), ErrorKind::kInvalidArgument,
                     folder.path() + " is a directory, expected a file");
  EXPECT_BAGEL_ERROR(MappedFile("/dev/null"), ErrorKind::kInvalidArgument,
                     "/dev/null is not a regular file, expected a file");
  EXPECT_THROW(MappedFile(""), Error);
  EXPECT_THROW(MappedFile(folder.Write("f", "x") + "/g"), Error);
  EXPECT_THROW(MappedFile(std::string("a\0b", 3)), Error);
}

}  // namespace
}  // namespace bagel

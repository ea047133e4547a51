#include "formats/safetensors_writer.h"

#include "formats/safetensors.h"
#include "formats/test_support.h"

namespace bagel {
namespace {

std::vector<std::byte> Bytes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

size_t FilesIn(const TemporaryFolder& folder) {
  const std::filesystem::directory_iterator files(folder.path());
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(SafetensorsWriterTest, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("out.safetensors");
  // Odd sizes and small elements first: the file must put them in another order.
  const std::vector<TensorDeclaration> tensors = {{"codes", DType::kU8, {7, 1}},
                                                  {"empty", DType::kF32, {0, 5}},
                                                  {"half", DType::kBF16, {3}},
                                                  {"scalar", DType::kF64, {}},
                                                  {"\xC3\xA9\"\\", DType::kF32, {2, 3, 5}},
                                                  {"flags", DType::kBool, {2, 2}}};
  SafetensorsWriter writer(path, tensors, {{"format", "pt"}, {"note", "a\nb"}});
  for (size_t i = 0; i < tensors.size(); ++i) {
    size_t count = DTypeSize(tensors[i].dtype);
    for (const int64_t dimension : tensors[i].shape) count *= static_cast<size_t>(dimension);
    const std::vector<std::byte> data = Bytes(count, static_cast<unsigned>(i));
    const size_t half = count / 2;
    writer.Append(tensors[i].name, std::span(data).first(half));
    writer.Append(tensors[i].name, std::span(data).subspan(half));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.Finish();
  EXPECT_EQ(FilesIn(folder), 1U);

  const SafetensorsFile file(path);
  EXPECT_EQ(file.tensors().size(), tensors.size());
  EXPECT_EQ(file.metadata().at("note"), "a\nb");
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorEntry* const entry = file.Find(tensors[i].name);
    ASSERT_NE(entry, nullptr) << tensors[i].name;
    EXPECT_EQ(entry->dtype, tensors[i].dtype);
    EXPECT_EQ(entry->shape, tensors[i].shape);
    const std::vector<std::byte> data = Bytes(entry->data.size(), static_cast<unsigned>(i));
    EXPECT_EQ(std::vector<std::byte>(entry->data.begin(), entry->data.end()), data);
  }
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.Find("scalar")->data.data()) % 8, 0U);
}

TEST(SafetensorsWriterTest, AnUnfinishedFileLeavesNothingAndKeepsTheOldOne) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("out.safetensors", "old");
  {
    SafetensorsWriter writer(path, {{"a", DType::kU8, {4}}});
    EXPECT_EQ(FilesIn(folder), 2U);
  }
  EXPECT_EQ(FilesIn(folder), 1U);
  EXPECT_EQ(ReadBytes(path).size(), 3U);
}

TEST(SafetensorsWriterTest, NoTensorsAtAll) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder.Path("none.safetensors"), {});
  writer.Finish();
  EXPECT_TRUE(SafetensorsFile(folder.Path("none.safetensors")).tensors().empty());
}

TEST(SafetensorsWriterTest, WhatCannotBeWrittenIsRefusedAtOnce) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("x.safetensors");
  const auto make = [&](std::vector<TensorDeclaration> tensors) {
    SafetensorsWriter writer(path, std::move(tensors));
  };
  EXPECT_BAGEL_ERROR(make({{"a", DType::kU8, {1}}, {"a", DType::kU8, {1}}}),
                     ErrorKind::kInvalidArgument,
                     path + ": cannot write a tensor named \"a\" a second time");
  EXPECT_THROW(make({{"", DType::kU8, {1}}}), Error);
  EXPECT_THROW(make({{"\xFF", DType::kU8, {1}}}), Error);
  EXPECT_THROW(make({{"__metadata__", DType::kU8, {1}}}), Error);
  EXPECT_THROW(make({{"a", DType::kU8, {-1}}}), Error);
  EXPECT_THROW(make({{"a", DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}}}), Error);
  try {
    make({{"a", DType::kU8, {int64_t{1} << 55}}});
    ADD_FAILURE() << "2^55 bytes fit on the disk";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
    EXPECT_NE(std::string(error.what()).find(" bytes, but its disk has only "), std::string::npos);
  }
  EXPECT_THROW(SafetensorsWriter(folder.Path("missing/x.safetensors"), {}), Error);
  EXPECT_EQ(FilesIn(folder), 0U);
}

}  // namespace
}  // namespace bagel

#include "formats/safetensors.h"

#include <fstream>

#include "formats/json.h"
#include "formats/test_support.h"

namespace bagel {
namespace {

// A header that keeps the data behind it aligned.
std::string Padded(std::string header) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

// Length, header and data of a file.
std::string FileText(const std::string& header, std::string_view data) {
  std::string text;
  for (size_t i = 0; i < 8; ++i) text += static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return text + header + std::string(data);
}

class SafetensorsTest : public testing::Test {
 protected:
  std::string Path(const std::string& name = "f.safetensors") const { return folder_.Path(name); }
  void ExpectBroken(const std::string& text, const std::string& message,
                    ErrorKind kind = ErrorKind::kCorrupt) const {
    SCOPED_TRACE(text.substr(0, 200));
    folder_.Write("f.safetensors", text);
    EXPECT_BAGEL_ERROR(SafetensorsFile(Path()), kind, Path() + ": " + message);
  }
  // A header that is wrong in itself, or about the eight bytes that follow.
  void ExpectBadHeader(const std::string& header, const std::string& message,
                       ErrorKind kind = ErrorKind::kCorrupt) const {
    ExpectBroken(FileText(header, "12345678"), message, kind);
  }

  const TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, ReadsTheGoldenCheckpoint) {
  SafetensorsFile opened("tests/golden/model/ema.safetensors");
  const SafetensorsFile file = std::move(opened);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const TensorEntry* const weight = file.Find("connector.fc1.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dtype, DType::kBF16);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{256, 144}));
  EXPECT_EQ(weight->elements(), 256 * 144);
  EXPECT_EQ(file.Find("connector"), nullptr);
  size_t bytes = 0;
  for (const auto& [name, entry] : file.tensors()) bytes += entry.data.size();
  EXPECT_EQ(bytes + 8 + 15392, file.file().bytes().size());
}

TEST_F(SafetensorsTest, ReadsWhatTheFormatAllows) {
  const std::string header =
      R"({"__metadata__": null, "\u00e9": {"dtype": "F32", "shape": [1], "new": [{}, 1],)"
      R"( "data_offsets": [0, 4]}, "none": {"shape": [3, 0], "dtype": "I64",)"
      R"( "data_offsets": [4, 4]}, "one": {"data_offsets": [4, 5], "dtype": "BOOL",)"
      R"( "shape": []}})";
  folder_.Write("f.safetensors", FileText(Padded(header), "abcde"));
  const SafetensorsFile file(Path());
  EXPECT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.Find("\xC3\xA9")->data.size(), 4U);
  EXPECT_EQ(file.Find("none")->elements(), 0);
  EXPECT_EQ(file.Find("one")->elements(), 1);
}

TEST_F(SafetensorsTest, BrokenFrames) {
  ExpectBroken("", "has 0 bytes, too few for a safetensors file");
  ExpectBroken("1234567", "has 7 bytes, too few for a safetensors file");
  ExpectBroken(std::string("\x10\0\0\0\0\0\0\0{}", 10),
               "the header claims 16 bytes, but only 2 follow");
  ExpectBroken(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10),
               "the header claims 18446744073709551615 bytes, more than the limit 100000000",
               ErrorKind::kTooLarge);
  ExpectBroken(FileText("", ""), "the header does not begin with {");
  ExpectBroken(FileText("{}", "x"), "the file holds 1 data bytes, but its tensors end at 0");
  EXPECT_BAGEL_ERROR(SafetensorsFile(Path("missing")), ErrorKind::kNotFound,
                     "cannot open " + Path("missing") + ": No such file or directory");
  EXPECT_BAGEL_ERROR(SafetensorsFile(folder_.path()), ErrorKind::kInvalidArgument,
                     folder_.path() + " is a directory, expected a file");
}

TEST_F(SafetensorsTest, BrokenHeaders) {
  ExpectBadHeader("[]", "the header does not begin with {");
  ExpectBadHeader("{\"a\xFF\": 1}", "the header is not valid UTF-8");
  ExpectBadHeader("{\"a\": {", "the header is not valid JSON, broken at its byte 8 near \"a\"");
  ExpectBadHeader("{}{}", "the header is not valid JSON, broken at its byte 3");
  ExpectBadHeader("{\"a\": 1}", "tensor \"a\": found 1, expected an object");
  ExpectBadHeader("{\"a\": [1]}", "tensor \"a\": found a list, expected an object");
  ExpectBadHeader("{\"a\": {}}", "tensor \"a\": the field \"dtype\" is missing");
  ExpectBadHeader("{\"__metadata__\": {\"a\": 1}}",
                  "tensor \"__metadata__\": an entry is 1, expected a string");
  std::string deep = "{\"a\": {\"x\": ";
  deep.append(200'000, '[');
  ExpectBadHeader(deep, "tensor \"a\": the header is nested too deeply");
  deep = "{\"a\": ";
  for (int i = 0; i < 100'000; ++i) deep += "{\"x\": ";
  ExpectBadHeader(deep, "tensor \"a\": the header is nested too deeply");
}

TEST_F(SafetensorsTest, BrokenTensors) {
  const auto tensor = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return "{\"t\": {\"dtype\": " + dtype + ", \"shape\": " + shape +
           ", \"data_offsets\": " + offsets + "}}";
  };
  const std::string t = "tensor \"t\": ";
  ExpectBadHeader(tensor("\"Q4\"", "[8]", "[0, 8]"),
                  t + "the dtype is \"Q4\", expected F32, F16, BF16, U8 or another known one",
                  ErrorKind::kUnsupported);
  ExpectBadHeader(tensor("8", "[8]", "[0, 8]"), t + "the field \"dtype\" is 8, expected a string");
  ExpectBadHeader(tensor("\"U8\"", "8", "[0, 8]"), t + "the field \"shape\" is 8, expected a list");
  ExpectBadHeader(tensor("\"U8\"", "[-8]", "[0, 8]"),
                  t + "a dimension is -8, expected a whole number from 0 to 2^63-1");
  ExpectBadHeader(tensor("\"U8\"", "[8.0]", "[0, 8]"),
                  t + "a dimension is 8.0, expected a whole number from 0 to 2^63-1");
  ExpectBadHeader(tensor("\"U8\"", "[[8]]", "[0, 8]"),
                  t + "a dimension is a list, expected a whole number from 0 to 2^63-1");
  ExpectBadHeader(tensor("\"U8\"", "[18446744073709551615]", "[0, 8]"),
                  t + "a dimension is 18446744073709551615, expected a whole number from 0 to "
                      "2^63-1");
  ExpectBadHeader(tensor("\"F32\"", "[4294967296, 4294967296]", "[0, 8]"),
                  t + "the shape [4294967296, 4294967296] overflows 2^63-1 bytes");
  ExpectBadHeader(tensor("\"U8\"", "[0, 4294967296, 4294967296]", "[0, 0]"),
                  t + "the shape [0, 4294967296, 4294967296] overflows 2^63-1 bytes");
  ExpectBadHeader(tensor("\"F32\"", "[3]", "[0, 8]"),
                  t + "data offsets 0 to 8 do not span the 12 bytes of F32 [3]");
  ExpectBadHeader(tensor("\"U8\"", "[8]", "[8, 0]"),
                  t + "data offsets 8 to 0 do not span the 8 bytes of U8 [8]");
  ExpectBadHeader(tensor("\"U8\"", "[8]", "[0]"), t + "has 1 data offsets, expected two");
  ExpectBadHeader(tensor("\"U8\"", "[8]", "[0, 4, 8]"), t + "has more than two data offsets");
  ExpectBadHeader(tensor("\"U8\"", "[9]", "[0, 9]"),
                  t + "ends at data byte 9, but the file holds 8 (is it cut off?)");
  ExpectBadHeader(tensor("\"U8\"", "[4]", "[0, 4]"),
                  "the file holds 8 data bytes, but its tensors end at 4");
  ExpectBadHeader(tensor("\"U8\"", "[4]", "[4, 8]"),
                  t + "begins at data byte 4 after a gap, expected 0");
  std::string shape = "[1";
  for (int i = 0; i < 100; ++i) shape += ", 1";
  ExpectBadHeader(tensor("\"U8\"", shape + "]", "[0, 1]"), t + "has more than 32 dimensions",
                  ErrorKind::kUnsupported);
}

TEST_F(SafetensorsTest, BrokenLayouts) {
  const std::string a = R"("a": {"dtype": "U8", "shape": [5], "data_offsets": [0, 5]})";
  ExpectBadHeader("{" + a + ", " + a + "}", "tensor \"a\": the name comes twice");
  ExpectBadHeader("{" + a + R"(, "b": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}})",
                  "tensor \"b\": begins at data byte 4 inside another tensor, expected 5");
  ExpectBadHeader(R"({"a": {"dtype": "U8", "dtype": "U8"}})",
                  "tensor \"a\": the field \"dtype\" comes twice");
  const std::string odd =
      "{" + a + R"(, "b": {"dtype": "F16", "shape": [1], "data_offsets": [5, 7]}})";
  ExpectBroken(FileText(Padded(odd), "1234567"),
               "the data of tensor \"b\" is not aligned to its 2-byte elements; a current "
               "safetensors library writes aligned files",
               ErrorKind::kUnsupported);
  const std::string name(1'000'000, 'n');
  ExpectBadHeader("{\"" + name + "\": 1}", "tensor \"" + name.substr(0, 120) +
                                               "\"... (1000000 bytes): found 1, expected " +
                                               "an object");
}

TEST_F(SafetensorsTest, DamagedFilesNeverCrash) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("a":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
      R"("c":{"dtype":"U8","shape":[5,1],"data_offsets":[32,37],"x":[1,{"y":null}]}})";
  const std::string text = FileText(Padded(header), std::string(37, 'd'));
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  const std::vector<std::byte> original(begin, begin + text.size());
  std::mt19937 random(11);
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<std::byte> bytes = Mutated(original, random);
    folder_.Write("f.safetensors", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    try {
      const SafetensorsFile file(Path());
      size_t total = 0;
      for (const auto& [name, entry] : file.tensors()) {
        for (const std::byte byte : entry.data) total += static_cast<size_t>(byte);
      }
      good += total != 1;
    } catch (const Error& error) {
      ASSERT_NE(std::string(error.what()).find(Path()), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(good, 0);
  EXPECT_LT(good, 20'000);
}

class SafetensorsFolderTest : public SafetensorsTest {
 protected:
  static std::string OneTensor(const std::string& name) {
    return FileText("{\"" + name + R"(": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}})",
                    "x");
  }
  void ExpectBadFolder(const std::string& message, ErrorKind kind = ErrorKind::kCorrupt) const {
    EXPECT_BAGEL_ERROR(SafetensorsFolder(folder_.path(), {"ema", "model"}), kind,
                       folder_.path() + message);
  }
};

TEST_F(SafetensorsFolderTest, TheWholeFileWinsOverAnIndex) {
  folder_.Write("ema.safetensors", OneTensor("a"));
  folder_.Write("model.safetensors.index.json", R"({"weight_map": {"a": "gone.safetensors"}})");
  const SafetensorsFolder weights(folder_.path(), {"ema", "model"});
  EXPECT_NE(weights.Find("a"), nullptr);
  EXPECT_EQ(weights.Get("a").data.size(), 1U);
  EXPECT_BAGEL_ERROR(weights.Get("b"), ErrorKind::kCorrupt,
                     folder_.path() + ": tensor \"b\" is missing");
}

TEST_F(SafetensorsFolderTest, ShardsAreOneMap) {
  folder_.Write("one.safetensors", OneTensor("a"));
  folder_.Write("two.safetensors", OneTensor("b"));
  folder_.Write(
      "model.safetensors.index.json",
      R"({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  const SafetensorsFolder weights(folder_.path(), {"ema", "model"});
  EXPECT_EQ(weights.tensors().size(), 2U);
  EXPECT_EQ(weights.files().size(), 2U);
  EXPECT_EQ(weights.Get("b").elements(), 1);
}

TEST_F(SafetensorsFolderTest, BrokenFolders) {
  ExpectBadFolder(
      ": no weights, looked for ema.safetensors, ema.safetensors.index.json, "
      "model.safetensors, model.safetensors.index.json",
      ErrorKind::kNotFound);
  EXPECT_BAGEL_ERROR(SafetensorsFolder(Path("gone"), {"ema"}), ErrorKind::kNotFound,
                     "there is no folder " + Path("gone"));
  const std::string index = "/ema.safetensors.index.json";
  const auto write_index = [&](const std::string& text) {
    folder_.Write("ema.safetensors.index.json", text);
  };
  write_index("[]");
  ExpectBadFolder(index + ": expected an object \"weight_map\", found none");
  write_index("{\"weight_map\": {}}");
  ExpectBadFolder(index + ": names 0 shards, expected 1 to 10000");
  for (const std::string shard : {"../x.safetensors", "/etc/x.safetensors", "x.bin", "",
                                  ".safetensors", "a\\\\b.safetensors", "a\\u0000.safetensors"}) {
    write_index("{\"weight_map\": {\"a\": \"" + shard + "\"}}");
    EXPECT_THROW(SafetensorsFolder(folder_.path(), {"ema"}), Error) << shard;
  }
  write_index("{\"weight_map\": {\"a\": 5}}");
  ExpectBadFolder(index +
                  ": tensor \"a\": the shard is \"5\", expected a plain *.safetensors file name");
  folder_.Write("one.safetensors", OneTensor("a"));
  folder_.Write("two.safetensors", OneTensor("a"));
  write_index(R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  ExpectBadFolder("/two.safetensors: tensor \"a\" is in another shard already");
  write_index(R"({"weight_map": {"b": "one.safetensors"}})");
  ExpectBadFolder(index + ": tensor \"b\" is not in its shard \"one.safetensors\"");
  write_index(R"({"weight_map": {"b": "gone.safetensors"}})");
  EXPECT_BAGEL_ERROR(SafetensorsFolder(folder_.path(), {"ema"}), ErrorKind::kNotFound,
                     "cannot open " + Path("gone.safetensors") + ": No such file or directory");
}

}  // namespace
}  // namespace bagel

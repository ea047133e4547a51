#include "text/tokenizer_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace bagel {
namespace {

using testing::HasSubstr;

// A copy of the small model's files in a folder of its own, to be broken one at a time.
class TokenizerFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("bagel_" + std::string(info->name()) + "_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
      const std::filesystem::path target = folder_ / name;
      std::filesystem::copy_file(std::filesystem::path("tests/golden/model") / name, target,
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Read(const std::string& name) const {
    std::ifstream stream(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void Write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  // Replaces the first `from` in a fresh copy of the file.
  void Replace(const std::string& name, const std::string& from, const std::string& to) const {
    std::string content = Read(name);
    const size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    Write(name, content.replace(at, from.size(), to));
  }
  void ExpectError(ErrorKind kind, const std::string& name, const std::string& value) {
    try {
      Tokenizer::Load(folder_);
      ADD_FAILURE() << "loaded in spite of " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_THAT(error.what(), HasSubstr((folder_ / name).string()));
      EXPECT_THAT(error.what(), HasSubstr(value));
      EXPECT_TRUE(IsValidUtf8(error.what()));
      EXPECT_LT(std::string(error.what()).size(), 500u);
    }
  }
  void ExpectCorrupt(const std::string& name, const std::string& content,
                     const std::string& value) {
    const std::string whole = Read(name);
    Write(name, content);
    ExpectError(ErrorKind::kCorrupt, name, value);
    Write(name, whole);
  }

  std::filesystem::path folder_;
};

TEST_F(TokenizerFilesTest, MissingFiles) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    std::filesystem::rename(folder_ / name, folder_ / "away");
    ExpectError(ErrorKind::kNotFound, name, "");
    std::filesystem::create_directory(folder_ / name);
    ExpectError(ErrorKind::kInvalidArgument, name, "");
    std::filesystem::remove(folder_ / name);
    std::filesystem::rename(folder_ / "away", folder_ / name);
  }
  EXPECT_EQ(Tokenizer::Load(folder_).size(), 634);
}

TEST_F(TokenizerFilesTest, LargeFiles) {
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    const std::string whole = Read(name);
    std::filesystem::resize_file(folder_ / name, (uint64_t{64} << 20) + 1);
    ExpectError(ErrorKind::kTooLarge, name, "limit");
    Write(name, whole);
  }
}

TEST_F(TokenizerFilesTest, Vocabulary) {
  for (const auto& [content, value] : std::vector<std::pair<std::string, std::string>>{
           {"", "byte 1"},
           {"{\"a\":1", "byte"},
           {"{\"a\":1} x", "byte"},
           {"{\"\xFF\":1}", "byte"},
           {"[1]", "an array"},
           {"3", "a number"},
           {"null", "null"},
           {"{\"a\":{\"b\":1}}", "an object for the token \"a\""},
           {"{\"a\":[]}", "an array for the token \"a\""},
           {"{\"a\":\"b\"}", "a string for the token \"a\""},
           {"{\"a\":true}", "a truth value for the token \"a\""},
           {"{\"a\":-1}", "the id -1 for the token \"a\""},
           {"{\"a\":1e999}", "byte"},
           {"{\"a\":1.5}", "the id 1.5 for the token \"a\""},
           {"{\"a\":1048576}", "the id 1048576"},
           {"{\"a\":99999999999999999999999}", "the id 99999999999999999999999"},
           {"{\"a\":1,\"b\":1}", "the id 1 twice"},
           {"{\"a\":1,\"a\":2}", "\"a\" twice"},
           {"{\"a\\u0000\\n\":1}", "\"a\\x00\\x0a\""},
           {"{\"\":1}", "\"\""},
           {"{\"a b\":1}", "\"a b\""},
           {"{\"\\u4E00\":1}", "\"\u4E00\""},
           {"{\"\\u0144\":1}", "\"\u0144\""},
           {"{\"" + std::string(5000, ' ') + "\":1}", "..."},
           {"{\"a\":1}", "single byte 0"},
           {"{}", "single byte 0"},
           {std::string(1'000'000, '['), "an array"},
       }) {
    ExpectCorrupt("vocab.json", content, value);
  }
}

TEST_F(TokenizerFilesTest, Merges) {
  for (const auto& [line, value] : std::vector<std::pair<std::string, std::string>>{
           {"ab", "line 366, \"ab\""},
           {"a b c", "\"a b c\""},
           {"a  b", "\"a  b\""},
           {" a", "\" a\""},
           {"a ", "\"a \""},
           {"a \xFF", "\"a \uFFFD\""},
           {"#version: 0.2", "\"#version:\""},
           {"qqq a", "no token \"qqq\""},
           {"a qqq", "no token \"qqq\""},
           {"q q", "no token \"qq\""},
           {"i n", "a second time"},
           {std::string(100'000, 'q') + " q", "..."},
       }) {
    ExpectCorrupt("merges.txt", Read("merges.txt") + line + "\n", value);
  }
}

TEST_F(TokenizerFilesTest, WindowsLineEndsAreFine) {
  const Tokenizer before = Tokenizer::Load(folder_);
  std::string content;
  for (const char c : Read("merges.txt")) content += c == '\n' ? "\r\n" : std::string(1, c);
  Write("merges.txt", content);
  const std::string text = "The quick brown fox is in the house";
  EXPECT_EQ(Tokenizer::Load(folder_).Encode(text, Specials::kPlain),
            before.Encode(text, Specials::kPlain));
}

TEST_F(TokenizerFilesTest, Config) {
  const auto with = [](const std::string& tokens) {
    return "{\"added_tokens_decoder\":" + tokens + "}";
  };
  for (const auto& [content, value] : std::vector<std::pair<std::string, std::string>>{
           {"", "byte 1"},
           {"{", "byte 2"},
           {"{\"\xFF\":1}", "byte"},
           {"[]", "not a JSON object"},
           {"{\"x\":1e999}", "number"},
           {with("[]"), "added_tokens_decoder"},
           {with("{\"-1\":{\"content\":\"<x>\"}}"), "\"-1\""},
           {with("{\"07\":{\"content\":\"<x>\"}}"), "\"07\""},
           {with("{\"x\":{\"content\":\"<x>\"}}"), "\"x\""},
           {with("{\"\":{\"content\":\"<x>\"}}"), "\"\""},
           {with("{\"1048576\":{\"content\":\"<x>\"}}"), "\"1048576\""},
           {with("{\"99999999999999\":{\"content\":\"<x>\"}}"), "\"99999999999999\""},
           {with("{\"700\":3}"), "700"},
           {with("{\"700\":{}}"), "700"},
           {with("{\"700\":{\"content\":5}}"), "700"},
           {with("{\"700\":{\"content\":\"\"}}"), "0 bytes"},
           {with("{\"700\":{\"content\":\"" + std::string(2000, 'x') + "\"}}"), "2000 bytes"},
           {with("{\"700\":{\"content\":\"<x>\",\"special\":1}}"), "special"},
           {with("{\"700\":{\"content\":\"<x>\"},\"701\":{\"content\":\"<x>\"}}"), "\"<x>\" twice"},
           {with("{\"5\":{\"content\":\"<x>\"}}"), "\"<x>\" with the id 5"},
           {with("{\"700\":{\"content\":\"in\"}}"), "\"in\" with the id 700"},
           {with("{\"700\":{\"content\":\"a\"}}"), "\"a\" with the id 700"},
       }) {
    ExpectCorrupt("tokenizer_config.json", content, value);
  }
  std::string many = "{\"700\":{}";
  for (int id = 701; id < 6000; ++id) many += ",\"" + std::to_string(id) + "\":{}";
  ExpectCorrupt("tokenizer_config.json", with(many + "}"), "5300 added tokens");
  Write("tokenizer_config.json", with("{\"700\":{\"content\":\"<x>\",\"lstrip\":true}}"));
  ExpectError(ErrorKind::kUnsupported, "tokenizer_config.json", "lstrip");
}

TEST_F(TokenizerFilesTest, RandomDamageLoadsOrIsNamed) {
  std::mt19937 random(11);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    const std::string whole = Read(name);
    int refused = 0;
    for (int round = 0; round < 300; ++round) {
      std::string damaged = whole;
      for (size_t count = 1 + random() % 3; count > 0; --count) {
        const size_t at = random() % damaged.size();
        switch (random() % 4) {
          case 0:
            damaged[at] = static_cast<char>(random());
            break;
          case 1:
            damaged.erase(at, random() % 20);
            break;
          case 2:
            damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 20));
            break;
          default:
            damaged.resize(at + 1);
        }
      }
      Write(name, damaged);
      try {
        const Tokenizer tokenizer = Tokenizer::Load(folder_);
        EXPECT_EQ(tokenizer.Decode(tokenizer.Encode("in the <|im_end|>", Specials::kPlain)),
                  "in the <|im_end|>");
      } catch (const Error& error) {
        ++refused;
        EXPECT_THAT(error.what(), HasSubstr(folder_.string()));
        EXPECT_TRUE(IsValidUtf8(error.what()));
      }
    }
    EXPECT_GT(refused, 50) << name;
    Write(name, whole);
  }
}

TEST_F(TokenizerFilesTest, OrdinaryTextCannotMakeAnAddedToken) {
  const int32_t in = Tokenizer::Load(folder_).Encode("in", Specials::kPlain).at(0);
  Write("tokenizer_config.json", "{\"added_tokens_decoder\":{\"" + std::to_string(in) +
                                     "\":{\"content\":\"in\",\"special\":true}}}");
  ExpectError(ErrorKind::kCorrupt, "merges.txt", "\"i\" and \"n\"");
}

TEST_F(TokenizerFilesTest, AddedTokensMayAlsoStandInTheVocabulary) {
  Replace("vocab.json", "{", "{\"<|im_end|>\":622,");
  const Tokenizer tokenizer = Tokenizer::Load(folder_);
  EXPECT_EQ(tokenizer.Encode("<|im_end|>", Specials::kParse), std::vector<int32_t>{622});
  EXPECT_GT(tokenizer.Encode("<|im_end|>", Specials::kPlain).size(), 1u);
}

TEST_F(TokenizerFilesTest, WithoutAddedTokens) {
  Write("tokenizer_config.json", "{}");
  const Tokenizer tokenizer = Tokenizer::Load(folder_);
  EXPECT_GT(tokenizer.Encode("<|im_end|>", Specials::kParse).size(), 1u);
  try {
    tokenizer.SpecialId("<|im_end|>");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("\"<|im_end|>\""));
  }
}

}  // namespace
}  // namespace bagel

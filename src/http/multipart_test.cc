#include "http/multipart.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/error.h"

namespace bagel::http {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=XyZ";

std::string Part(const std::string& disposition, const std::string& data) {
  return "--XyZ\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + data + "\r\n";
}

std::string ErrorOf(std::string_view type, std::string_view body) {
  try {
    ReadMultipart(type, body);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Multipart, ReadsFieldsAndFiles) {
  const std::string data("\0\r\n--Xy\r\n", 9);
  const std::string body = "preamble\r\n" + Part("name=\"prompt\"", "a\r\nb") +
                           "--XyZ\r\nContent-Type: image/png\r\ncontent-disposition: form-data; "
                           "filename=\"a;name=\\\"b\"; name=\"image[]\"\r\n\r\n" +
                           data + "\r\n" + Part("name=n", "") + "--XyZ--\r\nepilogue";
  const auto parts = ReadMultipart(kType, body);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].name, "prompt");
  EXPECT_EQ(parts[0].data, "a\r\nb");
  EXPECT_EQ(parts[1].name, "image[]");
  EXPECT_EQ(parts[1].data, data);
  EXPECT_EQ(parts[2].name, "n");
  EXPECT_EQ(parts[2].data, "");
}

TEST(Multipart, KnowsItsType) {
  EXPECT_TRUE(IsMultipart("Multipart/Form-Data; boundary=\"a b\""));
  EXPECT_FALSE(IsMultipart("application/json"));
  EXPECT_EQ(ReadMultipart("multipart/form-data; Boundary=\"a b\"", "--a b--").size(), 0U);
}

TEST(Multipart, RefusesWhatIsBroken) {
  const std::string whole = Part("name=\"a\"", "1") + "--XyZ--";
  EXPECT_NE(ErrorOf("multipart/form-data", whole).find("boundary"), std::string::npos);
  EXPECT_NE(ErrorOf(kType, "").find("does not occur"), std::string::npos);
  EXPECT_NE(ErrorOf(kType, Part("filename=\"a\"", "1") + "--XyZ--").find("no name"),
            std::string::npos);
  EXPECT_NE(ErrorOf(kType, whole.substr(0, whole.size() - 9)).find("ends inside"),
            std::string::npos);
  std::string many;
  for (int i = 0; i < 300; ++i) {
    many += Part("name=\"a\"", "1");
  }
  EXPECT_THROW(ReadMultipart(kType, many + "--XyZ--"), Error);
  EXPECT_THROW(ReadMultipart(kType, Part("name=\"" + std::string(10000, 'a') + "\"", "1")), Error);
}

TEST(Multipart, SurvivesAnything) {
  std::mt19937 random(7);
  const std::string whole =
      Part("name=\"a\"; filename=\"\\\"", "1\r\n--XyZ") + Part("name=b", "\r\n\r\n") + "--XyZ--";
  for (int i = 0; i < 20000; ++i) {
    std::string body = whole;
    for (int edit = 0; edit < 3; ++edit) {
      const size_t at = random() % (body.size() + 1);
      if (random() % 2 == 0) {
        body.insert(at, 1, "\r\n-XyZ;\"\\:"[random() % 10]);
      } else {
        body.erase(at, random() % 4);
      }
    }
    try {
      ReadMultipart(kType, body);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace bagel::http

#include "api/images_request.h"

#include <gtest/gtest.h>

#include <string>

#include "api/api_error.h"

namespace bagel::api {
namespace {

ImagesRequest Read(std::string_view json, bool edit = false) {
  return ReadImagesRequest("application/json", json, edit, 16);
}

std::string ErrorOf(std::string_view json, bool edit = false) {
  try {
    Read(json, edit);
  } catch (const Error& error) {
    return std::to_string(StatusOf(error)) + ": " + error.what();
  }
  return "no error";
}

TEST(ImagesRequest, ReadsJson) {
  const ImagesRequest request = Read(R"({"prompt":"a cat","model":"m","n":3,"size":"512x256",
      "output_format":"webp","output_compression":50,"response_format":"url","stream":true,
      "partial_images":2,"seed":7,"num_inference_steps":9,"quality":"high","user":"u",
      "background":null})");
  EXPECT_EQ(request.prompt, "a cat");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.count, 3);
  EXPECT_EQ(request.picture.width, 512);
  EXPECT_EQ(request.picture.height, 256);
  EXPECT_EQ(request.format, PictureFormat::kWebp);
  EXPECT_EQ(request.quality, 50);
  EXPECT_TRUE(request.as_url && request.stream);
  EXPECT_EQ(request.partial_images, 2);
  EXPECT_EQ(request.picture.seed, 7);
  EXPECT_EQ(request.picture.steps, 9);
  EXPECT_FALSE(Read(R"({"prompt":"a","size":"auto"})").picture.WantsPicture());
}

TEST(ImagesRequest, ReadsPicturesInEveryForm) {
  for (const char* images :
       {R"("image":"YWI=")", R"("image":"data:image/png;base64,YWI=")", R"("image":["YWI="])",
        R"("images":[{"image_url":"YWI="}])", R"("image[]":{"image_url":"data:;base64,YWI="})"}) {
    const ImagesRequest request =
        Read(R"({"prompt":"a",)" + std::string(images) + "}", /*edit=*/true);
    ASSERT_EQ(request.images.size(), 1U) << images;
    EXPECT_EQ(request.images[0].size(), 2U);
  }
}

TEST(ImagesRequest, ReadsForms) {
  const std::string head = "--b\r\nContent-Disposition: form-data; name=";
  const std::string body = head + "\"prompt\"\r\n\r\na\r\n" + head + "\"n\"\r\n\r\n2\r\n" + head +
                           "\"stream\"\r\n\r\ntrue\r\n" + head +
                           "\"cfg_interval\"\r\n\r\n0.25,0.5\r\n" + head +
                           "\"image[]\"; filename=\"upload\"\r\n\r\nxyz\r\n--b--\r\n";
  const ImagesRequest request =
      ReadImagesRequest("multipart/form-data; boundary=b", body, /*edit=*/true, 16);
  EXPECT_EQ(request.count, 2);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.picture.interval, std::pair(0.25, 0.5));
  ASSERT_EQ(request.images.size(), 1U);
  EXPECT_EQ(request.images[0].size(), 3U);
}

TEST(ImagesRequest, NamesWhatIsWrong) {
  EXPECT_EQ(ErrorOf("{}"), "400: prompt is required");
  EXPECT_EQ(ErrorOf("[]"), "400: the request is a JSON array, expected an object");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a"})", true), "400: image is required");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","size":"big"})"),
            R"(400: size is "big", expected WIDTHxHEIGHT or auto)");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","size":"1x-1"})"),
            R"(400: size is "1x-1", expected WIDTHxHEIGHT or auto)");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","n":11})"),
            "400: n is 11, expected a whole number from 1 to 10");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","output_format":"gif"})"),
            R"(400: output_format is "gif", expected png, jpeg or webp)");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","mask":"YWI="})"),
            "501: mask: edits of a part of a picture are not supported");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","image":"https://a/b.png"})", true),
            "400: image URLs are not currently supported, please use base64 encoded data instead");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","image":[["YWI="]]})", true),
            "400: invalid image: a list of pictures in a list of pictures");
  EXPECT_EQ(ErrorOf(R"({"prompt":"a","image":{"file_id":"f"}})", true),
            "400: invalid image: only image_url with a data URL is taken");
  std::string many = R"({"prompt":"a","image":["")";
  for (int i = 0; i < 16; ++i) {
    many += ",\"\"";
  }
  EXPECT_EQ(ErrorOf(many + "]}", true), "413: more than 16 pictures in one request");
}

}  // namespace
}  // namespace bagel::api

#include "vision/objects.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <opencv2/imgcodecs.hpp>

#include "base/error.h"
#include "http/http_server.h"
#include "vision/coco_labels.h"
#include "vision/letterbox.h"
#include "vision/onnx_objects.h"
#include "vision/remote_objects.h"
#include "vision/toy_networks.h"

namespace bagel::vision {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

cv::Mat Tensor(int rows, int columns) {
  const int shape[] = {1, rows, columns};
  return {3, shape, CV_32F, cv::Scalar(0)};
}

TEST(CocoLabels, OfEightyClassesHaveNames) {
  EXPECT_EQ(ClassLabel(0, 80), "person");
  EXPECT_EQ(ClassLabel(41, 80), "cup");
  EXPECT_EQ(ClassLabel(79, 80), "toothbrush");
  EXPECT_EQ(ClassLabel(80, 80), "class 80");
  EXPECT_EQ(ClassLabel(3, 7), "class 3");
}

TEST(Letterbox, ThereAndBack) {
  const cv::Mat wide(720, 1280, CV_8UC3, cv::Scalar::all(255));
  const Letterbox middle(wide, {640, 640}, Letterbox::Place::kMiddle);
  EXPECT_EQ(middle.picture().at<cv::Vec3b>(139, 320), cv::Vec3b(114, 114, 114));
  EXPECT_EQ(middle.picture().at<cv::Vec3b>(140, 320), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(middle.ToSource({0, 140, 640, 360}), cv::Rect2f(0, 0, 1280, 720));
  EXPECT_EQ(middle.ToSource({10, 150, 20, 30}), cv::Rect2f(20, 20, 40, 60));
  EXPECT_EQ(middle.ToSource({-10, 100, 20, 50}), cv::Rect2f(0, 0, 20, 20));
  EXPECT_TRUE(middle.ToSource({0, 0, 640, 139}).empty());
  EXPECT_TRUE(middle.ToSource({std::nan(""), 150, 20, 30}).empty());
  const Letterbox top(wide, {640, 640}, Letterbox::Place::kTopLeft);
  EXPECT_EQ(top.picture().at<cv::Vec3b>(0, 0), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(top.ToSource({10, 10, 20, 30}), cv::Rect2f(20, 20, 40, 60));
  const Letterbox line(cv::Mat(1, 5000, CV_8UC3), {64, 64}, Letterbox::Place::kMiddle);
  EXPECT_EQ(line.picture().size(), cv::Size(64, 64));
}

TEST(DecodeYolo, OfYolov8TakesTheBestClassAndTheBestBox) {
  cv::Mat output = Tensor(84, 189);  // for 96x96
  const auto set = [&](int cell, int class_id, float score, float x) {
    auto* numbers = output.ptr<float>();
    const float box[] = {x, 48, 20, 40};
    for (int i = 0; i < 4; ++i) {
      numbers[i * 189 + cell] = box[i];
    }
    numbers[(4 + class_id) * 189 + cell] = score;
  };
  set(7, 41, 0.8F, 40);
  set(8, 41, 0.9F, 41);      // covers it
  set(9, 0, 0.7F, 41);       // of another class
  set(9, 1, 0.6F, 41);       // the same box, less sure
  set(100, 5, 0.39F, 80);    // too unsure
  set(101, 5, 0.95F, kNan);  // no number
  const std::vector<Object> objects = DecodeYolo(output, {96, 96});
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].label, "cup");
  EXPECT_EQ(objects[0].score, 0.9F);
  EXPECT_EQ(objects[0].box, cv::Rect2f(31, 28, 20, 40));
  EXPECT_EQ(objects[1].label, "person");
}

TEST(DecodeYolo, OfYoloxUsesTheCellAndBothScores) {
  cv::Mat output = Tensor(189, 85);
  // Stride 16: behind the 144 cells of stride 8; cell (2, 1) of 6x6.
  float* row = output.ptr<float>() + (144 + 6 * 1 + 2) * 85;
  row[0] = 0.5F;
  row[1] = 0.25F;
  row[2] = std::log(2.0F);
  row[3] = std::log(3.0F);
  row[4] = 0.9F;
  row[5 + 16] = 0.5F;
  const std::vector<Object> objects = DecodeYolo(output, {96, 96});
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].label, "dog");
  EXPECT_FLOAT_EQ(objects[0].score, 0.45F);
  EXPECT_NEAR(objects[0].box.x, 40 - 16, 1e-3);
  EXPECT_NEAR(objects[0].box.y, 20 - 24, 1e-3);
  EXPECT_NEAR(objects[0].box.width, 32, 1e-3);
  EXPECT_NEAR(objects[0].box.height, 48, 1e-3);
}

TEST(DecodeYolo, OtherShapesAreUnsupported) {
  for (const auto& [rows, columns] : {std::pair(84, 188), {188, 85}, {4, 189}, {189, 5}, {1, 1}}) {
    EXPECT_THROW(DecodeYolo(Tensor(rows, columns), {96, 96}), Error) << rows << "x" << columns;
  }
  EXPECT_THROW(DecodeYolo(cv::Mat(84, 189, CV_32F, cv::Scalar(0)), {96, 96}), Error);
  EXPECT_THROW(DecodeYolo(cv::Mat(), {96, 96}), Error);
}

// A red and a blue square in a wide picture; the input is 96x96.
TEST(OnnxObjects, FindThroughAFileOfEitherLayout) {
  const std::string file = testing::TempDir() + "toy_yolo.onnx";
  cv::Mat picture(96, 192, CV_8UC3, cv::Scalar::all(0));
  picture(cv::Rect(32, 32, 16, 16)) = cv::Scalar(0, 0, 255);
  picture(cv::Rect(128, 64, 16, 16)) = cv::Scalar(255, 0, 0);
  for (const OnnxWriter& network : {ToyYolov8(96), ToyYolox(96)}) {
    network.Write(file);
    const auto finder = MakeObjectFinder("onnx:" + file);
    EXPECT_EQ(finder->Name(), "onnx toy_yolo.onnx");
    std::vector<Object> objects = finder->Find(picture);
    ASSERT_EQ(objects.size(), 2U);
    if (objects[0].class_id != 0) {
      std::swap(objects[0], objects[1]);
    }
    EXPECT_EQ(objects[0].label, "person");
    EXPECT_EQ(objects[0].box, cv::Rect2f(32, 32, 16, 16));
    EXPECT_EQ(objects[1].label, "car");
    EXPECT_EQ(objects[1].box, cv::Rect2f(128, 64, 16, 16));
  }
  ToyYunet(64).Write(file);
  EXPECT_THROW(MakeObjectFinder("onnx:" + file), Error);
  std::filesystem::remove(file);
}

TEST(MakeObjectFinder, SaysWhatIsWrong) {
  EXPECT_EQ(MakeObjectFinder("none"), nullptr);
  for (const char* spec :
       {"", "hailo:", "onnx", "onnx:", "yolo:x", "hailo:http://", "onnx:/no/such"}) {
    EXPECT_THROW(MakeObjectFinder(spec), Error) << spec;
  }
}

TEST(ObjectsJson, ThereAndBack) {
  const std::vector<Object> objects = {{"cup", 41, 0.75F, {10, 20, 30, 40}}};
  const std::vector<Object> back =
      ObjectsFromJson(ObjectsToJson(objects, "hailo", {640, 480}), {640, 480});
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].label, "cup");
  EXPECT_EQ(back[0].box, objects[0].box);
  EXPECT_THROW(ObjectsFromJson(ObjectsToJson(objects, "hailo", {640, 480}), {320, 240}), Error);
}

TEST(ObjectsJson, NonsenseIsCorrupt) {
  const std::string head = R"({"width":640,"height":480,"objects":)";
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("null"), head + "}", head + "{}}",
        head + "[1]}", head + R"([{"label":"x","class_id":1,"score":0.5}]})",
        head + R"([{"label":"x","class_id":1,"score":7,"box":[1,2,3,4]}]})",
        head + R"([{"label":"x","class_id":1,"score":0.5,"box":[1,2,3]}]})",
        head + R"([{"label":"x","class_id":1,"score":0.5,"box":[1,2,3,1e300]}]})",
        head + R"([{"label":"x","class_id":-1,"score":0.5,"box":[1,2,3,4]}]})",
        head + R"([{"label":7,"class_id":1,"score":0.5,"box":[1,2,3,4]}]})"}) {
    try {
      ObjectsFromJson(text, {640, 480});
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt) << text << ": " << error.what();
    }
  }
}

TEST(RemoteObjects, AskTheOtherMachine) {
  std::string answer;
  int status = 200;
  http::Router router;
  router.Add("POST", "/detect", http::Work::kHeavy,
             [&](const http::HttpRequest& request, const std::shared_ptr<http::HttpReply>& reply) {
               const cv::Mat picture = cv::imdecode(
                   std::vector<uchar>(request.body.begin(), request.body.end()), cv::IMREAD_COLOR);
               EXPECT_EQ(picture.size(), cv::Size(640, 480));
               reply->Send(status, "application/json", answer);
             });
  http::ServerOptions options;
  options.port = 0;
  http::HttpServer server(options, std::move(router));
  const auto finder =
      MakeObjectFinder("hailo:http://127.0.0.1:" + std::to_string(server.port()) + "/");
  const cv::Mat picture(480, 640, CV_8UC3, cv::Scalar::all(50));

  answer = ObjectsToJson({{"dog", 16, 0.5F, {1, 2, 3, 4}}}, "hailo", {640, 480});
  const std::vector<Object> objects = finder->Find(picture);
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].label, "dog");

  answer = "nonsense";
  EXPECT_THROW(finder->Find(picture), Error);
  status = 501;
  answer = R"({"error": "no detector"})";
  try {
    finder->Find(picture);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable);
    EXPECT_NE(std::string(error.what()).find("no detector"), std::string::npos) << error.what();
  }
}

TEST(RemoteObjects, NobodyThereIsAnErrorOfFind) {
  const auto finder = MakeObjectFinder("hailo:http://127.0.0.1:1");
  EXPECT_THROW(finder->Find(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(50))), Error);
}

}  // namespace
}  // namespace bagel::vision

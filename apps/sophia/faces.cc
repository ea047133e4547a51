// sophia faces: the faces of a picture file, and what is cut out around the main one.
#include "vision/faces.h"

#include <cstdio>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "formats/picture_file.h"

namespace bagel {
namespace {

struct FacesCommand {
  std::string file;
  std::string finder = "haar";
  vision::FaceOptions options;
  std::string out;
  bool force = false;
};

// RGB colours.
const cv::Scalar kFaceColour(0, 200, 0);
const cv::Scalar kMainColour(255, 60, 0);
const cv::Scalar kCropColour(40, 120, 255);

std::string PlaceAndSize(const cv::Rect& box) {
  return std::to_string(box.x) + "," + std::to_string(box.y) + " of " + std::to_string(box.width) +
         "x" + std::to_string(box.height);
}

// A frame of a few pixels on any size of picture.
void DrawBox(cv::Mat& rgb, const cv::Rect& box, const cv::Scalar& colour) {
  const int thickness = std::max(2, std::max(rgb.cols, rgb.rows) / 400);
  cv::rectangle(rgb, box, colour, thickness);
}

void FindFaces(const FacesCommand& command) {
  if (!command.out.empty()) {
    CheckPictureName(command.out);
  }
  const auto finder = vision::MakeFaceFinder(command.finder, command.options);
  Picture picture = ReadPictureFile(command.file);
  cv::Mat rgb(picture.height, picture.width, CV_8UC3, picture.rgb.data());
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  const std::vector<vision::Face> faces = finder->Find(bgr);
  const std::optional<vision::Face> main = vision::MainFace(faces, bgr.size());
  for (const vision::Face& face : faces) {
    const bool is_main = face.box == main->box;
    DrawBox(rgb, face.box, is_main ? kMainColour : kFaceColour);
    std::printf("face at %s, score %.3g", PlaceAndSize(face.box).c_str(),
                static_cast<double>(face.score));
    if (is_main) {
      const cv::Rect crop = vision::FaceCrop(face.box, bgr.size());
      DrawBox(rgb, crop, kCropColour);
      std::printf(", the main one, crop at %s", PlaceAndSize(crop).c_str());
    }
    std::printf("\n");
  }
  if (faces.empty()) {
    std::printf("no face\n");
  }
  if (!command.out.empty()) {
    WritePicture(command.out, picture, {}, command.force);
  }
}

}  // namespace

void AddFaces(CLI::App& app) {
  auto options = std::make_shared<FacesCommand>();
  CLI::App& command = *app.add_subcommand("faces", "Finds the faces of a picture file");
  command.add_option("file", options->file, "PNG, JPEG or WebP")->type_name("FILE")->required();
  command
      .add_option("--faces", options->finder,
                  "The detector: a cascade of OpenCV's, or an ONNX file")
      ->type_name("haar|haar:FILE|yunet:FILE")
      ->capture_default_str();
  command
      .add_option("--scale", options->options.scale,
                  "haar: the step between two sizes; smaller finds more and takes longer")
      ->capture_default_str();
  command.add_option("--min-size", options->options.min_size, "The smallest face's side in pixels")
      ->capture_default_str();
  command
      .add_option("-o,--out", options->out, "Draw the boxes and the crop into this picture file")
      ->type_name("FILE");
  command.add_flag("--force", options->force, "Replace the picture file");
  command.callback([options] { FindFaces(*options); });
}

}  // namespace bagel

// What was seen at one moment, for people, programs and language models.
#ifndef BAGEL_VISION_REPORT_H_
#define BAGEL_VISION_REPORT_H_

#include <chrono>
#include <map>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "vision/faces.h"
#include "vision/frame.h"
#include "vision/mood.h"
#include "vision/objects.h"

namespace bagel::vision {

// The version of the JSON form; share/sophia/report.schema.json describes it.
inline constexpr const char* kReportSchema = "sophia.report/1";

struct Report {
  std::optional<std::chrono::system_clock::time_point> captured_at;  // none without a frame
  std::chrono::milliseconds age{0};                                  // of the frame, when asked
  std::string camera;
  State state = State::kStarting;
  std::string detail;  // one sentence about the state; empty where all is well
  cv::Size frame_size;
  std::vector<Face> faces;
  std::optional<size_t> main_face;  // index into faces
  std::string person;               // the model's words; empty where they are not known
  Mood mood;                        // of the main face; an empty label where nobody asked
  bool objects_asked = false;
  std::vector<Object> objects;
  std::string model;
  std::map<std::string, double> timings_ms;  // "frame", "faces", "person", "mood", "objects", ...
};

// One JSON object, in ASCII, without line ends.
std::string ToJson(const Report& report);

// For people: a few lines. What stands before and after the person's heading and words is there for
// those who print the words as they come.
std::string ToText(const Report& report);
std::string TextBeforePerson(const Report& report);
std::string TextAfterPerson(const Report& report);
inline constexpr const char* kPersonHeading = "Person: ";

// For a language model's context: short, with stable headings; says what is not known, and that the
// sentences of the vision model are observations and no instructions.
std::string ToContext(const Report& report);

std::string ToMarkdown(const Report& report);

// "2026-11-25T02:55:32.120Z".
std::string IsoTime(std::chrono::system_clock::time_point time);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_REPORT_H_

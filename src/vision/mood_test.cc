#include "vision/mood.h"

#include <gtest/gtest.h>

namespace bagel::vision {
namespace {

struct Case {
  const char* answer;
  const char* label;
  const char* reason;
};

TEST(MoodTest, ReadsAnswers) {
  const Case cases[] = {
      {"Relaxed - soft eyes, slight smile, loose jaw.", "relaxed",
       "soft eyes, slight smile, loose jaw."},
      {" Happy \u2013 bright eyes and a wide smile\n", "happy", "bright eyes and a wide smile"},
      {"Sad: lowered gaze.", "sad", "lowered gaze."},
      {"Angry", "angry", "Angry"},
      {"PRIMARY emotion: Surprised - raised eyebrows.", "surprised", "raised eyebrows."},
      {"The person appears to be happy, with a wide smile.", "happy",
       "The person appears to be happy, with a wide smile."},
      {"With relaxed brows and lowered gaze the man seems sad.", "sad",
       "With relaxed brows and lowered gaze the man seems sad."},
      {"She is not happy but tired.", "tired", "She is not happy but tired."},
      {"Calm, with a neutral mouth", "relaxed", "with a neutral mouth"},
      {"A smile that says nothing.", "unknown", "A smile that says nothing."},
      {"", "unknown", ""},
      {"\x1bHappy\x07 - \xff", "happy", "\xff"},
  };
  for (const Case& c : cases) {
    const Mood mood = ParseMood(c.answer);
    EXPECT_EQ(mood.label, c.label) << c.answer;
    EXPECT_EQ(mood.reason, c.reason) << c.answer;
  }
}

}  // namespace
}  // namespace bagel::vision

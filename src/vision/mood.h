// A model's sentence about a face, as a word and a reason.
#ifndef BAGEL_VISION_MOOD_H_
#define BAGEL_VISION_MOOD_H_

#include <string>
#include <string_view>

namespace bagel::vision {

struct Mood {
  std::string label;   // one of the words below, "unknown", or empty where nobody asked
  std::string reason;  // "soft eyes, slight smile"; may be empty
};

// Reads an answer to the mood prompt: "Relaxed - soft eyes, slight smile." or what other models
// make of it, "The person appears to be happy, with a wide smile.". Synonyms become one word each:
// happy, sad, angry, surprised, relaxed, tired, neutral, afraid, disgusted, confused, worried,
// bored, focused, amused, embarrassed, thoughtful, excited. Negated words do not count, nor do
// those that tell of a part of the face ("relaxed brows").
Mood ParseMood(std::string_view answer);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_MOOD_H_

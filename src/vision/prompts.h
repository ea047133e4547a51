// What the vision model is asked.
#ifndef BAGEL_VISION_PROMPTS_H_
#define BAGEL_VISION_PROMPTS_H_

namespace bagel::vision {

inline constexpr const char* kPersonPrompt =
    "Describe this person: appearance, clothing, expression, emotion, body language, environment.";
inline constexpr double kPersonTemperature = 0.3;
inline constexpr int kPersonTokens = 150;

inline constexpr const char* kMoodPrompt =
    "Analyze this person's facial expression and emotional state. Consider: eye openness, mouth "
    "shape, eyebrow position, forehead tension, jaw clenching, eye contact direction. Give the "
    "PRIMARY emotion and a BRIEF explanation. One sentence. Example: 'Relaxed - soft eyes, slight "
    "smile, loose jaw.'";
inline constexpr double kMoodTemperature = 0.2;
inline constexpr int kMoodTokens = 60;

inline constexpr const char* kScenePrompt = "Describe this security camera scene.";
inline constexpr double kSceneTemperature = 0.3;
inline constexpr int kSceneTokens = 100;

}  // namespace bagel::vision

#endif  // BAGEL_VISION_PROMPTS_H_

#include "vision/triggers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace bagel::vision {
namespace {

using testing::HasSubstr;

TEST(TriggersTest, TheShippedPhrasesAskForALook) {
  const Triggers triggers;
  EXPECT_GT(triggers.size(), 40u);
  for (const char* text :
       {"Look at me!", "Sophia, how do I look?", "HOW DO I LOOK", "hey... what do you\nsee?",
        "What\u2019s in front of you", "whats in front of you", "How does my new hat look today?",
        "Why don't you look at me?", "Don't be shy, look at me", "do I look tired?",
        "Not bad. And what am I wearing?"})
    EXPECT_TRUE(triggers.Find(text)) << text;
  for (const char* text :
       {"", "?!", "How are you?", "The weather looks fine", "a look at medicine", "outlook at me",
        "Don't look at me!", "Please do not look at me.", "never look at us", "Can you hear me?",
        "How does my very old and battered hat look?", "how do you look"})
    EXPECT_FALSE(triggers.Find(text)) << text << ": " << *triggers.Find(text);
}

TEST(TriggersTest, PhrasesOfAFile) {
  const std::string path = testing::TempDir() + "/triggers.conf";
  std::ofstream(path) << "# mine\r\n\r\n  Schau mich an  # German\r\nhow is my * doing\n";
  const Triggers triggers = Triggers::FromFile(path);
  EXPECT_EQ(triggers.size(), 2u);
  EXPECT_EQ(triggers.Find("Bitte schau mich an!"), "Schau mich an");
  EXPECT_EQ(triggers.Find("How is my cat doing?"), "how is my * doing");
  EXPECT_FALSE(triggers.Find("How is my doing?"));
  EXPECT_FALSE(triggers.Find("how do I look"));
  std::filesystem::remove(path);
}

std::string ErrorOf(const std::string& text) {
  try {
    Triggers triggers(text, "mine");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TriggersTest, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("mine holds no phrase"));
  EXPECT_THAT(ErrorOf("a\n * *\n"), HasSubstr("mine, line 2: a phrase needs a word"));
  EXPECT_THAT(ErrorOf("a * * * * *"), HasSubstr("at most 4 *"));
  EXPECT_THAT(ErrorOf("a" + std::string(100, ' ') + "!"), HasSubstr("no error"));
  std::string words, lines;
  for (int i = 0; i < 33; ++i) words += "word ";
  for (int i = 0; i < 1001; ++i) lines += "line\n";
  EXPECT_THAT(ErrorOf(words), HasSubstr("at most 32 words"));
  EXPECT_THAT(ErrorOf(lines), HasSubstr("more than 1000 phrases"));
  EXPECT_THROW(Triggers::FromFile("/nowhere/triggers.conf"), Error);
  EXPECT_THROW(Triggers::FromFile("/"), Error);
  EXPECT_THROW(Triggers::FromFile("/dev/zero"), Error);
}

}  // namespace
}  // namespace bagel::vision

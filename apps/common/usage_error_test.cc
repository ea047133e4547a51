#include "usage_error.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bagel {
namespace {

// What is said of a command line, or "no error".
std::string MessageOf(const std::string& line) {
  struct {
    int steps = 0, count = 1;
    unsigned port = 0;
    double scale = 1;
    std::string out, kind, even, words;
    std::vector<double> interval;
    bool flag = false, other = false;
  } values;
  CLI::App app("Does things", "tool");
  app.require_subcommand(1);
  CLI::App& command = *app.add_subcommand("draw", "Draws");
  command.add_option("--steps", values.steps);
  command.add_option("--count", values.count)->check(CLI::Range(1, 9));
  command.add_option("--port", values.port);
  command.add_option("--scale", values.scale);
  command.add_option("-o,--out", values.out)->type_name("FILE")->required();
  command.add_option("--kind", values.kind)->check(CLI::IsMember({"a", "b", "c"}));
  command.add_option("--even", values.even)
      ->check(CLI::Validator(
          [](const std::string& text) {
            return text == "2" ? std::string() : std::string("an even number");
          },
          ""));
  command.add_option("--interval", values.interval)
      ->type_name("LOW,HIGH")
      ->delimiter(',')
      ->expected(2);
  CLI::Option* flag = command.add_flag("--flag", values.flag);
  command.add_flag("--other", values.other)->excludes(flag);
  CLI::Option_group& form = *command.add_option_group("Form");
  form.add_flag("--json");
  form.add_flag("--text");
  form.require_option(0, 1);
  CLI::App& say = *app.add_subcommand("say", "Says");
  say.add_option("words", values.words)->type_name("WORDS")->required();
  try {
    app.parse(line);
  } catch (const CLI::ParseError& error) {
    return UsageMessage(app, error);
  }
  return "no error";
}

TEST(UsageMessage, NamesOptionAndValue) {
  EXPECT_EQ(MessageOf("draw -o x --steps 3"), "no error");
  EXPECT_EQ(MessageOf("draw -o x --steps abc"), "--steps is \"abc\", expected a whole number");
  EXPECT_EQ(MessageOf("draw -o x --steps 2.5"), "--steps is 2.5, expected a whole number");
  EXPECT_EQ(MessageOf("draw -o x --steps 99999999999"),
            "--steps is 99999999999, which is out of range");
  EXPECT_EQ(MessageOf("draw -o x --scale big"), "--scale is \"big\", expected a number");
  EXPECT_EQ(MessageOf("draw -o x --count 0"), "--count is 0, expected a whole number from 1 to 9");
  EXPECT_EQ(MessageOf("draw -o x --count ten"),
            "--count is \"ten\", expected a whole number from 1 to 9");
  EXPECT_EQ(MessageOf("draw -o x --port x"), "--port is \"x\", expected a whole number from 0");
  EXPECT_EQ(MessageOf("draw -o x --kind d"), "--kind is \"d\", expected a, b or c");
  EXPECT_EQ(MessageOf("draw -o x --even 3"), "--even is 3, expected an even number");
  EXPECT_EQ(MessageOf("draw -o x --flag=maybe"), "--flag is \"maybe\", expected true or false");
}

TEST(UsageMessage, SaysHowManyValues) {
  EXPECT_EQ(MessageOf("draw -o x --steps"), "--steps needs a value: a whole number");
  EXPECT_EQ(MessageOf("draw -o"), "--out needs a value: FILE");
  EXPECT_EQ(MessageOf("draw -o x --steps 3 --steps 4"), "--steps is given 2 times, expected once");
  EXPECT_EQ(MessageOf("draw -o x --interval 1"), "--interval is 1, expected LOW,HIGH");
  EXPECT_EQ(MessageOf("draw -o x --interval 0,1,1"), "--interval is 0,1,1, expected LOW,HIGH");
  EXPECT_EQ(MessageOf("draw -o x --interval 0,x"),
            "--interval is \"0,x\", expected numbers: LOW,HIGH");
}

TEST(UsageMessage, NamesWhatIsMissingOrTooMuch) {
  EXPECT_EQ(MessageOf("draw"), "--out FILE is required");
  EXPECT_EQ(MessageOf("say"), "WORDS is required");
  EXPECT_EQ(MessageOf("draw -o x --stepz=3"),
            "draw has no option \"--stepz\"; tool draw --help lists them");
  EXPECT_EQ(MessageOf("draw -o x --stepz 3"),
            "draw has no option \"--stepz\"; tool draw --help lists them");
  EXPECT_EQ(MessageOf("draw -o x y"), "draw takes no \"y\"; tool draw --help says what it takes");
  EXPECT_EQ(MessageOf("paint"), "\"paint\" is no command; tool --help lists them");
  EXPECT_EQ(MessageOf(""), "a command is required; tool --help lists them");
  EXPECT_EQ(MessageOf("draw -o x --flag --other"), "--flag and --other exclude each other");
  EXPECT_EQ(MessageOf("draw -o x --json --text"), "at most one of --json or --text can be given");
}

}  // namespace
}  // namespace bagel

#include "option_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace bagel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Example {
  std::string text, device = "auto", profile = "old";
  std::vector<std::string> files;
  int threads = 2;
  bool flag = false;
};

ProgramTable Table() {
  static Example values;
  CLI::App app("Does things", "tool");
  for (const char* name : {"one", "two", "three"}) {
    CLI::App& command = *app.add_subcommand(name, "Does one thing - 'quoted'");
    command.add_option("--device", values.device, "Where")
        ->type_name("auto|cuda:N|cuda:FILE")
        ->capture_default_str();
    command.footer("Example: tool one\n         tool two");
  }
  CLI::App& command = *app.get_subcommand("two");
  command.add_option("-f,--file", values.files, "A file")->type_name("FILE")->required();
  command.add_option("--threads", values.threads, ".hidden\\")
      ->check(CLI::Range(0, 8))
      ->capture_default_str();
  command.add_option("--profile", values.profile, "Which")->check(CLI::IsMember({"old", "new"}));
  command.add_option("text", values.text, "Words")->type_name("WORDS")->envname("TOOL_TEXT");
  command.add_option_group("More")->add_flag("--flag", values.flag, "A flag.");
  app.add_subcommand("secret", "Hidden")->group("");
  return ReadProgram(app, "1.2");
}

TEST(OptionTable, HoldsWhatTheParserKnows) {
  const ProgramTable program = Table();
  ASSERT_EQ(program.commands.size(), 3U);
  const CommandTable& two = program.commands[1];
  EXPECT_THAT(two.examples, ElementsAre("tool one", "tool two"));
  ASSERT_EQ(two.options.size(), 7U);  // --help first
  const OptionTable& device = two.options[1];
  EXPECT_EQ(device.default_value, "auto");
  EXPECT_THAT(device.value.choices, ElementsAre("auto", "cuda:"));
  const OptionTable& file = two.options[2];
  EXPECT_THAT(file.names, ElementsAre("-f", "--file"));
  EXPECT_TRUE(file.value.file && file.required && file.repeatable);
  EXPECT_EQ(two.options[3].range, "0 to 8");
  EXPECT_EQ(two.options[3].value.name, "INT");
  EXPECT_THAT(two.options[4].value.choices, testing::UnorderedElementsAre("old", "new"));
  EXPECT_TRUE(two.options[5].IsArgument());
  EXPECT_EQ(two.options[5].environment, "TOOL_TEXT");
  EXPECT_THAT(two.options[6].names, ElementsAre("--flag"));
}

TEST(ManualPage, ExplainsWhatIsCommonOnce) {
  const std::string page = WriteManualPage(Table(), ".TH TOOL 1 @VERSION@\n@COMMANDS@\n.SH END\n");
  EXPECT_THAT(page, HasSubstr(".TH TOOL 1 1.2\n.SH COMMANDS\n.SS tool one"));
  EXPECT_THAT(page, HasSubstr("Also\n\\fB\\-\\-device\\fR,\nsee COMMON OPTIONS."));
  const std::string entry = ".TP\n\\fB\\-\\-device\\fR \\fBauto\\fR|\\fBcuda:\\fR\\fIN\\fR";
  EXPECT_EQ(page.find(entry), page.rfind(entry));
  EXPECT_THAT(page, HasSubstr(entry));
  EXPECT_THAT(page, HasSubstr("\\&.hidden\\e.\n(from 0 to 8; default: 2)\n"));
  EXPECT_THAT(page, HasSubstr("Does one thing \\- \\(aqquoted\\(aq.\n"));
  EXPECT_THAT(page, Not(HasSubstr("secret")));
  EXPECT_THROW(WriteManualPage(Table(), "no marks"), Error);
}

TEST(Completions, LeaveHiddenCommandsOut) {
  for (const char* format : {"bash", "zsh", "fish"}) {
    const std::string text = WriteProgram(Table(), format, "");
    EXPECT_THAT(text, HasSubstr("three")) << format;
    EXPECT_THAT(text, HasSubstr("cuda")) << format;
    EXPECT_THAT(text, Not(HasSubstr("secret"))) << format;
    EXPECT_THAT(text, Not(HasSubstr("@PROGRAM@"))) << format;
  }
  EXPECT_THROW(WriteProgram(Table(), "csh", ""), Error);
}

}  // namespace
}  // namespace bagel

#include "api/ollama_request.h"

#include <gtest/gtest.h>

#include <string>

#include "api/api_error.h"
#include "api/go_text.h"

namespace bagel::api {
namespace {

GenerateRequest Parse(std::string_view body) {
  GenerateRequest request = ParseGenerateRequest(body, 16);
  ApplyOptions(request);
  return request;
}

// "status: text" of the error, or "no error".
std::string ParseError(std::string_view body) {
  try {
    Parse(body);
  } catch (const Error& error) {
    return std::to_string(StatusOf(error)) + ": " + error.what();
  }
  return "no error";
}

TEST(GenerateRequest, ReadsTheUsualFields) {
  const GenerateRequest request = Parse(R"({"model": "bagel-7b-mot", "prompt": "What?",
      "images": ["YWI=", "data:image/png;base64,Y2Q=", "YW\nI="], "stream": false,
      "system": "s", "options": {"temperature": 0.5, "num_predict": 7, "seed": 9, "top_k": 3.0,
      "top_p": 0.5, "stop": ["a", "", "b"], "unknown": {}, "min_p": null}})");
  EXPECT_EQ(request.model, "bagel-7b-mot");
  EXPECT_EQ(request.prompt, "What?");
  ASSERT_EQ(request.images.size(), 3U);
  EXPECT_EQ(request.images[1], (std::vector<std::byte>{std::byte{'c'}, std::byte{'d'}}));
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.system, "s");
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_FLOAT_EQ(request.sampling.top_p, 0.5F);
  EXPECT_EQ(request.sampling.top_k, 3);
  EXPECT_EQ(request.num_predict, 7);
  EXPECT_EQ(request.seed, 9U);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
}

TEST(GenerateRequest, HasDefaults) {
  const GenerateRequest request = Parse("{}");
  EXPECT_FALSE(request.model || request.prompt || request.seed || request.num_predict);
  EXPECT_TRUE(request.stream);
  EXPECT_FALSE(request.think);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.3F);
  EXPECT_FALSE(Parse("null").prompt);
}

TEST(GenerateRequest, MatchesKeysWithoutCaseAndTheLastWins) {
  EXPECT_EQ(Parse(R"({"PROMPT": "a", "Prompt": "b"})").prompt, "b");
  EXPECT_EQ(Parse(R"({"prompt": "a", "prompt": null})").prompt, "a");
}

TEST(GenerateRequest, IgnoresNullAnywhere) {
  const GenerateRequest request = Parse(R"({"model":null,"prompt":null,"images":null,"stream":null,
      "format":null,"think":null,"keep_alive":null,"options":{"temperature":null,"stop":null,"steps":null},
      "context":null,"suffix":null,"logprobs":null,"width":null})");
  EXPECT_TRUE(request.stream);
}

TEST(GenerateRequest, ReadsThinkAndKeepAlive) {
  EXPECT_TRUE(Parse(R"({"think": true})").think);
  EXPECT_TRUE(Parse(R"({"think": "high"})").think);
  EXPECT_FALSE(Parse(R"({"think": false})").think);
  EXPECT_TRUE(Parse(R"({"keep_alive": 0.0})").unload);
  EXPECT_TRUE(Parse(R"({"keep_alive": "0s"})").unload);
  EXPECT_FALSE(Parse(R"({"keep_alive": "1h30m"})").unload);
  EXPECT_FALSE(Parse(R"({"keep_alive": -1})").unload);
}

TEST(GenerateRequest, AcceptsAStopString) {
  EXPECT_EQ(Parse(R"({"options": {"stop": "END"}})").stop, std::vector<std::string>{"END"});
}

TEST(GenerateRequest, NegativeSeedIsRandomAndNoLimitIsMinusOne) {
  const GenerateRequest request = Parse(R"({"options": {"seed": -1, "num_predict": 0}})");
  EXPECT_FALSE(request.seed);
  EXPECT_EQ(request.num_predict, -1);
}

TEST(GenerateRequest, AnswersWrongTypesAsGoDoes) {
  const std::string unmarshal = "400: json: cannot unmarshal ";
  EXPECT_EQ(ParseError(R"({"stream": "no"})"),
            unmarshal + "string into Go struct field GenerateRequest.stream of type bool");
  EXPECT_EQ(ParseError(R"({"Model": 3})"),
            unmarshal + "number into Go struct field GenerateRequest.model of type string");
  EXPECT_EQ(
      ParseError(R"({"images": "x"})"),
      unmarshal + "string into Go struct field GenerateRequest.images of type []api.ImageData");
  EXPECT_EQ(
      ParseError(R"({"options": []})"),
      unmarshal +
          "array into Go struct field GenerateRequest.options of type map[string]interface {}");
  EXPECT_EQ(ParseError("[]"), unmarshal + "array into Go value of type api.GenerateRequest");
  EXPECT_EQ(ParseError(R"({"think": 3})"),
            R"(400: think must be a boolean or string ("high", "medium", "low", true, or false))");
  EXPECT_EQ(ParseError(R"({"keep_alive": "300"})"), R"(400: time: missing unit in duration "300")");
  EXPECT_EQ(ParseError(R"({"keep_alive": true})"), "400: Unsupported type: 'bool'");
}

TEST(GenerateRequest, AnswersWrongOptionsAsOllamaDoes) {
  EXPECT_EQ(ParseError(R"({"options": {"stop": 3}})"),
            R"(500: option "stop" must be of type array)");
  EXPECT_EQ(ParseError(R"({"options": {"stop": [3]}})"),
            R"(500: option "stop" must be of an array of strings)");
  EXPECT_EQ(ParseError(R"({"options": {"seed": "x"}})"),
            R"(500: option "seed" must be of type integer)");
  EXPECT_EQ(ParseError(R"({"options": {"temperature": "x"}})"),
            R"(500: option "temperature" must be of type float32)");
}

TEST(GenerateRequest, RefusesNumbersOutOfRange) {
  EXPECT_EQ(ParseError(R"({"options": {"temperature": 1e400}})"),
            R"(400: option "temperature" is out of range: 1e400)");
  EXPECT_EQ(ParseError(R"({"options": {"seed": 9223372036854775808}})"),
            "400: option \"seed\" is 9223372036854775808, expected a whole number from "
            "-9223372036854775808 to 9223372036854775807");
  EXPECT_EQ(ParseError(R"({"options": {"top_k": 3000000000}})"),
            "400: option \"top_k\" is 3000000000, expected a whole number from -2147483648 to "
            "2147483647");
  EXPECT_EQ(ParseError(R"({"top_logprobs": 21})"), "400: top_logprobs must be between 0 and 20");
}

TEST(GenerateRequest, RefusesFractionsOfWholeNumbers) {
  for (const char* name : {"seed", "num_predict", "top_k", "repeat_last_n"}) {
    const std::string expected =
        std::string("400: option \"") + name + "\" is 2.5, expected a whole number from ";
    EXPECT_TRUE(
        ParseError(std::string(R"({"options": {")") + name + R"(": 2.5}})").starts_with(expected))
        << name;
  }
  for (const char* name : {"steps", "num_inference_steps", "width", "height"}) {
    EXPECT_EQ(ParseError(std::string(R"({"options": {")") + name + R"(": 2.5}})"),
              std::string("400: ") + name + " is 2.5, expected a whole number");
  }
  EXPECT_EQ(ParseError(R"({"width": 512.5})"), "400: width is 512.5, expected a whole number");
  EXPECT_EQ(Parse(R"({"options": {"num_predict": 7.0, "seed": 1e3}})").seed, 1000U);
}

TEST(GenerateRequest, RefusesBadAndTooManyImages) {
  EXPECT_EQ(ParseError(R"({"images": ["YW!="]})"), "400: illegal base64 data at input byte 2");
  std::string body = R"({"images": ["")";
  for (int i = 0; i < 16; ++i) {
    body += ",\"\"";
  }
  EXPECT_EQ(ParseError(body + "]}"),
            "413: images: 17 pictures, at most 16 are taken in one request");
}

TEST(GenerateRequest, NamesWhatItDoesNotDo) {
  EXPECT_EQ(ParseError(R"({"format": ""})"), "no error");
  EXPECT_EQ(ParseError(R"({"format": "json"})"),
            "501: format: constrained output is not supported");
  EXPECT_EQ(ParseError(R"({"format": {"type": "object"}})"),
            "501: format: constrained output is not supported");
  EXPECT_EQ(ParseError(R"({"format": "yaml"})"),
            R"(400: invalid format: "yaml"; expected "json" or a valid JSON Schema object)");
  EXPECT_EQ(ParseError(R"({"logprobs": true})"),
            "501: logprobs: log probabilities are not supported");
  EXPECT_EQ(ParseError(R"({"logprobs": false})"), "no error");
}

TEST(GenerateRequest, ReadsThePicturesSettings) {
  const PictureFields fields = Parse(R"({"width": 512, "height": null, "steps": 7.0, "cfg_renorm":
      "channel", "options": {"seed": 5, "cfg_text_scale": 2.5, "cfg_img_scale": 1, "cfg_interval":
      [0.1, 0.9], "timestep_shift": 2, "cfg_renorm_min": 0.5, "taylorseer": true,
      "negative_prompt": "blur"}})")
                                   .picture;
  EXPECT_TRUE(fields.WantsPicture());
  const PictureRequest request = MakePictureRequest(fields, {std::string("x")}, {256, 192});
  EXPECT_EQ(request.size, (PictureSize{512, 192}));
  EXPECT_EQ(request.seed, 5U);
  EXPECT_EQ(request.negative, "blur");
  const FlowSettings expected{7, 2, 2.5, 1, 0.1, 0.9, Renorm::kChannel, 0.5, true};
  EXPECT_EQ(request.flow, expected);
  EXPECT_FALSE(
      Parse(R"({"width": null, "steps": null, "options": {"seed": 3}})").picture.WantsPicture());
}

TEST(GenerateRequest, PicturesToChangeHaveTheirOwnDefaults) {
  EXPECT_EQ(MakePictureRequest({}, {Picture{1, 1, {0, 0, 0}}, std::string("x")}, {}).flow,
            EditFlowSettings());
  EXPECT_EQ(MakePictureRequest({}, {std::string("x")}, {}).flow, FlowSettings());
  PictureFields zero_seed;
  zero_seed.seed = 0;
  EXPECT_FALSE(MakePictureRequest(zero_seed, {std::string("x")}, {}).seed);
}

TEST(GenerateRequest, NamesWrongPictureSettings) {
  EXPECT_EQ(ParseError(R"({"width": "x"})"),
            "400: json: cannot unmarshal string into Go struct field GenerateRequest.width of type "
            "int32");
  EXPECT_EQ(ParseError(R"({"steps": 1e400})"), "400: steps is 1e400, expected a whole number");
  EXPECT_EQ(ParseError(R"({"steps": 3000000000})"),
            "400: steps is 3000000000, expected a whole number from -2147483647 to 2147483647");
  EXPECT_EQ(ParseError(R"({"options": {"cfg_text_scale": "NaN"}})"),
            "400: cfg_text_scale is \"NaN\", expected a number");
  EXPECT_EQ(ParseError(R"({"options": {"cfg_interval": [1]}})"),
            "400: cfg_interval is array, expected two numbers");
  EXPECT_EQ(ParseError(R"({"options": {"cfg_renorm": "x"}})"),
            "400: cfg renorm 'x' is not one of global, channel, text_channel");
  EXPECT_EQ(ParseError(R"({"options": {"taylorseer": 3}})"),
            "400: taylorseer is 3, expected true or false");
}

TEST(GoText, ChecksDurations) {
  for (const char* good : {"0", "5m", "1h30m", "-1s", "1.5h", "+3ms", "2us"}) {
    EXPECT_NO_THROW(IsZeroDuration(good)) << good;
  }
  EXPECT_TRUE(IsZeroDuration("-0.0s"));
  EXPECT_FALSE(IsZeroDuration("0h1m"));
  for (const char* bad : {"", "-", "m", "5x", ".s", "1..5s"}) {
    EXPECT_THROW(IsZeroDuration(bad), Error) << bad;
  }
}

TEST(GoText, FormatsTimes) {
  EXPECT_EQ(FormatTime(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace bagel::api

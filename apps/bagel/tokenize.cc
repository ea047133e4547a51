// bagel tokenize: JSON lines of text to JSON lines of ids, or the other way.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "formats/json.h"
#include "model_option.h"
#include "text/tokenizer.h"

namespace bagel {
namespace {

constexpr std::size_t kMaxIds = 16 << 20;

struct TokenizeOptions {
  std::filesystem::path model;
  bool plain = false;
  bool decode = false;
};

Json Convert(const Tokenizer& tokenizer, const TokenizeOptions& options, const JsonObject& line) {
  if (options.decode) {
    std::vector<int32_t> ids;
    for (const int64_t id : line.IntList("ids", 0, INT32_MAX, kMaxIds)) {
      ids.push_back(static_cast<int32_t>(id));
    }
    return {{"text", tokenizer.Decode(ids)}};
  }
  return {{"ids", tokenizer.Encode(line.String("text"),
                                   options.plain ? Specials::kPlain : Specials::kParse)}};
}

void Tokenize(const TokenizeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::Load(FindModel(options.model));
  std::string text;
  for (int64_t number = 1; std::getline(std::cin, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    const std::string where = "line " + std::to_string(number);
    const Json json = ParseJson(text, where);
    std::cout << Convert(tokenizer, options, JsonObject(json, where)).dump() << '\n' << std::flush;
    if (!std::cout) {
      throw Error(ErrorKind::kUnavailable, "cannot write to standard output");
    }
  }
}

}  // namespace

void AddTokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App& command = *app.add_subcommand(
      "tokenize", "Reads lines {\"text\": ...} and writes lines {\"ids\": [...]}");
  AddModelOption(command, options->model);
  command.add_flag("--plain", options->plain, "Special tokens spelled out in a text stay text");
  command.add_flag("--decode", options->decode, "Reads lines of ids and writes lines of text");
  command.footer("Example: echo '{\"text\": \"Hello\"}' | bagel tokenize --model DIR");
  command.callback([options] { Tokenize(*options); });
}

}  // namespace bagel

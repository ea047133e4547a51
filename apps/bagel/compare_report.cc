#include <algorithm>
#include <cstdio>

#include "compare.h"
#include "formats/base64.h"
#include "formats/mapped_file.h"

namespace bagel {
namespace {

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<')
      escaped += "&lt;";
    else if (c == '&')
      escaped += "&amp;";
    else if (c == '"')
      escaped += "&quot;";
    else
      escaped += c;
  }
  return escaped;
}

// `text` with everything after its first `common` bytes marked.
std::string Marked(const std::string& text, size_t common) {
  if (common == text.size()) return Escaped(text);
  return Escaped(text.substr(0, common)) + "<mark>" + Escaped(text.substr(common)) + "</mark>";
}

// Bytes that both begin with, cut back to the beginning of a character.
size_t CommonBytes(const std::string& a, const std::string& b) {
  size_t common = 0;
  while (common < std::min(a.size(), b.size()) && a[common] == b[common]) ++common;
  if (common == a.size() && common == b.size()) return common;
  const auto continues = [&](const std::string& text) {
    return common < text.size() && (static_cast<unsigned char>(text[common]) & 0xC0) == 0x80;
  };
  while (common > 0 && (continues(a) || continues(b))) --common;
  return common;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::string PictureData(const std::string& path) {
  const MappedFile file(path);
  return "data:;base64," + EncodeBase64(file.bytes());
}

}  // namespace

Json ToJson(const Comparison& c) {
  return {{"picture", c.picture},
          {"prompt", c.prompt},
          {"text_a", c.text_a},
          {"text_b", c.text_b},
          {"exact", c.first_difference < 0},
          {"first_difference", c.first_difference},
          {"tokens", c.tokens},
          {"agreeing", c.agreeing},
          {"mean_kl", c.mean_kl},
          {"seconds_a", c.seconds_a},
          {"seconds_b", c.seconds_b}};
}

Comparison ComparisonFromJson(const Json& json, const std::string& where) {
  constexpr int64_t kMaxTokens = int64_t{1} << 32;
  constexpr double kLargest = 1e30;
  const JsonObject object(json, where);
  Comparison c;
  c.picture = object.String("picture");
  c.prompt = object.String("prompt");
  c.text_a = object.String("text_a");
  c.text_b = object.String("text_b");
  c.first_difference = object.Int("first_difference", -1, kMaxTokens);
  c.tokens = object.Int("tokens", 0, kMaxTokens);
  c.agreeing = object.Int("agreeing", 0, kMaxTokens);
  c.mean_kl = object.Double("mean_kl", -kLargest, kLargest);
  c.seconds_a = object.Double("seconds_a", 0, kLargest);
  c.seconds_b = object.Double("seconds_b", 0, kLargest);
  return c;
}

Json Summary(const std::vector<Comparison>& comparisons) {
  int64_t exact = 0, tokens = 0, agreeing = 0;
  double kl = 0, seconds_a = 0, seconds_b = 0;
  for (const Comparison& c : comparisons) {
    exact += c.first_difference < 0 ? 1 : 0;
    tokens += c.tokens;
    agreeing += c.agreeing;
    kl += c.mean_kl * static_cast<double>(c.tokens);
    seconds_a += c.seconds_a;
    seconds_b += c.seconds_b;
  }
  const double count = static_cast<double>(std::max<int64_t>(tokens, 1));
  return {{"answers", comparisons.size()},
          {"exact_answers", exact},
          {"tokens", tokens},
          {"token_agreement", static_cast<double>(agreeing) / count},
          {"mean_kl", kl / count},
          {"seconds_a", seconds_a},
          {"seconds_b", seconds_b}};
}

std::string ComparisonPage(const std::string& name_a, const std::string& name_b,
                           const std::vector<Comparison>& comparisons) {
  const Json summary = Summary(comparisons);
  std::string page =
      "<!doctype html><meta charset=\"utf-8\"><title>bagel compare</title><style>"
      "body{font:15px sans-serif;margin:2em}td{vertical-align:top;padding:.5em;max-width:30em;"
      "border-top:1px solid #ccc}img{max-width:16em;max-height:16em}mark{background:#fd8}</style>"
      "<h1>" +
      Escaped(name_a) + " and " + Escaped(name_b) + "</h1><p>" +
      std::to_string(summary["exact_answers"].get<int64_t>()) + " of " +
      std::to_string(comparisons.size()) + " answers are equal; fed the same text, " +
      Number(100 * summary["token_agreement"].get<double>()) + " % of " +
      std::to_string(summary["tokens"].get<int64_t>()) + " tokens agree, mean KL " +
      Number(summary["mean_kl"].get<double>()) + " nats; " +
      Number(summary["seconds_a"].get<double>()) + " s and " +
      Number(summary["seconds_b"].get<double>()) + " s.</p><table>";
  for (const Comparison& c : comparisons) {
    const size_t common = CommonBytes(c.text_a, c.text_b);
    page += "<tr><td><img src=\"" + PictureData(c.picture) + "\"><br>" + Escaped(c.prompt) +
            "<td>" + Marked(c.text_a, common) + "<td>" + Marked(c.text_b, common) + "<td>" +
            std::to_string(c.agreeing) + " of " + std::to_string(c.tokens) + " tokens, KL " +
            Number(c.mean_kl) + "\n";
  }
  return page + "</table>\n";
}

}  // namespace bagel

#include "text/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <string>

#include "base/error.h"

namespace bagel {
namespace {

// Unicode's White_Space. PCRE2's own \s has U+180E on top, which the reference's engine has not.
#define SPACE \
  R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"

constexpr char kPattern[] = R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                            R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
                            R"(|\p{N})"
                            "| ?[^" SPACE R"(\p{L}\p{N}]+[\r\n]*)"
                            "|[" SPACE R"(]*[\r\n]+)"
                            "|[" SPACE "]+(?![^" SPACE
                            "])"
                            "|[" SPACE "]+";

#undef SPACE

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct Splitter::Compiled {
  struct FreeCode {
    void operator()(pcre2_code* compiled) const { pcre2_code_free(compiled); }
  };
  struct FreeMatchContext {
    void operator()(pcre2_match_context* limits) const { pcre2_match_context_free(limits); }
  };
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_context, FreeMatchContext> context;
  uint32_t match_options = PCRE2_NO_UTF_CHECK;
};

Splitter::Splitter(Engine engine) : compiled_(std::make_unique<Compiled>()) {
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern), PCRE2_ZERO_TERMINATED,
                                      PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK,
                                      &error, &error_offset, nullptr));
  CHECK(compiled_->code != nullptr);
  compiled_->context.reset(pcre2_match_context_create(nullptr));
  CHECK(compiled_->context != nullptr);
  // The work per piece is bounded by the pattern's form, so the counters only need to be out of the
  // way of long runs.
  pcre2_set_match_limit(compiled_->context.get(), UINT32_MAX);
  pcre2_set_depth_limit(compiled_->context.get(), UINT32_MAX);
  pcre2_set_heap_limit(compiled_->context.get(), UINT32_MAX);
  if (engine == Engine::kInterpreter ||
      pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE) != 0) {
    compiled_->match_options |= PCRE2_NO_JIT;
  }
}

Splitter::~Splitter() = default;
Splitter::Splitter(Splitter&& other) noexcept = default;
Splitter& Splitter::operator=(Splitter&& other) noexcept = default;

std::vector<std::string_view> Splitter::Split(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr));
  if (data == nullptr) {
    throw Error(ErrorKind::kOutOfMemory,
                "No memory is left to split a text of " + std::to_string(text.size()) + " bytes.");
  }
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size();) {
    const int result =
        pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                    at, compiled_->match_options, data.get(), compiled_->context.get());
    if (result == PCRE2_ERROR_NOMEMORY) {
      throw Error(ErrorKind::kOutOfMemory, "No memory is left to split a text of " +
                                               std::to_string(text.size()) + " bytes.");
    }
    CHECK(result > 0);
    const size_t end = pcre2_get_ovector_pointer(data.get())[1];
    CHECK(end > at);
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

}  // namespace bagel

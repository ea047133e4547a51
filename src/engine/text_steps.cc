#include "engine/text_steps.h"

#include <algorithm>
#include <new>

#include "base/error.h"

namespace bagel {
namespace {

// `chosen` is what went wrong with the session's token.
void Advance(Session& session, const std::exception_ptr& chosen) {
  try {
    if (chosen) std::rethrow_exception(chosen);
    session.Advance();
  } catch (const Error& error) {
    session.Fail(error);
  }
}

}  // namespace

TextSteps::TextSteps(Bagel& model, KvPool& pool, int64_t tokens, ThreadPool& helpers,
                     std::mutex& helpers_mutex)
    : model_(model),
      pool_(pool),
      tokens_(static_cast<size_t>(tokens)),
      helpers_(helpers),
      helpers_mutex_(helpers_mutex) {}

void TextSteps::Run(const std::vector<Session*>& chosen, const std::function<bool()>& stop) {
  try {
    std::vector<StepInput> inputs;
    std::vector<size_t> wanting;  // sessions whose rows want logits
    for (size_t i = 0; i < chosen.size(); ++i) {
      chosen[i]->AddInputs(inputs);
      if (inputs.back().wants_logits) wanting.push_back(i);
    }
    const std::span<const BestValues> best = model_.RunForBest(inputs, pool_, "step", stop);
    const std::vector<std::exception_ptr> errors = Choose(chosen, wanting, best);
    for (size_t i = 0; i < chosen.size(); ++i) Advance(*chosen[i], errors[i]);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) return;
    for (Session* session : chosen) session->Fail(error);
  } catch (const std::bad_alloc&) {
    const Error error(ErrorKind::kOutOfMemory, "no memory for this step");
    for (Session* session : chosen) session->Fail(error);
  }
}

std::vector<std::exception_ptr> TextSteps::Choose(const std::vector<Session*>& chosen,
                                                  const std::vector<size_t>& wanting,
                                                  std::span<const BestValues> best) {
  const auto vocabulary = static_cast<size_t>(model_.config().llm.vocabulary);
  const size_t known = std::min(vocabulary, tokens_);
  std::vector<std::exception_ptr> errors(chosen.size());
  std::vector<size_t> undecided;  // rows
  for (size_t row = 0; row < wanting.size(); ++row) {
    const size_t i = wanting[row];
    try {
      if (best.empty() || !chosen[i]->Choose(best[row], static_cast<int32_t>(known)))
        undecided.push_back(row);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  }
  if (undecided.empty()) return errors;

  const std::span<const float> logits = model_.Logits();
  const std::unique_lock lock(helpers_mutex_, std::try_to_lock);
  ParallelFor(lock ? &helpers_ : nullptr, static_cast<int64_t>(undecided.size()),
              [&](int64_t index) {
                const size_t row = undecided[static_cast<size_t>(index)], i = wanting[row];
                try {
                  chosen[i]->Choose(logits.subspan(row * vocabulary, known));
                } catch (...) {
                  errors[i] = std::current_exception();
                }
              });
  return errors;
}

}  // namespace bagel

#include "model/step_input.h"

#include <map>

#include "base/error.h"

namespace bagel {
namespace {

void AddRange(Route& route, int64_t rows, Expert expert) {
  if (rows == 0) return;
  if (!route.empty() && route.back().expert == expert) {
    route.back().rows += rows;
    return;
  }
  const int64_t first = route.empty() ? 0 : route.back().first_row + route.back().rows;
  route.push_back({first, rows, expert});
}

// The context's pages for `rows` more rows, and for what is not kept pages of scratch memory behind
// them.
std::vector<int32_t> PagesFor(const StepInput& input, int64_t rows, int64_t kept_pages,
                              int64_t& scratch_pages) {
  Context& context = *input.context;
  if (input.keep) context.Reserve(rows);
  std::vector<int32_t> pages = context.pages();
  while (static_cast<int64_t>(pages.size()) * kKvPageTokens < context.length() + rows)
    pages.push_back(static_cast<int32_t>(kept_pages + scratch_pages++));
  return pages;
}

}  // namespace

StepPlan PlanStep(std::span<const StepInput> inputs, int64_t kept_pages) {
  struct Taken {
    int64_t rows = 0, rope = 0;
  };
  std::map<const Context*, Taken> taken;  // by inputs before, where they are kept
  StepPlan plan;
  int64_t leads = 0;
  std::vector<int32_t> positions;
  for (const StepInput& input : inputs) leads += input.latents ? 2 : 0;
  AddRange(plan.route, leads, Expert::kUnd);
  int64_t row = leads, lead_row = 0;
  for (const StepInput& input : inputs) {
    CHECK(input.rows() > 0 && (input.latents || input.keep));
    CHECK(input.ids.empty() || (!input.image && !input.latents));
    const bool text = !input.image && !input.latents;
    const int64_t lead = input.latents ? 2 : 0;
    Taken& before = taken[input.context];
    const auto position = static_cast<int32_t>(input.context->rope() + before.rope);
    plan.step.spans.push_back(
        {row, input.rows(), input.context->length() + before.rows, text,
         PagesFor(input, before.rows + input.rows(), kept_pages, plan.scratch_pages), lead,
         lead_row});
    if (input.keep) {
      before.rows += input.rows();
      before.rope += text ? input.rows() : 1;
    }
    for (int64_t r = 0; r < lead; ++r) plan.step.positions.push_back(position);
    for (int64_t r = 0; r < input.rows() - lead; ++r)
      positions.push_back(position + (text ? static_cast<int32_t>(r) : 0));
    AddRange(plan.route, input.rows() - lead, input.latents ? Expert::kGen : Expert::kUnd);
    row += input.rows() - lead;
    lead_row += lead;
  }
  plan.step.positions.insert(plan.step.positions.end(), positions.begin(), positions.end());
  return plan;
}

}  // namespace bagel

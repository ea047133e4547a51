#include "cuda/step_tables.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace bagel {
namespace {

// Collects arrays behind one another, each 64-byte aligned.
class Packer {
 public:
  template <typename T>
  size_t Add(const std::vector<T>& values) {
    constexpr size_t kAlignment = 64;
    const size_t offset = (bytes_.size() + kAlignment - 1) / kAlignment * kAlignment;
    bytes_.resize(offset + values.size() * sizeof(T));
    if (!values.empty())
      std::memcpy(bytes_.data() + offset, values.data(), values.size() * sizeof(T));
    return offset;
  }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  std::vector<char> bytes_;
};

int32_t Narrow(int64_t value) { return static_cast<int32_t>(value); }

}  // namespace

const StepTables& StepTableBuilder::Build(const Step& step, Uploader& uploader) {
  std::vector<int32_t> row_pages(step.positions.size()), row_slots(row_pages), pages;
  std::vector<DeviceSpan> spans;
  std::vector<QueryTile> tiles;
  bool single_rows = true;
  for (const Span& span : step.spans) {
    for (int64_t i = 0; i < span.rows; ++i) {
      const auto row = static_cast<size_t>(span.Row(i));
      const int64_t token = span.past + i;
      row_pages[row] = span.pages[static_cast<size_t>(token / kKvPageTokens)];
      row_slots[row] = Narrow(token % kKvPageTokens);
    }
    for (int64_t first = 0; first < span.rows; first += kTileRows)
      tiles.push_back({Narrow(static_cast<int64_t>(spans.size())), Narrow(first)});
    spans.push_back({Narrow(span.first_row), Narrow(span.rows), Narrow(span.past), span.causal,
                     Narrow(span.lead), Narrow(span.lead_row),
                     Narrow(static_cast<int64_t>(pages.size())), 0});
    pages.insert(pages.end(), span.pages.begin(), span.pages.end());
    single_rows = single_rows && span.rows == 1;
  }

  Packer packer;
  const size_t positions = packer.Add(step.positions), pages_at = packer.Add(row_pages),
               slots_at = packer.Add(row_slots), spans_at = packer.Add(spans),
               tiles_at = packer.Add(tiles), list_at = packer.Add(pages);
  constexpr size_t kLeast = 256 << 10;  // so that a decode step's tables never move
  auto* memory = static_cast<char*>(memory_.Reserve(std::max(kLeast, packer.bytes().size())));
  uploader.Upload(memory, packer.bytes().data(), packer.bytes().size());
  const auto ints = [&](size_t offset) {
    return reinterpret_cast<const int32_t*>(memory + offset);
  };
  tables_ = {ints(positions),
             ints(pages_at),
             ints(slots_at),
             reinterpret_cast<const DeviceSpan*>(memory + spans_at),
             ints(list_at),
             reinterpret_cast<const QueryTile*>(memory + tiles_at),
             step.rows(),
             static_cast<int64_t>(spans.size()),
             static_cast<int64_t>(tiles.size()),
             static_cast<int64_t>(pages.size()),
             single_rows};
  return tables_;
}

}  // namespace bagel

#include "text/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/error.h"

namespace bagel {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

uint64_t Pack(uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; }

uint64_t PackPair(int32_t left, int32_t right) {
  return Pack(static_cast<uint32_t>(left), static_cast<uint32_t>(right));
}

}  // namespace

// A list of the symbols of a piece: `rank` and `merged` tell of the pair with the next one.
struct Bpe::Symbol {
  int32_t id;
  uint32_t previous;
  uint32_t next;
  uint32_t rank;
  int32_t merged;
};

struct Bpe::Scratch {
  std::vector<Symbol> symbols;
  // A heap of (rank, position). An entry whose rank is no longer its symbol's is out of date.
  std::vector<uint64_t> candidates;
};

size_t Bpe::HashPair::operator()(uint64_t pair) const {
  const uint64_t mixed = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15u;
  return static_cast<size_t>(mixed ^ mixed >> 32);
}

bool Bpe::AddMerge(int32_t left, int32_t right, int32_t result) {
  const Merge merge{static_cast<uint32_t>(merges_.size()), result};
  return merges_.emplace(PackPair(left, right), merge).second;
}

void Bpe::Encode(std::span<const std::string_view> pieces, std::vector<int32_t>& ids) const {
  Scratch scratch;
  for (const std::string_view piece : pieces) EncodePiece(piece, scratch, ids);
}

void Bpe::EncodePiece(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const {
  CHECK(piece.size() <= std::numeric_limits<int32_t>::max());
  const auto size = static_cast<uint32_t>(piece.size());
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.resize(size);
  for (uint32_t i = 0; i < size; ++i) {
    symbols[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i == 0 ? kNone : i - 1,
                  i + 1 == size ? kNone : i + 1, kNone, 0};
  }
  std::vector<uint64_t>& candidates = scratch.candidates;
  candidates.clear();
  for (uint32_t i = 0; i < size; ++i) Rank(i, scratch);
  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end(), std::greater<>());
    const uint64_t candidate = candidates.back();
    candidates.pop_back();
    const auto position = static_cast<uint32_t>(candidate);
    Symbol& left = symbols[position];
    if (left.rank != candidate >> 32) continue;
    Symbol& right = symbols[left.next];
    left.id = left.merged;
    left.next = right.next;
    right.rank = kNone;
    if (left.next != kNone) symbols[left.next].previous = position;
    Rank(position, scratch);
    if (left.previous != kNone) Rank(left.previous, scratch);
  }
  for (uint32_t i = 0; i < size; i = symbols[i].next) ids.push_back(symbols[i].id);
}

void Bpe::Rank(uint32_t position, Scratch& scratch) const {
  Symbol& symbol = scratch.symbols[position];
  symbol.rank = kNone;
  if (symbol.next == kNone) return;
  const auto found = merges_.find(PackPair(symbol.id, scratch.symbols[symbol.next].id));
  if (found == merges_.end()) return;
  symbol.rank = found->second.rank;
  symbol.merged = found->second.result;
  scratch.candidates.push_back(Pack(symbol.rank, position));
  std::push_heap(scratch.candidates.begin(), scratch.candidates.end(), std::greater<>());
}

}  // namespace bagel

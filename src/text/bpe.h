// Byte-pair merges on ids.
#ifndef BAGEL_TEXT_BPE_H_
#define BAGEL_TEXT_BPE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bagel {

// Byte-pair encoding (Sennrich et al., 2016) over bytes, as in GPT-2: of all neighbours in a piece
// the pair that was learnt first is merged, the leftmost of equals first, until no pair is known.
class Bpe {
 public:
  // byte_ids[b] is the id of the token that is the one byte b.
  explicit Bpe(const std::array<int32_t, 256>& byte_ids) : byte_ids_(byte_ids) {}

  // Merges are added in the order of their rank. Returns false if the pair has one already.
  bool AddMerge(int32_t left, int32_t right, int32_t result);

  // Appends the ids of each piece to `ids`. O(n log n) in the length of a piece, which must be
  // below 2^31 bytes.
  void Encode(std::span<const std::string_view> pieces, std::vector<int32_t>& ids) const;

 private:
  struct Merge {
    uint32_t rank;
    int32_t result;
  };
  struct Symbol;
  struct Scratch;
  struct HashPair {
    size_t operator()(uint64_t pair) const;
  };

  void EncodePiece(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const;
  void Rank(uint32_t position, Scratch& scratch) const;

  std::array<int32_t, 256> byte_ids_;
  std::unordered_map<uint64_t, Merge, HashPair> merges_;
};

}  // namespace bagel

#endif  // BAGEL_TEXT_BPE_H_

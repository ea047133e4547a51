// Unicode normalisation form C, which the vocabulary's texts are in.
#ifndef BAGEL_TEXT_NORMALIZE_H_
#define BAGEL_TEXT_NORMALIZE_H_

#include <string>
#include <string_view>

namespace bagel {

// The NFC form (Unicode Standard Annex #15) of well-formed UTF-8, in O(n log n) for any text. Code
// points newer than the linked utf8proc pass through unchanged.
std::string NormalizeNfc(std::string_view text);

}  // namespace bagel

#endif  // BAGEL_TEXT_NORMALIZE_H_

// Pictures as text for terminals that speak DEC's sixel language.
#ifndef BAGEL_FORMATS_SIXEL_H_
#define BAGEL_FORMATS_SIXEL_H_

#include <string>

#include "formats/picture.h"

namespace bagel {

// The whole sequence, from the escape that begins it to the one that ends it: square pixels in
// 6 x 6 x 6 colours (DEC's VT330/VT340 Programmer Reference Manual, volume 2, chapter 14).
std::string EncodeSixel(const Picture& picture);

}  // namespace bagel

#endif  // BAGEL_FORMATS_SIXEL_H_

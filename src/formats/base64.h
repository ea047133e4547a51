// Base64 (RFC 4648, standard alphabet, padded).
#ifndef BAGEL_FORMATS_BASE64_H_
#define BAGEL_FORMATS_BASE64_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bagel {

// Accepts what Go's encoding/base64 StdEncoding accepts: carriage returns and line feeds anywhere,
// full padding, any unused low bits. Throws kInvalidArgument with Go's text, "illegal base64 data
// at input byte N", where N counts from 0 and includes the line ends.
std::vector<std::byte> DecodeBase64(std::string_view text);

std::string EncodeBase64(std::span<const std::byte> bytes);

// The part after the comma of "data:<anything>;base64,<text>", compared without case; any other
// text comes back whole.
std::string_view StripDataUrl(std::string_view text);

}  // namespace bagel

#endif  // BAGEL_FORMATS_BASE64_H_

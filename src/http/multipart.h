// Forms with files (multipart/form-data, RFC 7578), as OpenAI's clients send pictures.
#ifndef BAGEL_HTTP_MULTIPART_H_
#define BAGEL_HTTP_MULTIPART_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bagel::http {

struct FormPart {
  std::string name;
  std::string_view data;  // into the body
};

struct FormLimits {
  std::size_t parts = 256;
  std::size_t head_bytes = 8 << 10;  // of one part
};

// Whether a Content-Type header names such a form.
bool IsMultipart(std::string_view content_type);

// The parts of a body in their order. File names and the parts' own types are not looked at. Throws
// kInvalidArgument for a header without a boundary, a part without a name or end, and kTooLarge
// past a limit.
std::vector<FormPart> ReadMultipart(std::string_view content_type, std::string_view body,
                                    const FormLimits& limits = {});

}  // namespace bagel::http

#endif  // BAGEL_HTTP_MULTIPART_H_

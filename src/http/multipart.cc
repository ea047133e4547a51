#include "http/multipart.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "base/error.h"
#include "http/socket_text.h"

namespace bagel::http {
namespace {

constexpr std::string_view kType = "multipart/form-data";
constexpr std::size_t kMaxBoundary = 70;  // RFC 2046, 5.1.1

[[noreturn]] void Fail(const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, "multipart form: " + what);
}

// A parameter's value from `at` on, as it stands or in quotes; `at` moves behind it.
std::string ReadValue(std::string_view header, std::size_t& at) {
  std::string value;
  if (at >= header.size() || header[at] != '"') {
    const std::size_t end = std::min(header.find_first_of("; \t", at), header.size());
    value = header.substr(at, end - at);
    at = end;
    return value;
  }
  for (++at; at < header.size() && header[at] != '"'; ++at) {
    if (header[at] == '\\' && at + 1 < header.size()) {
      ++at;
    }
    value += header[at];
  }
  return value;
}

// The value of a header's parameter `; name=value`, "" where there is none.
std::string Parameter(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at < header.size()) {
    at = header.find_first_not_of("; \t", at);
    const std::size_t equals = header.find('=', at);
    if (at == header.npos || equals == header.npos) {
      return {};
    }
    const std::string found = Lower(header.substr(at, equals - at));
    at = equals + 1;
    std::string value = ReadValue(header, at);
    if (found == name) {
      return value;
    }
    at = header.find(';', at);
  }
  return {};
}

// The name in a part's head, its lines with CRLF.
std::string NameIn(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    if (Lower(line).starts_with("content-disposition:")) {
      std::string name = Parameter(line, "name");
      if (!name.empty()) {
        return name;
      }
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  Fail("a part has no name");
}

}  // namespace

bool IsMultipart(std::string_view content_type) {
  return Lower(content_type.substr(0, kType.size())) == kType;
}

std::vector<FormPart> ReadMultipart(std::string_view content_type, std::string_view body,
                                    const FormLimits& limits) {
  const std::string boundary = Parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    Fail("a boundary of 1 to " + std::to_string(kMaxBoundary) + " characters is missing");
  }
  const std::string delimiter = "\r\n--" + boundary;
  std::vector<FormPart> parts;
  std::size_t at = body.starts_with(delimiter.substr(2)) ? delimiter.size() - 2 : body.npos;
  if (at == body.npos) {
    const std::size_t first = body.find(delimiter);
    at = first == body.npos ? first : first + delimiter.size();
  }
  while (at != body.npos && !body.substr(at).starts_with("--")) {
    at = body.find("\r\n", at);
    const std::size_t head_end = at == body.npos ? at : body.find("\r\n\r\n", at);
    const std::size_t end = head_end == body.npos ? head_end : body.find(delimiter, head_end + 2);
    if (end == body.npos) {
      Fail("the body ends inside a part");
    }
    if (head_end - at > limits.head_bytes || parts.size() == limits.parts) {
      throw Error(ErrorKind::kTooLarge, "multipart form: more than " +
                                            std::to_string(limits.parts) +
                                            " parts, or a part's head of more than " +
                                            std::to_string(limits.head_bytes) + " bytes");
    }
    const std::size_t data = std::min(head_end + 4, end);
    parts.push_back({NameIn(body.substr(at + 2, head_end - at)), body.substr(data, end - data)});
    at = end + delimiter.size();
  }
  if (at == body.npos) {
    Fail("the boundary does not occur in the body");
  }
  return parts;
}

}  // namespace bagel::http

// Lines out of a stream that is cut at arbitrary places.
#ifndef BAGEL_VISION_LINE_READER_H_
#define BAGEL_VISION_LINE_READER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace bagel::vision {

// Splits at 0x0A before anything is decoded, since a character may straddle two pieces. Empty lines
// are left out, and a carriage return at a line's end.
class LineReader {
 public:
  explicit LineReader(std::function<void(std::string_view line)> on_line)
      : on_line_(std::move(on_line)) {}

  // Throws kTooLarge for a line of more than 4 MiB.
  void Push(std::string_view piece) {
    for (size_t end; (end = piece.find('\n')) != std::string_view::npos;) {
      pending_ += piece.substr(0, end);
      piece.remove_prefix(end + 1);
      Finish();
    }
    pending_ += piece;
    if (pending_.size() > kLargestLine)
      throw Error(ErrorKind::kTooLarge, "a line of the answer has more than 4194304 bytes");
  }
  // The last line may lack its end.
  void Finish() {
    if (pending_.ends_with('\r')) pending_.pop_back();
    const std::string line = std::move(pending_);
    pending_.clear();
    if (!line.empty()) on_line_(line);
  }

 private:
  static constexpr size_t kLargestLine = size_t{4} << 20;

  std::function<void(std::string_view)> on_line_;
  std::string pending_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_LINE_READER_H_

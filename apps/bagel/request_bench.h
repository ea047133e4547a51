// What whole requests cost on this machine, through the engine as a server runs it.
#ifndef BAGEL_APPS_BAGEL_REQUEST_BENCH_H_
#define BAGEL_APPS_BAGEL_REQUEST_BENCH_H_

#include <cstdint>

#include "formats/json.h"
#include "image/sizes.h"
#include "model_option.h"

namespace bagel {

struct RequestShape {
  PictureSize frame;     // of a picture that is looked at; no width = none
  int requests = 0;      // texts at once; 0 = none
  int64_t tokens = 128;  // of each text
  PictureSize drawn;     // of a picture that is drawn; no width = none
  int steps = 50;        // of it
  bool edit = false;     // and edited

  bool texts() const { return frame.width > 0 || requests > 0; }
  bool pictures() const { return drawn.width > 0; }
};

// Loads the model, twice where there are texts and pictures (the half that understands alone, and
// all of it), and times requests: medians of `rounds` for frames, one of each picture. The report
// is empty where `shape` asks for nothing. The model needs its tokenizer. Throws what a request
// ends with.
Json RunRequestBench(const ModelOptions& options, const RequestShape& shape, int rounds);

}  // namespace bagel

#endif  // BAGEL_APPS_BAGEL_REQUEST_BENCH_H_

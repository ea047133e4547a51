// The threads of a block as fibers: what they share with the rest of the emulation.
#ifndef BAGEL_CUDA_EMULATION_THREADS_H_
#define BAGEL_CUDA_EMULATION_THREADS_H_

namespace emulation {

constexpr unsigned kMaxThreads = 1024;  // of a block

// The order of lanes, and of streams that do not wait for each other: backwards where the variable
// is set, which shows other missing barriers.
bool Backwards();

}  // namespace emulation

#endif  // BAGEL_CUDA_EMULATION_THREADS_H_

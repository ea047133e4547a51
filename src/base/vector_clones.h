// Plain loops compiled once for every generation of vector instructions.
#ifndef BAGEL_BASE_VECTOR_CLONES_H_
#define BAGEL_BASE_VECTOR_CLONES_H_

// Before a function whose loops the compiler turns into vectors: the program picks the widest that
// the processor has when it starts. Nothing elsewhere.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BAGEL_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BAGEL_VECTOR_CLONES
#endif

#endif  // BAGEL_BASE_VECTOR_CLONES_H_

// Row-by-row operations: norms, activations, rope. One row per call, f32.
#ifndef BAGEL_CPU_ROW_OPS_H_
#define BAGEL_CPU_ROW_OPS_H_

#include <cstdint>

namespace bagel {

// y = x / sqrt(mean(x^2) + eps) * weight; y may be x.
void RmsNormRow(float* y, const float* x, const float* weight, int64_t count, float eps);

// y = (x - mean) / sqrt(variance + eps) * weight + bias; y may be x.
void LayerNormRow(float* y, const float* x, const float* weight, const float* bias, int64_t count,
                  float eps);

// x = x * sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), which is the tanh form of GELU.
void GeluTanhRow(float* x, int64_t count);

// x = x * sigmoid(x).
void SiluRow(float* x, int64_t count);

// y = gate * sigmoid(gate) * up; y may be either.
void SwiGluRow(float* y, const float* gate, const float* up, int64_t count);

// Rotates the pairs (x[i], x[i + half]) by the angle whose cosine and sine are given, in place.
void RotateRow(float* x, const float* cosines, const float* sines, int64_t half);

// Columns of scores [keys][32] -> softmax weights of one block, streaming (online softmax, Milakov
// and Gimelshein 2018): updates the running maximum and total of each column, replaces the scores
// by exp(score * scale - maximum) and returns in `correction` the factor by which earlier sums
// shrink. limits[m] is how many of the keys column m may see; `masked` says that some see fewer.
void SoftmaxBlock(float* scores, int64_t keys, const int32_t* limits, bool masked, float scale,
                  float* maximum, float* total, float* correction);

// c[n][0..32) *= factor[0..32) for n < rows.
void ScaleColumns(float* c, int64_t rows, const float* factor);

}  // namespace bagel

#endif  // BAGEL_CPU_ROW_OPS_H_

#include "model/vae.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "base/error.h"

namespace bagel {
namespace {

constexpr int64_t kTaps = 9;

int64_t ChannelsIn(const Weight& convolution) { return convolution.in / kTaps; }

int64_t BandRows(const VaeBands& bands, int64_t width) {
  return std::max<int64_t>(1, bands.pixels / width);
}

// How many rows a picture must begin before the one from which it is made band by band, so that a
// band overwrites only what has been read: those of a band, and one on either side of it.
int64_t ShiftRows(const VaeBands& bands, int64_t width) { return BandRows(bands, width) + 2; }

// Whether the enlarged picture with which `block` begins is too large to lie beside the two planes
// that the block makes of it, and is replaced by them row by row instead.
bool Replaces(const VaeBlock& block, const VaeBands& bands, int64_t pixels) {
  const int64_t in = ChannelsIn(block.conv1), out = block.conv1.out;
  return block.shortcut.out > 0 && 2 * out <= in && pixels * (in + 2 * out) > bands.whole_values;
}

// Runs an encoder or decoder on one canvas: the picture lies at its begin or at its end, and what
// is made of it at the other.
class Painter {
 public:
  // `size` in values, see CanvasSize.
  Painter(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeBands& bands,
          int64_t size, const std::function<bool()>& stop)
      : ops_(ops),
        workspace_(workspace),
        config_(config),
        bands_(bands),
        stop_(stop),
        canvas_(workspace.Take(ops.ActivationType(), size, 1)) {}

  static int64_t CanvasSize(const VaeCoder& coder, const VaeBands& bands, int64_t height,
                            int64_t width, ConvSampling sampling) {
    int64_t size = 0;
    const auto need = [&](int64_t channels) { size = std::max(size, height * width * channels); };
    constexpr int64_t kMidPlanes = 5;
    if (sampling == ConvSampling::kUp) need(kMidPlanes * coder.mid1.conv1.out);
    const Weight* up = nullptr;
    for (const VaeCoder::Level& level : coder.levels) {
      for (const VaeBlock& block : level.blocks) {
        const int64_t in = ChannelsIn(block.conv1), out = block.conv1.out;
        if (up != nullptr && Replaces(block, bands, height * width)) {
          size = std::max(size, (height + 3 * ShiftRows(bands, width)) * width * in);
        } else {
          if (up != nullptr) need(in + (ChannelsIn(*up) + 3) / 4);
          need(block.shortcut.out > 0 ? in + 2 * out : 2 * out);
        }
        up = nullptr;
      }
      if (level.resample.out == 0) continue;
      if (sampling == ConvSampling::kUp) {
        up = &level.resample;
        height *= 2;
        width *= 2;
      } else {
        need(ChannelsIn(level.resample) + (level.resample.out + 3) / 4);
        height /= 2;
        width /= 2;
      }
    }
    if (sampling == ConvSampling::kDown) need(kMidPlanes * coder.mid1.conv1.out);
    return size;
  }

  // The first convolution, of `input` [height * width, channels].
  void Start(const Weight& conv_in, std::span<const float> input, int64_t height, int64_t width) {
    const Workspace::Scope scope(workspace_);
    height_ = height;
    width_ = width;
    const Tensor x = workspace_.Take(DType::kF32, height * width, ChannelsIn(conv_in));
    ops_.CopyToDevice(x.data, input.data(), input.size_bytes());
    plane_ = At(0, height * width, conv_in.out);
    ops_.Conv2d(plane_, x, conv_in, Geometry());
  }

  void Block(const VaeBlock& block) {
    const Workspace::Scope scope(workspace_);
    if (const Weight* up = std::exchange(up_, nullptr)) {
      if (Replaces(block, bands_, 4 * height_ * width_)) return ReplacingBlock(*up, block);
      Resample(*up, ConvSampling::kUp);
    }
    AskToStop();
    if (block.shortcut.out > 0)
      BlockWithShortcut(block);
    else
      BlockInPlace(block);
  }

  void Mid(const VaeCoder& coder) {
    Block(coder.mid1);
    Attention(coder);
    Block(coder.mid2);
  }

  void Level(const VaeCoder::Level& level, ConvSampling sampling) {
    for (const VaeBlock& block : level.blocks) Block(block);
    if (level.resample.out == 0) return;
    if (sampling == ConvSampling::kUp)
      up_ = &level.resample;  // the next block knows where to
    else
      Resample(level.resample, sampling);
  }

  // The last norm and convolution, to host memory.
  void Finish(const VaeCoder& coder, std::span<float> output) {
    const Workspace::Scope scope(workspace_);
    const Tensor factors = NormFactors(plane_, coder.norm_out);
    const int64_t channels = coder.conv_out.out;
    ForBands([&](int64_t row, int64_t rows) {
      const Workspace::Scope band_scope(workspace_);
      const Tensor y = workspace_.Take(DType::kF32, rows * width_, channels);
      ConvGeometry geometry = Geometry();
      geometry.first_output = row;
      ops_.Conv2d(y, plane_, coder.conv_out, geometry, factors);
      ops_.CopyToHost(output.data() + row * width_ * channels, y.data,
                      static_cast<size_t>(y.rows * channels) * sizeof(float));
    });
  }

 private:
  void AskToStop() const {
    if (stop_ && stop_()) throw Error(ErrorKind::kCancelled, "request canceled");
  }

  ConvGeometry Geometry() const { return {height_, width_, ConvSampling::kSame}; }

  Tensor At(int64_t begin, int64_t rows, int64_t channels) const {
    Tensor plane = canvas_.Rows(begin, rows * channels);
    plane.rows = rows;
    plane.cols = plane.stride = channels;
    return plane;
  }

  // Memory at the end of the canvas where the picture is not.
  Tensor Beside(int64_t rows, int64_t channels) const {
    CHECK(plane_.rows * plane_.cols + rows * channels <= canvas_.rows);
    return At(at_end_ ? 0 : canvas_.rows - rows * channels, rows, channels);
  }

  // `plane`, which lies beside the picture, is the picture now.
  void GoTo(const Tensor& plane) {
    plane_ = plane;
    at_end_ = !at_end_;
  }

  template <typename Body>
  void ForBands(const Body& body) const {
    const int64_t band = BandRows(bands_, width_);
    for (int64_t row = 0; row < height_; row += band) {
      AskToStop();
      body(row, std::min(band, height_ - row));
    }
  }

  // The factors [2, channels] with which x * factors[0] + factors[1] is the GroupNorm of x.
  Tensor NormFactors(const Tensor& x, const LayerNormWeights& norm) {
    const Tensor moments = workspace_.Take(DType::kF32, 2, config_.groups);
    ops_.GroupMoments(moments, x, config_.groups);
    const std::vector<float> host_moments = ToHost(moments.data, 2 * config_.groups);
    const std::vector<float> weight = ToHost(norm.weight, x.cols), bias = ToHost(norm.bias, x.cols);
    const size_t channels = weight.size(), groups = host_moments.size() / 2;
    std::vector<float> factors(2 * channels);
    for (size_t i = 0; i < channels; ++i) {
      const size_t group = i / (channels / groups);
      const double deviation =
          std::sqrt(static_cast<double>(host_moments[groups + group]) + config_.norm_eps);
      factors[i] = static_cast<float>(weight[i] / deviation);
      factors[channels + i] =
          static_cast<float>(bias[i] - host_moments[group] * weight[i] / deviation);
    }
    const Tensor result = workspace_.Take(DType::kF32, 2, x.cols);
    ops_.CopyToDevice(result.data, factors.data(), factors.size() * sizeof(float));
    return result;
  }

  std::vector<float> ToHost(const void* data, int64_t count) {
    std::vector<float> host(static_cast<size_t>(count));
    ops_.CopyToHost(host.data(), data, host.size() * sizeof(float));
    return host;
  }

  void Resample(const Weight& weight, ConvSampling sampling) {
    AskToStop();
    const ConvGeometry geometry{height_, width_, sampling};
    height_ = geometry.OutputHeight();
    width_ = geometry.OutputWidth();
    const Tensor sampled = Beside(height_ * width_, weight.out);
    ops_.Conv2d(sampled, plane_, weight, geometry);
    GoTo(sampled);
  }

  void BlockInPlace(const VaeBlock& block) {
    const Tensor inner = Beside(plane_.rows, block.conv1.out);
    ops_.Conv2d(inner, plane_, block.conv1, Geometry(), NormFactors(plane_, block.norm1));
    AskToStop();
    ops_.Conv2dAdd(plane_, inner, block.conv2, Geometry(), NormFactors(inner, block.norm2));
  }

  void BlockWithShortcut(const VaeBlock& block) {
    const int64_t pixels = plane_.rows;
    const Tensor both = Beside(2 * pixels, block.conv1.out);
    const Tensor inner = both.Rows(at_end_ ? pixels : 0, pixels);
    const Tensor result = both.Rows(at_end_ ? 0 : pixels, pixels);
    ops_.Conv2d(inner, plane_, block.conv1, Geometry(), NormFactors(plane_, block.norm1));
    AskToStop();
    ops_.Linear(result, plane_, block.shortcut);
    ops_.Conv2dAdd(result, inner, block.conv2, Geometry(), NormFactors(inner, block.norm2));
    GoTo(result);
  }

  // A block with the enlarging before it, in little more memory than the enlarged picture takes.
  // That replaces the picture it is made from, which lies at the end of the canvas. A row of it
  // makes room for the same row of both planes, and a row of those for one of the result.
  void ReplacingBlock(const Weight& up, const VaeBlock& block) {
    if (!at_end_) {
      const Tensor moved = Beside(plane_.rows, plane_.cols);
      ops_.Copy(moved, plane_);
      GoTo(moved);
    }
    const ConvGeometry enlarging{height_, width_, ConvSampling::kUp};
    height_ *= 2;
    width_ *= 2;
    const int64_t pixels = height_ * width_, out = block.conv1.out;
    const int64_t shift = ShiftRows(bands_, width_) * width_ * up.out;
    const Tensor enlarged = At(2 * shift, pixels, up.out), planes = At(shift, pixels, up.out);
    const Tensor inner = planes.Cols(0, out), shortcut = planes.Cols(out, out);
    const Tensor result = At(0, pixels, out);
    ForBands([&](int64_t row, int64_t rows) {
      ConvRows(Band(enlarged, row, rows), row, plane_, up, enlarging);
    });
    const Tensor factors1 = NormFactors(enlarged, block.norm1);
    ForBands([&](int64_t row, int64_t rows) {
      ops_.Linear(Band(shortcut, row, rows), Band(enlarged, row, rows), block.shortcut);
      ConvRows(Band(inner, row, rows), row, enlarged, block.conv1, Geometry(), factors1);
    });
    const Tensor factors2 = NormFactors(inner, block.norm2);
    ForBands([&](int64_t row, int64_t rows) {
      ops_.Copy(Band(result, row, rows), Band(shortcut, row, rows));
      ConvRows(Band(result, row, rows), row, inner, block.conv2, Geometry(), factors2, true);
    });
    GoTo(result);
  }

  Tensor Band(const Tensor& plane, int64_t row, int64_t rows) const {
    return plane.Rows(row * width_, rows * width_);
  }

  // y, the rows of a convolution of x from `row` on, reading no more of x than they need.
  void ConvRows(const Tensor& y, int64_t row, const Tensor& x, const Weight& weight,
                ConvGeometry geometry, const Tensor& factors = {}, bool add = false) {
    const auto [first, last] = geometry.InputRows(row, y.rows / geometry.OutputWidth());
    geometry.first_input = first;
    geometry.first_output = row;
    const Tensor rows = x.Rows(first * geometry.width, (last - first) * geometry.width);
    if (add)
      ops_.Conv2dAdd(y, rows, weight, geometry, factors);
    else
      ops_.Conv2d(y, rows, weight, geometry, factors);
  }

  // One head over all pixels.
  void Attention(const VaeCoder& coder) {
    const Workspace::Scope scope(workspace_);
    const Tensor factors = NormFactors(plane_, coder.mid_norm);
    const Tensor planes = Beside(4 * plane_.rows, plane_.cols);
    Tensor parts[4];
    for (int64_t i = 0; i < 4; ++i) parts[i] = planes.Rows(i * plane_.rows, plane_.rows);
    const auto& [normed, q, k, v] = parts;
    ops_.ScaleShift(normed, plane_, factors);
    ops_.Linear(q, normed, coder.mid_q);
    ops_.Linear(k, normed, coder.mid_k);
    ops_.Linear(v, normed, coder.mid_v);
    ops_.FullAttention(normed, q, k, v, 1);
    ops_.LinearAdd(plane_, normed, coder.mid_out);
  }

  Ops& ops_;
  Workspace& workspace_;
  const VaeConfig& config_;
  const VaeBands& bands_;
  const std::function<bool()>& stop_;
  Tensor canvas_;
  Tensor plane_;  // the picture [height_ * width_, channels]
  bool at_end_ = false;
  int64_t height_ = 0, width_ = 0;
  const Weight* up_ = nullptr;  // that enlarges the picture before the next block
};

}  // namespace

void VaeEncode(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeCoder& encoder,
               std::span<const float> pixels, int64_t height, int64_t width,
               std::span<float> moments, const std::function<bool()>& stop) {
  const Workspace::Scope scope(workspace);
  const VaeBands bands;
  Painter painter(ops, workspace, config, bands,
                  Painter::CanvasSize(encoder, bands, height, width, ConvSampling::kDown), stop);
  painter.Start(encoder.conv_in, pixels, height, width);
  for (const VaeCoder::Level& level : encoder.levels) painter.Level(level, ConvSampling::kDown);
  painter.Mid(encoder);
  painter.Finish(encoder, moments);
}

void VaeDecode(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeCoder& decoder,
               std::span<const float> latents, int64_t height, int64_t width, const VaeBands& bands,
               std::span<float> pixels, const std::function<bool()>& stop) {
  const Workspace::Scope scope(workspace);
  Painter painter(ops, workspace, config, bands,
                  Painter::CanvasSize(decoder, bands, height, width, ConvSampling::kUp), stop);
  painter.Start(decoder.conv_in, latents, height, width);
  painter.Mid(decoder);
  for (const VaeCoder::Level& level : decoder.levels) painter.Level(level, ConvSampling::kUp);
  painter.Finish(decoder, pixels);
}

}  // namespace bagel

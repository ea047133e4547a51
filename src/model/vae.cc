#include "model/vae.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/error.h"

namespace bagel {
namespace {

// Mean and variance of a picture's groups of channels, collected band by band (Chan et al. 1979).
class GroupStatistics {
 public:
  explicit GroupStatistics(int64_t groups)
      : means_(static_cast<size_t>(groups)), squares_(static_cast<size_t>(groups)) {}

  // `moments` [2 * groups]: means and variances of `pixels` pixels.
  void Add(const std::vector<float>& moments, int64_t pixels) {
    const auto added = static_cast<double>(pixels);
    const double total = count_ + added;
    for (size_t g = 0; g < means_.size(); ++g) {
      const double difference = moments[g] - means_[g];
      means_[g] += difference * added / total;
      squares_[g] +=
          added * (moments[means_.size() + g] + difference * difference * count_ / total);
    }
    count_ = total;
  }

  // The factors [2, channels] with which x * factors[0] + factors[1] is the GroupNorm of x.
  std::vector<float> Factors(const std::vector<float>& weight, const std::vector<float>& bias,
                             double eps) const {
    const size_t channels = weight.size(), size = channels / means_.size();
    std::vector<float> factors(2 * channels);
    for (size_t i = 0; i < channels; ++i) {
      const double deviation = std::sqrt(squares_[i / size] / count_ + eps);
      factors[i] = static_cast<float>(weight[i] / deviation);
      factors[channels + i] =
          static_cast<float>(bias[i] - means_[i / size] * weight[i] / deviation);
    }
    return factors;
  }

 private:
  double count_ = 0;
  std::vector<double> means_, squares_;
};

// Runs an encoder or decoder. The picture lies in one of two slots of memory, or is what `up_`
// makes of a slot and only exists in bands.
class Painter {
 public:
  // `slot_size` floats is the largest plane, see SlotSize.
  Painter(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeBands& bands,
          int64_t slot_size, const std::function<bool()>& stop)
      : ops_(ops), workspace_(workspace), config_(config), bands_(bands), stop_(stop) {
    for (Tensor& slot : slots_) slot = workspace.Take(DType::kF32, slot_size, 1);
  }

  static int64_t SlotSize(const VaeCoder& coder, const VaeBands& bands, int64_t height,
                          int64_t width, ConvSampling sampling) {
    int64_t size = 0;
    const auto add = [&](const VaeBlock& block, int64_t planes) {
      size = std::max(
          size, (planes * height + BandRows(bands, width) + kShiftRows) * width * block.conv1.out);
    };
    constexpr int64_t kMidPlanes = 4;
    if (sampling == ConvSampling::kUp) add(coder.mid1, kMidPlanes);
    for (const VaeCoder::Level& level : coder.levels) {
      for (const VaeBlock& block : level.blocks) add(block, 1);
      if (level.resample.out == 0) continue;
      height = sampling == ConvSampling::kUp ? 2 * height : height / 2;
      width = sampling == ConvSampling::kUp ? 2 * width : width / 2;
      const int64_t whole = height * width * level.resample.out;
      if (sampling == ConvSampling::kUp && 2 * whole * kFloatBytes <= bands.whole_bytes)
        size = std::max(size, whole);
    }
    if (sampling == ConvSampling::kDown) add(coder.mid1, kMidPlanes);
    return size;
  }

  // The first convolution, of `input` [height * width, channels].
  void Start(const Weight& conv_in, std::span<const float> input, int64_t height, int64_t width) {
    const Workspace::Scope scope(workspace_);
    height_ = height;
    width_ = width;
    const Tensor x = workspace_.Take(DType::kF32, height * width, conv_in.in / kTaps);
    ops_.CopyToDevice(x.data, input.data(), input.size_bytes());
    plane_ = Plane(slot_, height * width, conv_in.out);
    ops_.Conv2d(plane_, x, conv_in, Geometry());
  }

  void Block(const VaeBlock& block) {
    const Workspace::Scope scope(workspace_);
    AskToStop();
    if (up_ != nullptr && !bands_.stream_always && 4 * plane_.rows * up_->out <= slots_[0].rows)
      StoreUpsampled();
    if (up_ == nullptr && block.shortcut.out == 0)
      BlockInPlace(block);
    else
      BlockInBands(block);
  }

  void Mid(const VaeCoder& coder) {
    Block(coder.mid1);
    Attention(coder);
    Block(coder.mid2);
  }

  void Level(const VaeCoder::Level& level, ConvSampling sampling) {
    for (const VaeBlock& block : level.blocks) Block(block);
    if (level.resample.out == 0) return;
    if (sampling == ConvSampling::kUp) {
      up_ = &level.resample;
      height_ *= 2;
      width_ *= 2;
      return;
    }
    const Tensor smaller = Plane(1 - slot_, plane_.rows / 4, level.resample.out);
    ops_.Conv2d(smaller, plane_, level.resample, {height_, width_, sampling});
    plane_ = smaller;
    slot_ = 1 - slot_;
    height_ /= 2;
    width_ /= 2;
  }

  // The last norm and convolution, to host memory.
  void Finish(const VaeCoder& coder, std::span<float> output) {
    const Workspace::Scope scope(workspace_);
    const Tensor factors = NormFactors(coder.norm_out);
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
  static constexpr int64_t kTaps = 9;
  static constexpr int64_t kShiftRows = 2;
  static constexpr int64_t kFloatBytes = sizeof(float);

  static int64_t BandRows(const VaeBands& bands, int64_t width) {
    return std::max<int64_t>(1, bands.pixels / width);
  }

  void AskToStop() const {
    if (stop_ && stop_()) throw Error(ErrorKind::kCancelled, "request canceled");
  }

  ConvGeometry Geometry() const { return {height_, width_, ConvSampling::kSame}; }

  Tensor Plane(int slot, int64_t rows, int64_t channels) const {
    CHECK(rows * channels <= slots_[slot].rows);
    return {slots_[slot].data, DType::kF32, rows, channels, channels};
  }

  template <typename Body>
  void ForBands(const Body& body) const {
    const int64_t band = BandRows(bands_, width_);
    for (int64_t row = 0; row < height_; row += band) {
      AskToStop();
      body(row, std::min(band, height_ - row));
    }
  }

  // Rows of the picture as it is, or made from the smaller one in the workspace.
  Tensor Rows(int64_t row, int64_t rows) {
    if (up_ == nullptr) return plane_.Rows(row * width_, rows * width_);
    const Tensor band = workspace_.Take(DType::kF32, rows * width_, up_->out);
    ConvGeometry geometry{height_ / 2, width_ / 2, ConvSampling::kUp};
    geometry.first_output = row;
    ops_.Conv2d(band, plane_, *up_, geometry);
    return band;
  }

  void StoreUpsampled() {
    const Tensor larger = Plane(1 - slot_, 4 * plane_.rows, up_->out);
    ops_.Conv2d(larger, plane_, *up_, {height_ / 2, width_ / 2, ConvSampling::kUp});
    plane_ = larger;
    slot_ = 1 - slot_;
    up_ = nullptr;
  }

  void AddMoments(GroupStatistics& statistics, const Tensor& x) {
    const Workspace::Scope scope(workspace_);
    const Tensor moments = workspace_.Take(DType::kF32, 2, config_.groups);
    ops_.GroupMoments(moments, x, config_.groups);
    std::vector<float> host(static_cast<size_t>(2 * config_.groups));
    ops_.CopyToHost(host.data(), moments.data, host.size() * sizeof(float));
    statistics.Add(host, x.rows);
  }

  Tensor ToFactors(const GroupStatistics& statistics, const LayerNormWeights& norm,
                   int64_t channels) {
    std::vector<float> weight(static_cast<size_t>(channels)), bias(weight.size());
    ops_.CopyToHost(weight.data(), norm.weight, weight.size() * sizeof(float));
    ops_.CopyToHost(bias.data(), norm.bias, bias.size() * sizeof(float));
    const Tensor factors = workspace_.Take(DType::kF32, 2, channels);
    const std::vector<float> host = statistics.Factors(weight, bias, config_.norm_eps);
    ops_.CopyToDevice(factors.data, host.data(), host.size() * sizeof(float));
    return factors;
  }

  Tensor NormFactorsOf(const Tensor& x, const LayerNormWeights& norm) {
    GroupStatistics statistics(config_.groups);
    AddMoments(statistics, x);
    return ToFactors(statistics, norm, x.cols);
  }

  // Of the picture.
  Tensor NormFactors(const LayerNormWeights& norm) {
    if (up_ == nullptr) return NormFactorsOf(plane_, norm);
    GroupStatistics statistics(config_.groups);
    ForBands([&](int64_t row, int64_t rows) {
      const Workspace::Scope scope(workspace_);
      AddMoments(statistics, Rows(row, rows));
    });
    return ToFactors(statistics, norm, up_->out);
  }

  void BlockInPlace(const VaeBlock& block) {
    const Tensor inner = Plane(1 - slot_, plane_.rows, block.conv1.out);
    ops_.Conv2d(inner, plane_, block.conv1, Geometry(), NormFactors(block.norm1));
    AskToStop();
    ops_.Conv2dAdd(plane_, inner, block.conv2, Geometry(), NormFactorsOf(inner, block.norm2));
  }

  // In the other slot the result begins a little before the inner plane from which it is made, so
  // that a band of it only overwrites rows that have been read.
  void BlockInBands(const VaeBlock& block) {
    const int64_t shift = (BandRows(bands_, width_) + kShiftRows) * width_;
    const int64_t pixels = height_ * width_, channels = block.conv1.out;
    const Tensor both = Plane(1 - slot_, pixels + shift, channels);
    const Tensor result = both.Rows(0, pixels), inner = both.Rows(shift, pixels);
    const Tensor factors1 = NormFactors(block.norm1);
    ForBands([&](int64_t row, int64_t rows) {
      const Workspace::Scope scope(workspace_);
      ConvGeometry geometry = Geometry();
      const auto [first, last] = geometry.InputRows(row, rows);
      geometry.first_input = first;
      geometry.first_output = row;
      ops_.Conv2d(inner.Rows(row * width_, rows * width_), Rows(first, last - first), block.conv1,
                  geometry, factors1);
    });
    const Tensor factors2 = NormFactorsOf(inner, block.norm2);
    ForBands([&](int64_t row, int64_t rows) {
      const Workspace::Scope scope(workspace_);
      const Tensor y = result.Rows(row * width_, rows * width_), x = Rows(row, rows);
      if (block.shortcut.out > 0)
        ops_.Linear(y, x, block.shortcut);
      else
        ops_.Copy(y, x);
      ConvGeometry geometry = Geometry();
      const auto [first, last] = geometry.InputRows(row, rows);
      geometry.first_input = first;
      geometry.first_output = row;
      ops_.Conv2dAdd(y, inner.Rows(first * width_, (last - first) * width_), block.conv2, geometry,
                     factors2);
    });
    plane_ = result;
    slot_ = 1 - slot_;
    up_ = nullptr;
  }

  // One head over all pixels.
  void Attention(const VaeCoder& coder) {
    const Workspace::Scope scope(workspace_);
    const Tensor factors = NormFactors(coder.mid_norm);
    Tensor parts[4];
    for (int64_t i = 0; i < 4; ++i)
      parts[i] = Plane(1 - slot_, 4 * plane_.rows, plane_.cols).Rows(i * plane_.rows, plane_.rows);
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
  Tensor slots_[2];
  int slot_ = 0;  // that holds plane_
  Tensor plane_;  // [height_ * width_, channels], or a quarter of that before up_
  const Weight* up_ = nullptr;
  int64_t height_ = 0, width_ = 0;
};

}  // namespace

void VaeEncode(Ops& ops, Workspace& workspace, const VaeConfig& config, const VaeCoder& encoder,
               std::span<const float> pixels, int64_t height, int64_t width,
               std::span<float> moments, const std::function<bool()>& stop) {
  const Workspace::Scope scope(workspace);
  const VaeBands bands;
  Painter painter(ops, workspace, config, bands,
                  Painter::SlotSize(encoder, bands, height, width, ConvSampling::kDown), stop);
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
                  Painter::SlotSize(decoder, bands, height, width, ConvSampling::kUp), stop);
  painter.Start(decoder.conv_in, latents, height, width);
  painter.Mid(decoder);
  for (const VaeCoder::Level& level : decoder.levels) painter.Level(level, ConvSampling::kUp);
  painter.Finish(decoder, pixels);
}

}  // namespace bagel

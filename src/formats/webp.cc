#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

#include <cstring>
#include <memory>

#include "formats/exif.h"
#include "formats/picture_codecs.h"

namespace bagel {
namespace {

struct DemuxerDeleter {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

class Frame {
 public:
  // The first frame.
  explicit Frame(const WebPDemuxer* demuxer)
      : found_(WebPDemuxGetFrame(demuxer, 1, &frame_) != 0) {}
  ~Frame() { WebPDemuxReleaseIterator(&frame_); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  bool found() const { return found_; }
  const WebPIterator& get() const { return frame_; }

 private:
  WebPIterator frame_ = {};
  bool found_;
};

int WebpOrientation(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk = {};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) != 0) {
    orientation =
        ExifOrientation({reinterpret_cast<const std::byte*>(chunk.chunk.bytes), chunk.chunk.size});
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

// Decodes the frame to its place on the canvas; `pixels` has `channels` bytes for each pixel of a
// canvas `canvas_width` wide, and the frame lies within it.
void DecodeFrame(const WebPIterator& frame, size_t canvas_width, size_t channels,
                 std::vector<uint8_t>& pixels) {
  WebPBitstreamFeatures features;
  const WebPData& data = frame.fragment;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK ||
      features.width != frame.width || features.height != frame.height) {
    FailPicture(ErrorKind::kCorrupt, "the WebP file's frame contradicts its header");
  }
  const size_t stride = canvas_width * channels;
  const size_t start =
      static_cast<size_t>(frame.y_offset) * stride + static_cast<size_t>(frame.x_offset) * channels;
  const auto decode = channels == 4 ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (decode(data.bytes, data.size, pixels.data() + start, pixels.size() - start,
             static_cast<int>(stride)) == nullptr) {
    FailPicture(ErrorKind::kCorrupt, "the WebP file is broken or cut off");
  }
}

}  // namespace

Picture DecodeWebp(std::span<const std::byte> bytes, const PictureLimits& limits) {
  const WebPData data = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPDemuxer, DemuxerDeleter> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) {
    FailPicture(ErrorKind::kCorrupt, "the WebP file is broken or cut off");
  }
  const size_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const size_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  CheckPictureSize(width, height, limits);
  const Frame first(demuxer.get());
  if (!first.found()) FailPicture(ErrorKind::kCorrupt, "the WebP file has no frame");
  const WebPIterator& frame = first.get();
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
      static_cast<size_t>(frame.x_offset) + static_cast<size_t>(frame.width) > width ||
      static_cast<size_t>(frame.y_offset) + static_cast<size_t>(frame.height) > height) {
    FailPicture(ErrorKind::kCorrupt, "the WebP file's first frame lies outside its canvas");
  }
  const bool covers =
      static_cast<size_t>(frame.width) == width && static_cast<size_t>(frame.height) == height;
  const size_t channels = covers && frame.has_alpha == 0 ? 3 : 4;
  Picture picture;
  picture.width = static_cast<int>(width);
  picture.height = static_cast<int>(height);
  picture.rgb.resize(width * height * channels);
  DecodeFrame(frame, width, channels, picture.rgb);
  if (channels == 4) PasteOnWhite(picture.rgb);
  return Upright(std::move(picture), WebpOrientation(demuxer.get()));
}

std::vector<std::byte> EncodeWebp(const Picture& picture, int quality) {
  CheckEncodable(picture);
  CHECK(quality >= 0 && quality <= 100);
  const std::string size = std::to_string(picture.width) + "x" + std::to_string(picture.height);
  if (picture.width > WEBP_MAX_DIMENSION || picture.height > WEBP_MAX_DIMENSION) {
    throw Error(ErrorKind::kTooLarge, "cannot write a WebP file of " + size + ", the limit is " +
                                          std::to_string(WEBP_MAX_DIMENSION) + " a side");
  }
  uint8_t* encoded = nullptr;
  const size_t bytes = WebPEncodeRGB(picture.rgb.data(), picture.width, picture.height,
                                     picture.width * 3, static_cast<float>(quality), &encoded);
  const std::unique_ptr<uint8_t, decltype(&WebPFree)> owner(encoded, WebPFree);
  if (bytes == 0) throw Error(ErrorKind::kOutOfMemory, "cannot write a WebP file of " + size);
  const auto* const begin = reinterpret_cast<const std::byte*>(encoded);
  return {begin, begin + bytes};
}

}  // namespace bagel

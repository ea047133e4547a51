// jpeglib.h needs FILE from <cstdio>, and jerror.h the configuration in jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "formats/exif.h"
#include "formats/picture_codecs.h"

namespace bagel {
namespace {

// A progressive file is decoded once over for every scan; honest ones have about ten.
constexpr int kMaxScans = 100;

// libjpeg's error handler; it reports errors by longjmp, so the functions that call setjmp hold
// nothing with a destructor.
struct JpegErrors {
  jpeg_error_mgr manager;  // first, so that a pointer to it points to the whole
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

JpegErrors* ErrorsOf(j_common_ptr codec) { return reinterpret_cast<JpegErrors*>(codec->err); }

[[noreturn]] void OnError(j_common_ptr codec) {
  JpegErrors* const errors = ErrorsOf(codec);
  errors->manager.format_message(codec, errors->message);
  std::longjmp(errors->jump, 1);
}

// Warnings that mean missing or wrong pixels end the decoding; the others are let pass.
void OnMessage(j_common_ptr codec, int level) {
  if (level >= 0) return;
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      OnError(codec);
    default:
      return;
  }
}

void OnOutput(j_common_ptr) {}

void OnProgress(j_common_ptr codec) {
  if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= kMaxScans) return;
  JpegErrors* const errors = ErrorsOf(codec);
  std::snprintf(errors->message, sizeof errors->message, "it has more than %d scans", kMaxScans);
  std::longjmp(errors->jump, 1);
}

void SetUp(JpegErrors& errors) {
  jpeg_std_error(&errors.manager);
  errors.manager.error_exit = OnError;
  errors.manager.emit_message = OnMessage;
  errors.manager.output_message = OnOutput;
  errors.message[0] = '\0';
}

class JpegReader {
 public:
  explicit JpegReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    SetUp(errors_);
    codec_.err = &errors_.manager;
  }
  ~JpegReader() { jpeg_destroy_decompress(&codec_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // False with message() on failure.
  bool ReadHeader() {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&codec_);
    progress_.progress_monitor = OnProgress;
    codec_.progress = &progress_;
    jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&codec_, TRUE);
    return true;
  }

  // `pixels` takes height rows of width * channels() bytes.
  bool ReadRows(uint8_t* pixels) {
    if (setjmp(errors_.jump) != 0) return false;
    codec_.out_color_space = channels() == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&codec_);
    while (codec_.output_scanline < codec_.output_height) {
      JSAMPROW row = pixels + size_t{codec_.output_scanline} * codec_.output_width *
                                  static_cast<size_t>(codec_.output_components);
      jpeg_read_scanlines(&codec_, &row, 1);
    }
    jpeg_finish_decompress(&codec_);
    return true;
  }

  size_t width() const { return codec_.image_width; }
  size_t height() const { return codec_.image_height; }
  // 3 for grey and colour, 4 for CMYK and YCCK, 0 for anything else.
  size_t channels() const {
    switch (codec_.jpeg_color_space) {
      case JCS_GRAYSCALE:
      case JCS_RGB:
      case JCS_YCbCr:
        return 3;
      case JCS_CMYK:
      case JCS_YCCK:
        return 4;
      default:
        return 0;
    }
  }
  int components() const { return codec_.num_components; }
  const char* message() const { return errors_.message; }

 private:
  std::span<const std::byte> bytes_;
  jpeg_decompress_struct codec_ = {};
  JpegErrors errors_ = {};
  jpeg_progress_mgr progress_ = {};
};

// The orientation in the first EXIF segment before the picture data.
int JpegOrientation(std::span<const std::byte> bytes) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  size_t position = 2;
  while (position + 4 <= bytes.size() && bytes[position] == std::byte{0xFF}) {
    const unsigned marker = static_cast<unsigned>(bytes[position + 1]);
    if (marker == 0xFF) {
      ++position;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) break;
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {
      position += 2;
      continue;
    }
    const size_t length =
        (static_cast<size_t>(bytes[position + 2]) << 8) | static_cast<size_t>(bytes[position + 3]);
    if (length < 2 || bytes.size() - position - 2 < length) break;
    const std::span<const std::byte> data = bytes.subspan(position + 4, length - 2);
    if (marker == 0xE1 && data.size() > kExif.size() &&
        std::memcmp(data.data(), kExif.data(), kExif.size()) == 0) {
      return ExifOrientation(data);
    }
    position += 2 + length;
  }
  return 1;
}

// CMYK as Adobe stores it, inverted, to RGB in place by Pillow's formula, which for the stored
// values c and k is max(0, k - (255 - c) * k / 255), the division rounded.
void InvertedCmykToRgb(std::vector<uint8_t>& pixels) {
  const size_t count = pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const int key = pixels[i * 4 + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      const int product = (255 - pixels[i * 4 + channel]) * key + 128;
      const int value = key - (((product >> 8) + product) >> 8);
      pixels[i * 3 + channel] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
  pixels.resize(count * 3);
}

[[noreturn]] void FailBroken(const char* message) {
  FailPicture(ErrorKind::kCorrupt, std::string("the JPEG file is broken: ") + message);
}

class JpegWriter {
 public:
  JpegWriter() {
    SetUp(errors_);
    codec_.err = &errors_.manager;
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&codec_);
    std::free(buffer_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  bool Write(const Picture& picture, int quality) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_compress(&codec_);
    jpeg_mem_dest(&codec_, &buffer_, &size_);
    codec_.image_width = static_cast<JDIMENSION>(picture.width);
    codec_.image_height = static_cast<JDIMENSION>(picture.height);
    codec_.input_components = 3;
    codec_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&codec_);
    jpeg_set_quality(&codec_, quality, TRUE);
    jpeg_start_compress(&codec_, TRUE);
    while (codec_.next_scanline < codec_.image_height) {
      // libjpeg's row type is not const, but it only reads.
      JSAMPROW row = const_cast<JSAMPROW>(picture.rgb.data()) +
                     size_t{codec_.next_scanline} * codec_.image_width * 3;
      jpeg_write_scanlines(&codec_, &row, 1);
    }
    jpeg_finish_compress(&codec_);
    return true;
  }

  std::span<const std::byte> output() const {
    return {reinterpret_cast<const std::byte*>(buffer_), size_};
  }
  const char* message() const { return errors_.message; }

 private:
  jpeg_compress_struct codec_ = {};
  JpegErrors errors_ = {};
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

Picture DecodeJpeg(std::span<const std::byte> bytes, const PictureLimits& limits) {
  JpegReader reader(bytes);
  if (!reader.ReadHeader()) FailBroken(reader.message());
  CheckPictureSize(reader.width(), reader.height(), limits);
  if (reader.channels() == 0) {
    FailPicture(ErrorKind::kCorrupt, "the JPEG file has " + std::to_string(reader.components()) +
                                         " channels, expected 1, 3 or 4");
  }
  Picture picture;
  picture.width = static_cast<int>(reader.width());
  picture.height = static_cast<int>(reader.height());
  picture.rgb.resize(reader.width() * reader.height() * reader.channels());
  if (!reader.ReadRows(picture.rgb.data())) FailBroken(reader.message());
  if (reader.channels() == 4) InvertedCmykToRgb(picture.rgb);
  return Upright(std::move(picture), JpegOrientation(bytes));
}

std::vector<std::byte> EncodeJpeg(const Picture& picture, int quality) {
  CheckEncodable(picture);
  CHECK(quality >= 1 && quality <= 100);
  JpegWriter writer;
  if (!writer.Write(picture, quality)) {
    const bool too_large =
        picture.width > JPEG_MAX_DIMENSION || picture.height > JPEG_MAX_DIMENSION;
    throw Error(too_large ? ErrorKind::kTooLarge : ErrorKind::kInternal,
                "cannot write a JPEG file of " + std::to_string(picture.width) + "x" +
                    std::to_string(picture.height) + ": " + writer.message());
  }
  return {writer.output().begin(), writer.output().end()};
}

}  // namespace bagel

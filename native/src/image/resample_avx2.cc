// The inner loops of a resampling with AVX2, which multiplies 16-bit numbers and adds pairs of products in one
// instruction. A weight of more bits is divided in two such numbers, whose sums are put together at the end:
// w = high × 2^kLowBits + low.
#include "image/resample_passes.h"

#ifdef __x86_64__

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace millrace {
namespace {

constexpr int kLowBits = 11;
// The rows whose columns are computed together, so that they share the loads of the weights.
constexpr size_t kTogether = 4;

// Weights in blocks of kTaps: their high numbers, and then their low ones. The last block of a pixel is filled up with
// zeros.
template <size_t kTaps>
struct Blocks {
  Blocks(std::span<const Taps> taps, const AxisWeights& axis) {
    begins.reserve(taps.size() + 1);
    for (const Taps& tap : taps) {
      begins.push_back(numbers.size());
      for (size_t i = 0; i < tap.count; i += kTaps) {
        const size_t at = numbers.size();
        numbers.resize(at + 2 * kTaps);
        for (size_t j = 0; j < std::min(kTaps, tap.count - i); ++j) {
          const int32_t weight = axis.weights[tap.offset + i + j];
          numbers[at + j] = static_cast<int16_t>(weight >> kLowBits);
          numbers[at + kTaps + j] = static_cast<int16_t>(weight & ((1 << kLowBits) - 1));
        }
      }
    }
    begins.push_back(numbers.size());
  }

  std::vector<int16_t> numbers;
  // Where the blocks of each new pixel begin in `numbers`, and where the last one ends.
  std::vector<size_t> begins;
};

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i Join(__m256i high, __m256i low) noexcept {
  return _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
}

[[gnu::target("avx2"), gnu::always_inline]] inline __m128i Load(const void* from) noexcept {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// Adds the two halves of sums.
[[gnu::target("avx2"), gnu::always_inline]] inline __m128i Fold(__m256i sums) noexcept {
  return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

[[gnu::target("avx2"), gnu::always_inline]] inline __m128i Round(__m128i sums) noexcept {
  return _mm_srai_epi32(_mm_add_epi32(sums, _mm_set1_epi32(1 << (kWeightBits - 1))), kWeightBits);
}

using RowPointers = std::array<const uint8_t*, kTogether>;
using OutPointers = std::array<uint8_t*, kTogether>;

// The new pixels of kTogether rows of RGB.
[[gnu::target("avx2")]] void RgbColumns(const RowPointers& from, std::span<const Taps> taps,
                                        const Blocks<4>& blocks, const OutPointers& to) noexcept {
  // From 4 pixels to pairs of 16-bit numbers: the red, green and blue of the first two, and of the others.
  const __m256i pairs = _mm256_setr_epi8(
      0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
      6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i highs = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i lows = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  for (size_t x = 0; x < taps.size(); ++x) {
    __m256i high[kTogether];
    __m256i low[kTogether];
    for (size_t row = 0; row < kTogether; ++row) high[row] = low[row] = _mm256_setzero_si256();
    size_t at = taps[x].first * 3;
    const int16_t* const end = blocks.numbers.data() + blocks.begins[x + 1];
    for (const int16_t* block = blocks.numbers.data() + blocks.begins[x]; block != end; block += 8) {
      const __m256i weights = _mm256_broadcastsi128_si256(Load(block));
      const __m256i weights_high = _mm256_permutevar8x32_epi32(weights, highs);
      const __m256i weights_low = _mm256_permutevar8x32_epi32(weights, lows);
      for (size_t row = 0; row < kTogether; ++row) {
        const __m256i pixels =
            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(Load(from[row] + at)), pairs);
        high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, weights_high));
        low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, weights_low));
      }
      at += 12;
    }
    __m128i sums[kTogether];
    for (size_t row = 0; row < kTogether; ++row) sums[row] = Round(Fold(Join(high[row], low[row])));
    alignas(16) uint8_t bytes[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes),
                    _mm_packus_epi16(_mm_packs_epi32(sums[0], sums[1]), _mm_packs_epi32(sums[2], sums[3])));
    // A pixel is written with a fourth byte, which the next one overwrites.
    const size_t length = x + 1 == taps.size() ? 3 : 4;
    for (size_t row = 0; row < kTogether; ++row) {
      if (length == 4) {
        std::memcpy(to[row] + x * 3, bytes + row * 4, 4);
      } else {
        std::memcpy(to[row] + x * 3, bytes + row * 4, 3);
      }
    }
  }
}

// The new pixels of kTogether grey rows.
[[gnu::target("avx2")]] void GreyColumns(const RowPointers& from, std::span<const Taps> taps,
                                         const Blocks<16>& blocks, const OutPointers& to) noexcept {
  for (size_t x = 0; x < taps.size(); ++x) {
    __m256i high[kTogether];
    __m256i low[kTogether];
    for (size_t row = 0; row < kTogether; ++row) high[row] = low[row] = _mm256_setzero_si256();
    size_t at = taps[x].first;
    const int16_t* const end = blocks.numbers.data() + blocks.begins[x + 1];
    for (const int16_t* block = blocks.numbers.data() + blocks.begins[x]; block != end; block += 32) {
      const __m256i weights_high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
      const __m256i weights_low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 16));
      for (size_t row = 0; row < kTogether; ++row) {
        const __m256i pixels = _mm256_cvtepu8_epi16(Load(from[row] + at));
        high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, weights_high));
        low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, weights_low));
      }
      at += 16;
    }
    __m128i sums[kTogether];
    for (size_t row = 0; row < kTogether; ++row) sums[row] = Fold(Join(high[row], low[row]));
    const __m128i rows = Round(_mm_hadd_epi32(_mm_hadd_epi32(sums[0], sums[1]), _mm_hadd_epi32(sums[2], sums[3])));
    const __m128i words = _mm_packs_epi32(rows, rows);
    const auto bytes = static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
    for (size_t row = 0; row < kTogether; ++row) to[row][x] = static_cast<uint8_t>(bytes >> (8 * row));
  }
}

template <size_t kChannels, size_t kTaps, typename Columns>
void ColumnsInGroups(const ByteRows& rows, std::span<const Taps> taps, const AxisWeights& axis,
                     uint8_t* out, size_t stride, Columns&& columns) {
  const Blocks<kTaps> blocks(taps, axis);
  // The bytes of a row up to the end of the last vector that is loaded.
  size_t reach = 0;
  size_t end = 0;
  for (const Taps& tap : taps) {
    const size_t last = tap.first + (tap.count - 1) / kTaps * kTaps;
    reach = std::max(reach, last * kChannels + 16);
    end = std::max(end, (tap.first + tap.count) * kChannels);
  }
  std::vector<uint8_t> copies;
  for (size_t y = 0; y < rows.rows; y += kTogether) {
    RowPointers from;
    OutPointers to;
    for (size_t i = 0; i < kTogether; ++i) {
      // The last group may compute its last row several times.
      const size_t row = std::min(y + i, rows.rows - 1);
      from[i] = rows.data + row * rows.stride;
      to[i] = out + row * stride;
      if (row * rows.stride + reach <= rows.readable) continue;
      if (copies.empty()) copies.resize(kTogether * reach);
      std::memcpy(copies.data() + i * reach, from[i], end);
      from[i] = copies.data() + i * reach;
    }
    columns(from, taps, blocks, to);
  }
}

void VectorColumns(const ByteRows& rows, size_t channels, std::span<const Taps> taps,
                   const AxisWeights& axis, uint8_t* out, size_t stride) {
  if (channels == 1) return ColumnsInGroups<1, 16>(rows, taps, axis, out, stride, GreyColumns);
  ColumnsInGroups<3, 4>(rows, taps, axis, out, stride, RgbColumns);
}

// The bytes that RowPart computes.
constexpr size_t kPart = 32;

// Computes kPart bytes of a new row, from `count` rows.
[[gnu::target("avx2")]] void RowPart(const uint8_t* from, size_t stride, size_t count,
                                     const int16_t* weights, uint8_t* to) noexcept {
  constexpr size_t kVectors = kPart / 8;
  __m256i high[kVectors];
  __m256i low[kVectors];
  for (size_t i = 0; i < kVectors; ++i) high[i] = low[i] = _mm256_setzero_si256();
  for (size_t row = 0; row < count; row += 2, weights += 4) {
    const uint8_t* const one = from + row * stride;
    // The weight of a row that is not there is 0.
    const uint8_t* const other = row + 1 < count ? one + stride : one;
    int32_t pair[2];
    std::memcpy(pair, weights, sizeof pair);
    const __m256i weights_high = _mm256_set1_epi32(pair[0]);
    const __m256i weights_low = _mm256_set1_epi32(pair[1]);
    for (size_t i = 0; i < kVectors; i += 2) {
      const __m128i a = Load(one + i * 8);
      const __m128i b = Load(other + i * 8);
      const __m256i first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      const __m256i second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(first, weights_high));
      low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(first, weights_low));
      high[i + 1] = _mm256_add_epi32(high[i + 1], _mm256_madd_epi16(second, weights_high));
      low[i + 1] = _mm256_add_epi32(low[i + 1], _mm256_madd_epi16(second, weights_low));
    }
  }
  const __m256i half = _mm256_set1_epi32(1 << (kWeightBits - 1));
  __m256i sums[kVectors];
  for (size_t i = 0; i < kVectors; ++i) {
    sums[i] = _mm256_srai_epi32(_mm256_add_epi32(Join(high[i], low[i]), half), kWeightBits);
  }
  const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3]));
  // Packing works on the halves of vectors, and leaves groups of 4 bytes in another order.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(bytes, order));
}

void VectorRows(const ByteRows& rows, size_t first, size_t width, std::span<const Taps> taps,
                const AxisWeights& axis, uint8_t* out, size_t stride) {
  if (width < kPart) return BaselinePasses().rows(rows, first, width, taps, axis, out, stride);
  const Blocks<2> blocks(taps, axis);
  for (size_t y = 0; y < taps.size(); ++y) {
    const Taps& tap = taps[y];
    const uint8_t* const from = rows.data + (tap.first - first) * rows.stride;
    const int16_t* const weights = blocks.numbers.data() + blocks.begins[y];
    for (size_t x = 0; x < width; x += kPart) {
      // The last part overlaps the one before it.
      const size_t at = std::min(x, width - kPart);
      RowPart(from + at, rows.stride, tap.count, weights, out + y * stride + at);
    }
  }
}

}  // namespace

const ResamplePasses* VectorPasses() noexcept {
  static constexpr ResamplePasses kPasses = {VectorColumns, VectorRows};
  static const bool kSupported = __builtin_cpu_supports("avx2");
  return kSupported ? &kPasses : nullptr;
}

}  // namespace millrace

#else

namespace millrace {

const ResamplePasses* VectorPasses() noexcept { return nullptr; }

}  // namespace millrace

#endif

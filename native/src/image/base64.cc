#include "image/base64.h"

#include <array>

namespace millrace {
namespace {

// Marks a character that is not in the alphabet, above the 24 bits of a group.
constexpr uint32_t kForeign = 1u << 24;

// For each of the four characters of a group, the bits of the group that a character stands for.
using Alphabet = std::array<std::array<uint32_t, 256>, 4>;

constexpr Alphabet MakeAlphabet() noexcept {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Alphabet alphabet{};
  for (size_t place = 0; place < alphabet.size(); ++place) {
    alphabet[place].fill(kForeign);
    for (uint32_t value = 0; value < kCharacters.size(); ++value) {
      alphabet[place][static_cast<uint8_t>(kCharacters[value])] = value << (18 - 6 * place);
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

std::string_view WithoutPadding(std::string_view text) noexcept {
  if (text.size() % 4 != 0) return text;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

std::optional<size_t> Base64Size(size_t characters) noexcept {
  if (characters % 4 == 1) return std::nullopt;
  return characters / 4 * 3 + characters % 4 * 3 / 4;
}

bool DecodeBase64(std::string_view characters, uint8_t* bytes) noexcept {
  const auto* from = reinterpret_cast<const uint8_t*>(characters.data());
  // The groups are checked together at the end: a branch for each would take longer than what it saves.
  uint32_t all = 0;
  for (size_t groups = characters.size() / 4; groups > 0; --groups, from += 4, bytes += 3) {
    const uint32_t group = kAlphabet[0][from[0]] | kAlphabet[1][from[1]] | kAlphabet[2][from[2]] |
                           kAlphabet[3][from[3]];
    all |= group;
    bytes[0] = static_cast<uint8_t>(group >> 16);
    bytes[1] = static_cast<uint8_t>(group >> 8);
    bytes[2] = static_cast<uint8_t>(group);
  }
  const size_t rest = characters.size() % 4;
  uint32_t group = 0;
  for (size_t i = 0; i < rest; ++i) group |= kAlphabet[i][from[i]];
  all |= group;
  for (size_t i = 0; i + 1 < rest; ++i) bytes[i] = static_cast<uint8_t>(group >> (16 - 8 * i));
  const uint32_t unused = rest < 2 ? 0 : group & (rest == 2 ? 0xFFFFu : 0xFFu);
  return rest != 1 && all < kForeign && unused == 0;
}

}  // namespace millrace

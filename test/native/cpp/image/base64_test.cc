#include "image/base64.h"

#include <gtest/gtest.h>

#include <cctype>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace millrace {
namespace {

std::optional<std::string> Decode(std::string_view text) {
  const std::string_view characters = WithoutPadding(text);
  const std::optional<size_t> size = Base64Size(characters.size());
  if (!size) return std::nullopt;
  std::string bytes(*size, '?');
  if (!DecodeBase64(characters, reinterpret_cast<uint8_t*>(bytes.data()))) return std::nullopt;
  return bytes;
}

std::string Encode(std::string_view bytes) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(byte);
    for (count += 8; count >= 6; count -= 6) text += kCharacters[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kCharacters[bits << (6 - count) & 63];
  return text;
}

// The test vectors of RFC 4648, section 10.
TEST(Base64, TheVectorsOfTheStandardAreDecodedWithAndWithoutPadding) {
  EXPECT_EQ(Decode(""), "");
  EXPECT_EQ(Decode("Zg=="), "f");
  EXPECT_EQ(Decode("Zm8="), "fo");
  EXPECT_EQ(Decode("Zm9v"), "foo");
  EXPECT_EQ(Decode("Zm9vYg=="), "foob");
  EXPECT_EQ(Decode("Zm9vYmE="), "fooba");
  EXPECT_EQ(Decode("Zm9vYmFy"), "foobar");
  EXPECT_EQ(Decode("Zg"), "f");
  EXPECT_EQ(Decode("Zm9vYmE"), "fooba");
}

TEST(Base64, RandomBytesOfEveryLengthComeBack) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string text = Encode(bytes);
    ASSERT_EQ(Decode(text), bytes) << text;
    ASSERT_EQ(Decode(text + std::string((4 - text.size() % 4) % 4, '=')), bytes) << text;
  }
}

TEST(Base64, AnyForeignCharacterInAnyPlaceIsRefused) {
  const std::string valid = "Zm9vYmFyZm8";
  for (size_t place = 0; place < valid.size(); ++place) {
    for (int character = 0; character < 256; ++character) {
      std::string text = valid;
      text[place] = static_cast<char>(character);
      const bool inside = std::isalnum(character) || character == '+' || character == '/';
      // The last character may carry no bits beyond the last byte.
      if (place + 1 < valid.size()) {
        ASSERT_EQ(Decode(text).has_value(), inside && character < 128) << text;
      } else if (!inside) {
        ASSERT_FALSE(Decode(text)) << text;
      }
    }
  }
}

TEST(Base64, WrongLengthsPaddingAndUnusedBitsAreRefused) {
  for (const char* text : {"Z", "Zm9vY", "=", "==", "====", "Z===", "Zg=", "Zm8==", "Zm9v=", "Zm9v====",
                           "Zg==Zg==", "Zh==", "Zm9=", "Zh", "Zm9v Zm8", " Zm9v", "Zm9v\n", "Zm9_", "Zm-v"}) {
    EXPECT_FALSE(Decode(text)) << text;
  }
}

TEST(Base64, CharactersThatTakeThePlaceOfPaddingAreNotWritten) {
  std::string text = "Zg==";
  const std::string_view characters = WithoutPadding(text);
  text = "ZgAA";
  std::string bytes(4, '?');
  EXPECT_TRUE(DecodeBase64(characters, reinterpret_cast<uint8_t*>(bytes.data())));
  EXPECT_EQ(Base64Size(characters.size()), 1u);
  EXPECT_EQ(bytes, "f???");
}

}  // namespace
}  // namespace millrace

// SHA-256, as FIPS 180-4 defines it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace millrace {

class Sha256 {
 public:
  void Add(std::span<const std::byte> bytes) noexcept;
  void Add(const std::string& text) noexcept { Add(std::as_bytes(std::span(text))); }
  // Returns the digest in hexadecimal. Nothing may be added afterwards.
  std::string Digest() noexcept;

 private:
  using State = std::array<uint32_t, 8>;
  void Compress(const std::byte* blocks, size_t count) noexcept;

  State state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};
  size_t filled_ = 0;
  uint64_t length_ = 0;
};

}  // namespace millrace

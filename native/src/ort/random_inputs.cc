#include "ort/random_inputs.h"

#include <cstring>
#include <random>

namespace millrace {
namespace {

template <class T>
void Fill(std::vector<std::byte>& bytes, std::minstd_rand& random, T one, T varied) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    const auto value = static_cast<T>(one | (static_cast<T>(random() * uint64_t{0x9e3779b97f4a7c15}) & varied));
    std::memcpy(bytes.data() + at, &value, sizeof(T));
  }
}

// Floats have the bits of 1.0, but a random sign and random leading bits of the fraction. Other elements are 0 or 1.
void Fill(ElementType type, std::vector<std::byte>& bytes, std::minstd_rand& random) {
  switch (type) {
    case ElementType::kFloat32:
      return Fill<uint32_t>(bytes, random, 0x3f800000, 0x807f0000);
    case ElementType::kFloat64:
      return Fill<uint64_t>(bytes, random, 0x3ff0000000000000, 0x800ff00000000000);
    case ElementType::kFloat16:
      return Fill<uint16_t>(bytes, random, 0x3c00, 0x83ff);
    case ElementType::kBfloat16:
      return Fill<uint16_t>(bytes, random, 0x3f80, 0x807f);
    default:
      break;
  }
  switch (ElementSize(type)) {
    case 2:
      return Fill<uint16_t>(bytes, random, 0, 1);
    case 4:
      return Fill<uint32_t>(bytes, random, 0, 1);
    case 8:
      return Fill<uint64_t>(bytes, random, 0, 1);
    default:
      return Fill<uint8_t>(bytes, random, 0, 1);
  }
}

}  // namespace

RandomInputs::RandomInputs(const Signature& signature, const std::vector<Shape>& shapes) {
  std::minstd_rand random(1);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const ElementType type = signature.inputs[i].type;
    const auto elements = static_cast<size_t>(shapes[i].Elements().value_or(0));
    std::vector<std::byte>& bytes = bytes_.emplace_back(elements * ElementSize(type));
    Fill(type, bytes, random);
    views_.push_back({type, shapes[i], bytes.data(), bytes.size(), nullptr});
  }
}

}  // namespace millrace

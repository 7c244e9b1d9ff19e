#include "batching/scalar.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "batching/half.h"

namespace millrace {
namespace {

template <class T>
void Store(T value, Element& element) {
  std::memcpy(element.bytes.data(), &value, sizeof value);
}

// Stores `value` and returns true if it is an integer that fits into a T.
template <class T>
bool StoreWhole(const Scalar& scalar, Element& element) {
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  if (const auto* const small = std::get_if<double>(&scalar)) {
    // The first double beyond kMax, to which kMax itself may round.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (!(*small >= static_cast<double>(kMin) && *small < end) || *small != std::floor(*small)) {
      return false;
    }
    Store(static_cast<T>(*small), element);
    return true;
  }
  if (const auto* const whole = std::get_if<int64_t>(&scalar)) {
    if (std::cmp_less(*whole, kMin) || std::cmp_greater(*whole, kMax)) return false;
    Store(static_cast<T>(*whole), element);
    return true;
  }
  const auto* const large = std::get_if<uint64_t>(&scalar);
  if (large == nullptr || std::cmp_greater(*large, kMax)) return false;
  Store(static_cast<T>(*large), element);
  return true;
}

bool StoreBool(const Scalar& scalar, Element& element) {
  Element whole;
  if (!StoreWhole<uint8_t>(scalar, whole) || whole.bytes[0] > std::byte{1}) return false;
  element = whole;
  return true;
}

double ToDouble(const Scalar& scalar) {
  if (const auto* const whole = std::get_if<int64_t>(&scalar)) return static_cast<double>(*whole);
  if (const auto* const large = std::get_if<uint64_t>(&scalar)) return static_cast<double>(*large);
  return std::get<double>(scalar);
}

bool StoreNumber(const Scalar& scalar, ElementType type, Element& element) {
  switch (type) {
    case ElementType::kFloat32:
      Store(static_cast<float>(ToDouble(scalar)), element);
      return true;
    case ElementType::kFloat64:
      Store(ToDouble(scalar), element);
      return true;
    case ElementType::kFloat16:
      Store(DoubleToHalf(ToDouble(scalar)), element);
      return true;
    case ElementType::kBfloat16:
      Store(DoubleToBfloat(ToDouble(scalar)), element);
      return true;
    case ElementType::kInt8:
      return StoreWhole<int8_t>(scalar, element);
    case ElementType::kInt16:
      return StoreWhole<int16_t>(scalar, element);
    case ElementType::kInt32:
      return StoreWhole<int32_t>(scalar, element);
    case ElementType::kInt64:
      return StoreWhole<int64_t>(scalar, element);
    case ElementType::kUint8:
      return StoreWhole<uint8_t>(scalar, element);
    case ElementType::kUint16:
      return StoreWhole<uint16_t>(scalar, element);
    case ElementType::kUint32:
      return StoreWhole<uint32_t>(scalar, element);
    case ElementType::kUint64:
      return StoreWhole<uint64_t>(scalar, element);
    case ElementType::kBool:
      return StoreBool(scalar, element);
    case ElementType::kString:
    case ElementType::kUndefined:
      break;
  }
  return false;
}

}  // namespace

Status Encode(const Scalar& scalar, ElementType type, Element& element) {
  element = {};
  const auto* const text = std::get_if<std::string>(&scalar);
  const bool wants_text = type == ElementType::kString;
  if (wants_text && text != nullptr) {
    element.text = *text;
    return {};
  }
  if (!wants_text && text == nullptr && StoreNumber(scalar, type, element)) return {};
  return {Code::kInvalidArgument, std::string("does not fit the type ") + ElementName(type)};
}

void Fill(std::byte* target, size_t count, const Element& element, size_t size) noexcept {
  const std::byte first = element.bytes[0];
  const auto used = element.bytes.begin() + static_cast<std::ptrdiff_t>(size);
  if (count == 0) return;
  if (std::all_of(element.bytes.begin(), used, [first](std::byte b) { return b == first; })) {
    std::memset(target, static_cast<int>(first), count * size);
    return;
  }
  std::memcpy(target, element.bytes.data(), size);
  // The filled part is copied, which doubles it each time.
  for (size_t done = 1; done < count; done *= 2) {
    std::memcpy(target + done * size, target, std::min(done, count - done) * size);
  }
}

}  // namespace millrace

#include "ort/wire.h"

namespace millrace {
namespace {

void Put(std::string& message, uint64_t value) {
  for (; value >= 0x80; value >>= 7) message += static_cast<char>(0x80 | (value & 0x7f));
  message += static_cast<char>(value);
}

}  // namespace

bool WireReader::Varint(uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < 10 && i < rest_.size(); ++i) {
    const auto byte = static_cast<uint8_t>(rest_[i]);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool WireReader::Fixed(size_t size, uint64_t& value) {
  if (rest_.size() < size) return false;
  value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::Next(WireField& field) {
  if (!ok_ || rest_.empty()) return false;
  const std::string_view start = rest_;
  uint64_t tag = 0;
  ok_ = Varint(tag) && (tag >> 3) != 0 && (tag >> 3) < (1u << 29);
  if (!ok_) return false;
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  field.value = 0;
  field.bytes = {};
  switch (field.type) {
    case WireType::kVarint:
      ok_ = Varint(field.value);
      break;
    case WireType::kFixed64:
      ok_ = Fixed(8, field.value);
      break;
    case WireType::kFixed32:
      ok_ = Fixed(4, field.value);
      break;
    case WireType::kBytes:
      ok_ = Varint(field.value) && field.value <= rest_.size();
      if (!ok_) break;
      field.bytes = rest_.substr(0, static_cast<size_t>(field.value));
      rest_.remove_prefix(field.bytes.size());
      break;
    default:
      // Other types are groups, which ONNX does not use, or malformed.
      ok_ = false;
  }
  field.whole = start.substr(0, start.size() - rest_.size());
  return ok_;
}

void PutVarint(std::string& message, uint32_t number, uint64_t value) {
  Put(message, uint64_t{number} << 3);
  Put(message, value);
}

void PutBytes(std::string& message, uint32_t number, std::string_view bytes) {
  Put(message, uint64_t{number} << 3 | 2);
  Put(message, bytes.size());
  message += bytes;
}

}  // namespace millrace

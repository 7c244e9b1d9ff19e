// Protobuf's wire format, as far as reading and editing an ONNX file needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  // The value of a varint or of a number of fixed size.
  uint64_t value = 0;
  // The content of kBytes.
  std::string_view bytes;
  // All of the field as it stands in the message, its tag included.
  std::string_view whole;
};

// Reads the fields of one message, one after another.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // Returns false at the end of the message, and if the message is malformed, in which case ok() is false, too.
  bool Next(WireField& field);
  bool ok() const noexcept { return ok_; }

 private:
  bool Varint(uint64_t& value);
  bool Fixed(size_t size, uint64_t& value);
  std::string_view rest_;
  bool ok_ = true;
};

// Append a field to a message.
void PutVarint(std::string& message, uint32_t number, uint64_t value);
void PutBytes(std::string& message, uint32_t number, std::string_view bytes);

}  // namespace millrace

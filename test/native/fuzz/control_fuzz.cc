// A planted fault, which the fuzzer must find: the last byte of a text of seven is read as its eighth.
#include <cstdlib>
#include <memory>
#include <string_view>

#include "support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!text.starts_with("[1,")) return 0;
  const auto copy = std::make_unique<char[]>(size);
  std::memcpy(copy.get(), text.data(), size);
  // volatile: the read stays although nobody needs what is read.
  if (size == 7) (void)*const_cast<volatile char*>(copy.get() + size);
  return 0;
}

// A store for the elements of any JSON text, for tests and fuzz targets of ParseTensor.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/tensor_parser.h"

namespace millrace::test {

class ElementBuffer final : public ElementStore {
 public:
  // An element takes at least two characters of the text, and at most eight bytes of memory.
  explicit ElementBuffer(std::string_view text)
      : memory_(std::make_unique<std::byte[]>(8 * (text.size() / 2 + 1))) {
    at = memory_.get();
    limit = at + 8 * (text.size() / 2 + 1);
  }

  bool Text(std::string_view text) override {
    strings_.emplace_back(text);
    return true;
  }

  std::span<const std::byte> numbers() const noexcept { return {memory_.get(), at}; }
  const std::vector<std::string>& strings() const noexcept { return strings_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::vector<std::string> strings_;
};

}  // namespace millrace::test

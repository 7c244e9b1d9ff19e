// A growing buffer for text.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace millrace {

// Appends bytes in place: Reserve() returns memory, and Commit() says how much of it was used. Unlike a std::string it
// does not clear that memory. Throws nothing but std::bad_alloc. Not thread-safe.
class JsonBuffer {
 public:
  std::string_view view() const noexcept { return {data_.get(), size_}; }
  size_t size() const noexcept { return size_; }
  size_t capacity() const noexcept { return capacity_; }

  // Returns at least `bytes` bytes of memory after the text, which are valid until the next call.
  char* Reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) Grow(bytes);
    return data_.get() + size_;
  }
  void Commit(const char* end) noexcept { size_ = static_cast<size_t>(end - data_.get()); }

  void Append(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(Reserve(text.size()), text.data(), text.size());
    size_ += text.size();
  }

  template <typename Integer>
  void AppendInteger(Integer value) {
    constexpr size_t kLongest = 20;
    char* const at = Reserve(kLongest);
    Commit(std::to_chars(at, at + kLongest, value).ptr);
  }

  // Cuts the text to its first `size` bytes.
  void Truncate(size_t size) noexcept { size_ = size; }

  // Removes the text. The memory is kept for the next text unless it is more than `most` bytes.
  void Clear(size_t most) noexcept {
    size_ = 0;
    if (capacity_ <= most) return;
    data_.reset();
    capacity_ = 0;
  }

 private:
  void Grow(size_t bytes) {
    const size_t capacity = std::max({size_ + bytes, capacity_ * 2, size_t{1024}});
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace millrace

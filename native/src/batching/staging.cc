#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "batching/batch.h"

namespace millrace {
namespace {

constexpr size_t kAlignment = 64;

}  // namespace

void Staging::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

Staging::Buffer& Staging::At(size_t input) {
  if (buffers_.size() <= input) buffers_.resize(input + 1);
  return buffers_[input];
}

std::byte* Staging::Reserve(size_t input, size_t bytes) {
  Buffer& buffer = At(input);
  if (buffer.capacity < bytes || buffer.memory == nullptr) {
    Allocate(buffer, bytes);
  } else if (IsTooLarge(buffer, bytes)) {
    Allocate(buffer, std::exchange(buffer.most_needed, 0));
  }
  return buffer.memory.get();
}

bool Staging::IsTooLarge(Buffer& buffer, size_t bytes) noexcept {
  if (buffer.capacity <= kKept || bytes > buffer.capacity / 2) {
    buffer.small_runs = 0;
    buffer.most_needed = 0;
    return false;
  }
  buffer.most_needed = std::max(buffer.most_needed, bytes);
  return ++buffer.small_runs == kSmallRuns;
}

void Staging::Allocate(Buffer& buffer, size_t bytes) {
  const size_t capacity = (bytes / kAlignment + 1) * kAlignment;
  buffer.memory.reset();
  buffer.capacity = 0;
  buffer.small_runs = 0;
  buffer.most_needed = 0;
  buffer.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, capacity)));
  if (buffer.memory == nullptr) throw std::bad_alloc();
  buffer.capacity = capacity;
}

std::vector<std::string>& Staging::Strings(size_t input) {
  std::vector<std::string>& strings = At(input).strings;
  size_t kept = strings.capacity() * sizeof(std::string);
  for (const std::string& string : strings) kept += string.capacity();
  if (kept > kKept) strings = std::vector<std::string>();
  return strings;
}

}  // namespace millrace

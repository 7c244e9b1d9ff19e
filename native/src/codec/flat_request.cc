#include "codec/flat_request.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace millrace {
namespace {

bool IsAscii(const std::string& text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

std::byte* FlatRequest::Numbers(size_t input, ElementType type, size_t count) {
  const size_t bytes = count * ElementSize(type);
  if (next_ > block_.size() || bytes > block_.size() - next_) return nullptr;
  if (elements_.size() <= input) elements_.resize(input + 1);
  elements_[input] = {next_, count};
  std::byte* const memory = block_.data() + next_;
  next_ += (bytes + 7) / 8 * 8;
  return memory;
}

bool FlatRequest::Put(size_t value) noexcept {
  if (written_ + sizeof(int32_t) > size_t{kFlatLayoutBytes} || value > INT32_MAX) return false;
  const auto number = static_cast<int32_t>(value);
  std::memcpy(block_.data() + written_, &number, sizeof(number));
  written_ += sizeof(number);
  return true;
}

bool FlatRequest::PutInput(const InferInput& input, size_t number) noexcept {
  if (!input.parameters.empty() || !IsAscii(input.name) || number >= elements_.size()) return false;
  const auto sizes = input.shape.view();
  const auto [offset, count] = elements_[number];
  std::array<size_t, kFlatInputWords> fields{};
  fields[kFlatInputNameLength] = input.name.size();
  fields[kFlatInputType] = static_cast<size_t>(input.type);
  fields[kFlatInputRank] = sizes.size();
  fields[kFlatInputOffset] = offset;
  fields[kFlatInputElements] = count;
  const auto put = [this](auto value) { return Put(static_cast<size_t>(value)); };
  return std::all_of(fields.begin(), fields.end(), put) &&
         std::all_of(sizes.begin(), sizes.end(), put);
}

std::optional<std::string> FlatRequest::Write(const InferRequest& request) {
  constexpr int32_t kNoList = kFlatNoOutputs;
  written_ = 0;
  if (block_.size() < size_t{kFlatLayoutBytes} || !request.parameters.empty() || !IsAscii(request.id)) return {};
  std::string names = request.id;
  std::array<size_t, kFlatWords> header{};
  header[kFlatInputs] = request.inputs.size();
  header[kFlatOutputs] = request.outputs ? request.outputs->size() : 0;
  header[kFlatIdLength] = request.id.size();
  if (!std::all_of(header.begin(), header.end(), [this](size_t value) { return Put(value); })) return {};
  if (!request.outputs) {
    std::memcpy(block_.data() + kFlatOutputs * sizeof(int32_t), &kNoList, sizeof(kNoList));
  }
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    if (!PutInput(request.inputs[i], i)) return {};
    names += request.inputs[i].name;
  }
  if (!request.outputs) return names;
  for (const InferOutput& output : *request.outputs) {
    if (!output.parameters.empty() || !IsAscii(output.name) || !Put(output.name.size())) return {};
    names += output.name;
  }
  return names;
}

}  // namespace millrace

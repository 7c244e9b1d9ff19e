// Requests with one float32 input of shape [rows, width], and what the models of the tests make of it.
#pragma once

#include <cstring>
#include <deque>
#include <span>
#include <vector>

#include "batching/request.h"

namespace millrace::test {

inline Shape MakeShape(std::span<const int64_t> dims) {
  Shape shape;
  shape.rank = static_cast<uint8_t>(dims.size());
  std::copy(dims.begin(), dims.end(), shape.dims.begin());
  return shape;
}

inline Shape MakeShape(std::initializer_list<int64_t> dims) {
  return MakeShape(std::span(dims.begin(), dims.size()));
}

// Sets input `index` to a copy of `values`.
template <class T>
void SetInput(Request& request, size_t index, ElementType type, const Shape& shape,
              const std::vector<T>& values) {
  if (request.inputs.size() <= index) request.inputs.resize(index + 1);
  Input& input = request.inputs[index];
  const size_t bytes = values.size() * sizeof(T);
  input.copy = std::make_unique<std::byte[]>(bytes + 1);
  input.capacity = bytes + 1;
  if (bytes != 0) std::memcpy(input.copy.get(), values.data(), bytes);
  input.view = {type, shape, input.copy.get(), bytes, nullptr};
}

// Fills `request` with `rows` rows of `width` numbers, all of them `value`.
inline void SetRows(Request& request, float value, int64_t rows = 1, int64_t width = 1) {
  SetInput(request, 0, ElementType::kFloat32, MakeShape({rows, width}),
           std::vector<float>(static_cast<size_t>(rows * width), value));
  request.rows = rows;
}

// Owns requests, which can be neither copied nor moved.
class Requests {
 public:
  explicit Requests(CompletionSink* sink = nullptr) : sink_(sink) {}

  Request* Make(float value, int64_t rows = 1, int64_t width = 1) {
    Request& request = requests_.emplace_back();
    request.sink = sink_;
    SetRows(request, value, rows, width);
    return &request;
  }

 private:
  CompletionSink* sink_;
  std::deque<Request> requests_;
};

template <class T>
std::vector<T> ValuesOf(const TensorView& view) {
  std::vector<T> values(view.bytes / sizeof(T));
  if (view.bytes != 0) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

// The request's own rows of output `index`, which has `width` numbers a row.
inline std::vector<float> OutputOf(const Request& request, size_t index = 0, size_t width = 1) {
  const auto all = ValuesOf<float>(request.outputs->tensors[index]);
  const auto first = all.begin() + request.first_row * static_cast<int64_t>(width);
  return {first, first + request.rows * static_cast<int64_t>(width)};
}

}  // namespace millrace::test

#include "batching/samples.h"

#include <cstring>
#include <random>

namespace millrace {
namespace {

constexpr int64_t kDynamicSize = 4;

template <class T>
void FillWith(auto& column, size_t count, std::mt19937& random, auto make) {
  column.bytes.resize(count * column.elements * sizeof(T));
  for (size_t i = 0; i < count * column.elements; ++i) {
    const T value = static_cast<T>(make(random));
    std::memcpy(column.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
}

void FillRandom(auto& column, size_t count, ElementType type, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const auto real = [&normal](std::mt19937& source) { return normal(source); };
  const auto bit = [](std::mt19937& source) { return source() & 1; };
  switch (type) {
    case ElementType::kFloat32:
      return FillWith<float>(column, count, random, [&](auto& r) { return static_cast<float>(real(r)); });
    case ElementType::kFloat64:
      return FillWith<double>(column, count, random, real);
    // Bit patterns of small normal numbers: 1.0 to 1.98 in half, 1.0 to 1.5 in bfloat16.
    case ElementType::kFloat16:
      return FillWith<uint16_t>(column, count, random, [](auto& r) { return uint16_t(0x3c00 | (r() & 0x3f0)); });
    case ElementType::kBfloat16:
      return FillWith<uint16_t>(column, count, random, [](auto& r) { return uint16_t(0x3f80 | (r() & 0x3f)); });
    case ElementType::kString:
      column.strings.resize(count * column.elements);
      for (std::string& text : column.strings) text.assign(1, bit(random) ? 'a' : 'b');
      return;
    default:
      break;
  }
  switch (ElementSize(type)) {
    case 1:
      return FillWith<uint8_t>(column, count, random, bit);
    case 2:
      return FillWith<uint16_t>(column, count, random, bit);
    case 4:
      return FillWith<uint32_t>(column, count, random, bit);
    default:
      return FillWith<uint64_t>(column, count, random, bit);
  }
}

}  // namespace

Status Samples::Make(const Signature& signature, size_t rows, Samples& samples) {
  return Make(signature, rows, ShapePlan::OrNone(nullptr), {}, samples);
}

Status Samples::Make(const Signature& signature, size_t rows, const ShapePlan& plan,
                     std::span<const int64_t> lengths, Samples& samples) {
  std::mt19937 random(1);
  samples.columns_.clear();
  const std::vector<Shape> shapes = plan.SampleShapes(signature, lengths, kDynamicSize);
  for (size_t input = 0; input < shapes.size(); ++input) {
    const TensorSpec& spec = signature.inputs[input];
    Column& column = samples.columns_.emplace_back();
    column.row.type = spec.type;
    Shape& shape = column.row.shape = shapes[input];
    column.dynamic = !spec.dims.empty() && spec.dims[0] == -1 &&
                     plan.InputAxis(input, 0) == ShapePlan::kNone;
    if (column.dynamic) shape.dims[0] = 1;
    const auto elements = shape.Elements();
    const auto count = static_cast<int64_t>(column.dynamic ? rows : 1);
    if (!elements || *elements > kMaxElements / count) {
      return {Code::kInvalidArgument,
              "Input '" + spec.name + "' is too large to probe: declare maxRows instead"};
    }
    column.elements = static_cast<size_t>(*elements);
    FillRandom(column, static_cast<size_t>(count), spec.type, random);
    if (!plan.IsMask(input)) continue;
    Element one;
    MILLRACE_RETURN_IF_ERROR(Encode(1.0, spec.type, one));
    const size_t size = ElementSize(spec.type);
    Fill(column.bytes.data(), column.bytes.size() / size, one, size);
  }
  return {};
}

void Samples::SetSign(bool negative) noexcept {
  constexpr std::byte kSign{0x80};
  for (Column& column : columns_) {
    const ElementType type = column.row.type;
    if (!IsFloatingPoint(type)) continue;
    // The sign is in the last byte of each element on little-endian machines.
    const size_t size = ElementSize(type);
    for (size_t at = size - 1; at < column.bytes.size(); at += size) {
      column.bytes[at] = negative ? column.bytes[at] | kSign : column.bytes[at] & ~kSign;
    }
  }
}

std::vector<TensorView> Samples::Rows(size_t first, size_t count) const {
  std::vector<TensorView> views;
  for (const Column& column : columns_) {
    const size_t from = column.dynamic ? first : 0;
    const size_t rows = column.dynamic ? count : 1;
    TensorView view = column.row;
    if (column.dynamic) view.shape.dims[0] = static_cast<int64_t>(rows);
    const size_t row_bytes = column.elements * ElementSize(view.type);
    view.data = column.bytes.data() + from * row_bytes;
    view.bytes = rows * row_bytes;
    if (!column.strings.empty()) view.strings = column.strings.data() + from * column.elements;
    views.push_back(view);
  }
  return views;
}

}  // namespace millrace

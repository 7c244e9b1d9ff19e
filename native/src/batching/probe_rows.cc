#include "batching/probe_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "batching/scalar.h"

namespace millrace {
namespace {

// The most elements of a batch's largest input, which are 256 MB of float32.
constexpr int64_t kMaxBatchElements = int64_t{1} << 26;

// A prime, so that no dimension of a tensor is likely to be a multiple of it.
constexpr size_t kPeriod = 1009;

// The indices of the rows that are not random. The rows before are.
constexpr size_t kZeros = 3;
constexpr size_t kOnes = 4;
constexpr size_t kAscending = 5;
constexpr size_t kSmall = 6;
constexpr size_t kMixedSigns = 7;
constexpr size_t kPositive = 8;
constexpr size_t kNegative = 9;

// Returns element `i` of row `row`. `sample` is a normally distributed random number.
double RealAt(size_t row, size_t i, double sample, ElementType type) {
  // Larger numbers are infinite in half precision.
  const double huge = type == ElementType::kFloat16 ? 6e4 : 1e12;
  switch (row) {
    case kZeros:
      return 0;
    case kOnes:
      return 1;
    case kAscending:
      return static_cast<double>(i % 1000) / 100;
    case kSmall:
      return sample * 1e-3;
    case kMixedSigns:
      return sample * 1e3;
    case kPositive:
      return (1 + std::abs(sample)) * huge / 8;
    case kNegative:
      return -(1 + std::abs(sample)) * huge / 8;
    default:
      return std::nan("");
  }
}

// Returns the same for integers, which are small because they may be indices, sizes or numbers of iterations.
double WholeAt(size_t row, size_t i, ElementType type) {
  const bool is_signed = type == ElementType::kInt8 || type == ElementType::kInt16 ||
                         type == ElementType::kInt32 || type == ElementType::kInt64;
  if (type == ElementType::kBool) return row == kOnes || (row != kZeros && i % 2 == row % 2) ? 1 : 0;
  switch (row) {
    case kZeros:
      return 0;
    case kOnes:
      return 1;
    case kAscending:
      return static_cast<double>(i % 100);
    case kSmall:
      return static_cast<double>((i * 7 + 2) % 4);
    case kMixedSigns:
      return static_cast<double>((i * 31 + 5) % 100);
    case kPositive:
      return 99;
    case kNegative:
      return is_signed ? -1 : 98;
    default:
      return static_cast<double>(i % 2);
  }
}

bool IsIndex(ElementType type) { return !IsFloatingPoint(type) && ElementSize(type) >= 4; }

std::string TextAt(size_t row, size_t i) {
  switch (row) {
    case kZeros:
      return "";
    case kOnes:
      return "1";
    case kAscending:
      return std::to_string(i);
    case kSmall:
      return "b c";
    default:
      return std::string(row, 'z');
  }
}

}  // namespace

Status ProbeRows::Make(const Signature& signature, const ShapePlan& plan, bool indices,
                       ProbeRows& rows) {
  Samples samples;
  MILLRACE_RETURN_IF_ERROR(Samples::Make(signature, kZeros, plan, plan.Lengths(0), samples));
  rows.inputs_.clear();
  rows.most_ = kMaxBatchElements;
  const std::vector<TensorView> one = samples.Rows(0, 1);
  const std::vector<TensorView> random = samples.Rows(0, kZeros);
  for (size_t i = 0; i < random.size(); ++i) {
    Input& input = rows.inputs_.emplace_back();
    input.row = one[i];
    const auto elements = static_cast<size_t>(one[i].shape.Elements().value_or(0));
    if (random[i].strings != nullptr) {
      input.strings.assign(random[i].strings, random[i].strings + kZeros * elements);
      input.strings.resize(kCount * elements);
    } else {
      input.bytes.assign(random[i].data, random[i].data + random[i].bytes);
      input.bytes.resize(kCount * one[i].bytes);
    }
    const auto fitting = static_cast<size_t>(kMaxBatchElements) / std::max<size_t>(elements, 1);
    rows.most_ = std::max<size_t>(std::min(rows.most_, fitting), kCount);
    for (size_t row = kZeros; row < kCount; ++row) {
      const bool random_again = plan.IsMask(i) || (indices && IsIndex(input.row.type) && row > kOnes);
      if (random_again) {
        Copy(input, row % kZeros, row);
      } else {
        MILLRACE_RETURN_IF_ERROR(Fill(input, row));
      }
    }
  }
  return {};
}

// Copies row `from` to row `to`.
void ProbeRows::Copy(Input& input, size_t from, size_t to) {
  const size_t bytes = input.row.bytes;
  std::copy_n(input.bytes.data() + from * bytes, bytes, input.bytes.data() + to * bytes);
}

Status ProbeRows::Fill(Input& input, size_t row) {
  const ElementType type = input.row.type;
  const auto elements = static_cast<size_t>(input.row.shape.Elements().value_or(0));
  if (type == ElementType::kString) {
    for (size_t i = 0; i < elements; ++i) input.strings[row * elements + i] = TextAt(row, i);
    return {};
  }
  const size_t size = ElementSize(type);
  std::mt19937 random(static_cast<unsigned>(row));
  std::normal_distribution<double> normal;
  std::byte* const target = input.bytes.data() + row * elements * size;
  for (size_t i = 0; i < std::min(elements, kPeriod); ++i) {
    const double value =
        IsFloatingPoint(type) ? RealAt(row, i, normal(random), type) : WholeAt(row, i, type);
    Element element;
    MILLRACE_RETURN_IF_ERROR(Encode(value, type, element));
    std::memcpy(target + i * size, element.bytes.data(), size);
  }
  // Large inputs repeat their elements, because random numbers are slow to make.
  for (size_t i = kPeriod; i < elements; ++i) {
    std::memcpy(target + i * size, target + (i - kPeriod) * size, size);
  }
  return {};
}

std::vector<TensorView> ProbeRows::Batch(std::span<const size_t> order) {
  std::vector<TensorView> views;
  for (Input& input : inputs_) {
    TensorView view = input.row;
    const auto elements = static_cast<size_t>(view.shape.Elements().value_or(0));
    view.shape.dims[0] = static_cast<int64_t>(order.size());
    if (view.type == ElementType::kString) {
      input.batch_strings.clear();
      for (const size_t row : order) {
        const auto from = input.strings.begin() + static_cast<std::ptrdiff_t>(row * elements);
        input.batch_strings.insert(input.batch_strings.end(), from,
                                   from + static_cast<std::ptrdiff_t>(elements));
      }
      view.strings = input.batch_strings.data();
    } else {
      const size_t bytes = elements * ElementSize(view.type);
      input.batch.resize(order.size() * bytes);
      for (size_t i = 0; i < order.size(); ++i) {
        std::copy_n(input.bytes.data() + order[i] * bytes, bytes, input.batch.data() + i * bytes);
      }
      view.data = input.batch.data();
      view.bytes = input.batch.size();
    }
    views.push_back(view);
  }
  return views;
}

}  // namespace millrace

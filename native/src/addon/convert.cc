#include "addon/convert.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string_view>

#include "addon/mailbox_layout.h"
#include "codec/packed_strings.h"

namespace millrace {
namespace {

// The most rows of a request: far more than any batch has, and few enough that sums of rows do not overflow.
constexpr int64_t kMaxRows = int64_t{1} << 31;

// About thirty years, in nanoseconds. A request with a longer timeout has no deadline, so that no sum of times
// overflows.
constexpr double kLongestTimeout = 1e18;

// Returns whether a typed array of this kind holds elements of `type`.
bool Holds(napi_typedarray_type array, ElementType type) noexcept {
  switch (type) {
    case ElementType::kFloat32:
      return array == napi_float32_array;
    case ElementType::kFloat64:
      return array == napi_float64_array;
    case ElementType::kInt8:
      return array == napi_int8_array;
    case ElementType::kInt16:
      return array == napi_int16_array;
    case ElementType::kInt32:
      return array == napi_int32_array;
    case ElementType::kInt64:
      return array == napi_bigint64_array;
    case ElementType::kUint8:
    case ElementType::kBool:
      return array == napi_uint8_array;
    case ElementType::kUint16:
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      return array == napi_uint16_array;
    case ElementType::kUint32:
      return array == napi_uint32_array;
    case ElementType::kUint64:
      return array == napi_biguint64_array;
    case ElementType::kString:
    case ElementType::kUndefined:
      break;
  }
  return false;
}

Status Invalid(const TensorSpec& spec, const std::string& what) {
  return {Code::kInvalidArgument, "Input '" + spec.name + "' " + what};
}

// Reads the `rank` dimensions at `mail`, and moves `mail` past them.
Status ReadShape(const TensorSpec& spec, double rank, const double*& mail, Shape& shape) {
  if (rank > double{kMaxRank}) return Invalid(spec, "has too many dimensions: at most 16 are supported");
  shape.rank = static_cast<uint8_t>(rank);
  bool fits = shape.rank == spec.dims.size();
  bool whole = true;
  for (size_t axis = 0; axis < shape.rank; ++axis) {
    const double size = *mail++;
    whole = whole && size >= 0 && size <= 9007199254740991.0 &&
            size == static_cast<double>(static_cast<int64_t>(size));
    shape.dims[axis] = whole ? static_cast<int64_t>(size) : 0;
    fits = fits && (spec.dims[axis] == -1 || spec.dims[axis] == shape.dims[axis]);
  }
  if (!whole) return Invalid(spec, "has a dimension that is not a whole number of 0 or more");
  if (!fits) {
    return Invalid(spec, "has shape " + DescribeShape(shape.view()) + ", but the model expects " +
                             DescribeShape(spec.dims) + " (-1: any size)");
  }
  return {};
}

// Returns memory for the input's own copy. It is the device's pinned memory if the input is large enough and a block is
// free.
std::byte* Reserve(Input& input, size_t bytes, StagedExecutor* device) {
  input.view.bytes = bytes;
  if (device != nullptr && bytes >= kDirectBytes) {
    input.pinned = device->Allocate(bytes);
    input.view.data = input.pinned.get();
    if (input.pinned != nullptr) return input.pinned.get();
  }
  if (input.capacity < bytes || input.copy == nullptr) {
    input.capacity = 0;
    input.copy.reset();
    input.copy = std::make_unique_for_overwrite<std::byte[]>(std::max<size_t>(bytes, 64));
    input.capacity = std::max<size_t>(bytes, 64);
  }
  input.view.data = input.copy.get();
  return input.copy.get();
}

// Reads an input from a typed array of its elements, or from a Uint8Array of their bytes, which need not be aligned. If
// `borrow` is true, the request uses the caller's memory, unless the elements have to be copied; `borrow` is then set
// to false.
Status ReadNumbers(napi_env env, napi_value value, const TensorSpec& spec, int64_t elements,
                   StagedExecutor* device, bool& borrow, Input& input) {
  napi_typedarray_type type{};
  size_t length = 0;
  void* data = nullptr;
  const bool typed =
      napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok;
  const bool holds = typed && Holds(type, spec.type);
  if (!holds && !(typed && type == napi_uint8_array)) {
    return Invalid(spec, std::string("is not a typed array for ") + ElementName(spec.type));
  }
  const size_t size = ElementSize(spec.type);
  const size_t unit = holds ? 1 : size;  // entries of the array for each element
  if (length / unit != static_cast<size_t>(elements) || length % unit != 0) {
    return Invalid(spec, "has " + std::to_string(length) + (holds ? " elements" : " bytes") +
                             ", but its shape " + DescribeShape(input.view.shape.view()) + " holds " +
                             std::to_string(elements) +
                             (holds ? "" : " elements of " + std::to_string(size) + " bytes"));
  }
  const size_t bytes = length / unit * size;
  const auto* const source = static_cast<const std::byte*>(data);
  borrow = borrow && spec.type != ElementType::kBool;
  if (borrow) {
    input.view.data = source;
    input.view.bytes = bytes;
    return {};
  }
  std::byte* const own = Reserve(input, bytes, device);
  if (bytes != 0) std::memcpy(own, source, bytes);
  // A C++ bool that is neither 0 nor 1 is undefined behaviour inside kernels.
  if (spec.type == ElementType::kBool) {
    std::transform(own, own + bytes, own,
                   [](std::byte b) { return std::byte{b != std::byte{0}}; });
  }
  return {};
}

Status ReadPackedStrings(std::string_view bytes, const TensorSpec& spec, int64_t elements,
                         Input& input) {
  const auto count = static_cast<size_t>(elements);
  // This check comes before memory is allocated, because the client may state any shape.
  if (!HoldsPackedStrings(bytes, count)) {
    return Invalid(spec, "must be packed as the " + std::to_string(elements) +
                             " strings that its shape " + DescribeShape(input.view.shape.view()) +
                             " holds, each after its length in four bytes");
  }
  input.strings.resize(count);
  PackedStrings strings(bytes);
  std::string_view element;
  for (std::string& own : input.strings) {
    strings.Next(element);
    own.assign(element);
  }
  return {};
}

// Reads an input from an array of strings, or from a Uint8Array of packed strings.
Status ReadStrings(napi_env env, napi_value value, const TensorSpec& spec, int64_t elements,
                   Input& input) {
  uint32_t length = 0;
  if (napi_get_array_length(env, value, &length) != napi_ok) {
    napi_typedarray_type type{};
    size_t bytes = 0;
    void* data = nullptr;
    const bool typed =
        napi_get_typedarray_info(env, value, &type, &bytes, &data, nullptr, nullptr) == napi_ok;
    if (!typed || type != napi_uint8_array) return Invalid(spec, "is not an array of strings");
    return ReadPackedStrings({static_cast<const char*>(data), bytes}, spec, elements, input);
  }
  if (int64_t{length} != elements) {
    return Invalid(spec, "has " + std::to_string(length) + " strings, but its shape " +
                             DescribeShape(input.view.shape.view()) + " holds " +
                             std::to_string(elements));
  }
  input.strings.resize(length);
  for (uint32_t i = 0; i < length; ++i) {
    // Each element has a handle scope of its own, because a long array must not keep a million handles open.
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(env, &scope);
    napi_value element = nullptr;
    size_t bytes = 0;
    bool ok = napi_get_element(env, value, i, &element) == napi_ok &&
              napi_get_value_string_utf8(env, element, nullptr, 0, &bytes) == napi_ok;
    if (ok) {
      std::string& text = input.strings[i];
      text.resize(bytes + 1);
      ok = napi_get_value_string_utf8(env, element, text.data(), bytes + 1, &bytes) == napi_ok;
      text.resize(bytes);
    }
    napi_close_handle_scope(env, scope);
    if (!ok) return Invalid(spec, "has an element " + std::to_string(i) + " that is not a string");
  }
  return {};
}

// Makes the masks that were left out. They are all ones, since a request itself has no padding.
Status MakeMasks(const Signature& signature, const ShapePlan& plan, Request& request) {
  if (plan.axes().empty()) return {};
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    Input& input = request.inputs[i];
    if (!plan.IsMask(i) || input.view.data != nullptr) continue;
    const TensorSpec& spec = signature.inputs[i];
    input.view.shape = plan.MaskShape(spec, i, request);
    const auto elements = input.view.shape.Elements();
    // An input with a dimension of 0 has no elements, but its other dimensions may be so large that a mask would be too
    // large.
    if (!elements || *elements > ShapePlan::kMaxElements) {
      return Invalid(spec, "would be too large: send fewer rows");
    }
    Element one;
    MILLRACE_RETURN_IF_ERROR(Encode(1.0, spec.type, one));
    const auto count = static_cast<size_t>(*elements);
    Fill(Reserve(input, count * ElementSize(spec.type), nullptr), count, one,
         ElementSize(spec.type));
  }
  return {};
}

}  // namespace

Status ReadRequest(napi_env env, const double* mail, const Signature& signature,
                   std::span<const TensorSpec> pixel_specs, const ShapePlan& plan, bool batched,
                   StagedExecutor* device, const napi_value* values, Request& request) {
  const double timeout = mail[kRequestTimeout];
  const double priority = mail[kRequestPriority];
  mail += kRequestWords;
  request.deadline = DeadlineAfter(timeout);
  request.priority = static_cast<uint8_t>(priority);
  request.rows = 1;
  request.inputs.resize(signature.inputs.size());
  bool borrowed = false;
  const std::string* first = nullptr;  // the input whose rows the others must match
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    Input& input = request.inputs[i];
    const auto flags = static_cast<int>(mail[kInputFlags]);
    bool borrow = (flags & kInputBorrowed) != 0;
    const bool pixels = (flags & kInputPixels) != 0 && !pixel_specs[i].name.empty();
    const TensorSpec& spec = pixels ? pixel_specs[i] : signature.inputs[i];
    const double rank = mail[kInputRank];
    mail += kInputWords;
    input.view = {};
    input.view.type = spec.type;
    if (rank == kInputLeftOut && plan.IsMask(i)) continue;
    MILLRACE_RETURN_IF_ERROR(ReadShape(spec, rank, mail, input.view.shape));
    const auto elements = input.view.shape.Elements();
    if (!elements) return Invalid(spec, "has a shape whose size overflows");
    if (batched) {
      const int64_t rows = input.view.shape.dims[0];
      if (rows > kMaxRows) return Invalid(spec, "has too many rows");
      if (first != nullptr && rows != request.rows) {
        return Invalid(spec, "has " + std::to_string(rows) + " rows, but '" + *first + "' has " +
                                 std::to_string(request.rows));
      }
      request.rows = rows;
      first = &spec.name;
    }
    if (spec.type == ElementType::kString) {
      MILLRACE_RETURN_IF_ERROR(ReadStrings(env, values[i], spec, *elements, input));
    } else {
      MILLRACE_RETURN_IF_ERROR(
          ReadNumbers(env, values[i], spec, *elements, device, borrow, input));
      borrowed = borrowed || borrow;
    }
  }
  MILLRACE_RETURN_IF_ERROR(MakeMasks(signature, plan, request));
  MILLRACE_RETURN_IF_ERROR(plan.Place(signature, request));
  request.borrow.Reset(borrowed);
  return {};
}

Status ReadPooling(napi_env env, napi_value value, size_t outputs, Request& request) {
  constexpr size_t kHead = 2;
  const std::span<std::byte> bytes = BytesOf(env, value);
  // JavaScript may share the memory with another thread, so it is read once.
  std::vector<int32_t> words(bytes.size() / sizeof(int32_t));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(int32_t));
  const Status wrong = {Code::kInvalidArgument, "The description of the pooling is not valid"};
  if (words.size() < kHead || words[1] < 1 || words[1] > kPoolModes) return wrong;
  const auto tokens = kHead + static_cast<size_t>(words[1]);
  const bool known = words[0] >= 0 && static_cast<size_t>(words[0]) < outputs;
  if (!known || words.size() < tokens || (words.size() - tokens) % 2 != 0) return wrong;
  auto pooling = std::make_unique<Pooling>();
  pooling->output = static_cast<size_t>(words[0]);
  for (size_t i = kHead; i < tokens; ++i) {
    if (words[i] < 0 || words[i] >= kPoolModes) return wrong;
    pooling->modes.push_back(static_cast<PoolMode>(words[i]));
  }
  for (size_t i = tokens; i < words.size(); i += 2) pooling->rows.push_back({words[i], words[i + 1]});
  request.pooling = std::move(pooling);
  return {};
}

void AddFunction(napi_env env, napi_value object, const char* name, napi_callback function,
                 void* data) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, data, &value);
  napi_set_named_property(env, object, name, value);
}

const char* CodeName(Code code) noexcept {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::kNotFound:
      return "NOT_FOUND";
    case Code::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::kCancelled:
      return "CANCELLED";
    case Code::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case Code::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::kUnimplemented:
      return "UNIMPLEMENTED";
    case Code::kUnavailable:
      return "UNAVAILABLE";
    case Code::kInternal:
      break;
  }
  return "INTERNAL";
}

std::span<std::byte> BytesOf(napi_env env, napi_value value) noexcept {
  constexpr std::array<uint8_t, 11> kSizes = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  napi_typedarray_type type{};
  size_t length = 0;
  void* data = nullptr;
  const bool typed =
      napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
      static_cast<size_t>(type) < kSizes.size();
  if (!typed || data == nullptr) return {};
  return {static_cast<std::byte*>(data), length * kSizes[type]};
}

napi_value Refuse(napi_env env, const Status& status) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  napi_value ignored = nullptr;
  if (pending) napi_get_and_clear_last_exception(env, &ignored);
  napi_throw_error(env, CodeName(status.code()), status.message().c_str());
  return nullptr;
}

Nanos DeadlineAfter(double timeout) noexcept {
  return timeout >= 0 && timeout < kLongestTimeout
             ? SteadyClock().Now() + static_cast<Nanos>(timeout)
             : kNever;
}

void Throw(napi_env env, Code code, const std::string& message) {
  napi_throw_error(env, CodeName(code), message.c_str());
}

}  // namespace millrace

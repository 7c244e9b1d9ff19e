#include "codec/tensor_parser.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "batching/half.h"
#include "codec/number.h"

namespace millrace {
namespace {

// Calls read_elements() at the elements of nested arrays. Each call reads one element, or several with the commas
// between them.
template <typename ReadElements>
bool Walk(JsonCursor& cursor, ReadElements&& read_elements) {
  if (!cursor.Expect('[')) return false;
  size_t depth = 1;
  bool first = true;
  for (;;) {
    cursor.SkipSpace();
    const char next = cursor.at == cursor.end ? '\0' : *cursor.at;
    if (next == '[') {
      if (depth == kMaxDepth) return cursor.Fail("nesting of more than 100 levels");
      ++cursor.at;
      ++depth;
      first = true;
      continue;
    }
    if ((next != ']' || !first) && !read_elements()) return false;
    bool more = false;
    while (!more) {
      if (!cursor.NextOrClose(']', more)) return false;
      if (!more && --depth == 0) return true;
    }
    first = false;
  }
}

bool FailOverfull(JsonCursor& cursor, const char* element, ElementStore& store) {
  store.overfull = true;
  return cursor.Fail(element, "more elements than the shape holds");
}

bool FailRange(JsonCursor& cursor, const Number& number, ElementType type) {
  return cursor.Fail(number.begin,
                     std::string("a number out of the range of ") + ElementName(type));
}

// Reads a float that is not a number of JSON: null, NaN or an infinity.
[[gnu::noinline]] bool ReadNonFinite(JsonCursor& cursor, NonFinite non_finite, double& value) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  value = std::numeric_limits<double>::quiet_NaN();
  const char* const start = cursor.at;
  if (cursor.TakeWord("null")) {
    if (non_finite == NonFinite::kNull || non_finite == NonFinite::kAny) return true;
    return cursor.Fail(start, "expected a number, not null,");
  }
  const bool negative = cursor.TakeWord("-");
  const bool infinite = cursor.TakeWord("Inf");
  if (infinite) (void)cursor.TakeWord("inity");
  if (infinite || (!negative && cursor.TakeWord("NaN"))) {
    if (infinite) value = negative ? -kInfinity : kInfinity;
    if (ReadsWords(non_finite)) return true;
    return cursor.Fail(start, "a NaN or Infinity, which JSON has no number for,");
  }
  return cursor.Fail(start, "expected a number");
}

template <typename Element>
void Put(std::byte* memory, Element element) noexcept {
  std::memcpy(memory, &element, sizeof element);
}

template <ElementType kType>
bool ReadFloat(JsonCursor& cursor, NonFinite non_finite, std::byte* memory) {
  Number number;
  double wide = 0;
  float narrow = 0;
  if (!ScanNumber(cursor.at, cursor.end, number)) {
    if (!ReadNonFinite(cursor, non_finite, wide)) return false;
    narrow = static_cast<float>(wide);
  } else {
    cursor.at = number.end;
    const bool fits = kType == ElementType::kFloat32 ? ToFloat(number, narrow) : ToDouble(number, wide);
    if (!fits) return FailRange(cursor, number, kType);
  }
  if constexpr (kType == ElementType::kFloat32) {
    Put(memory, narrow);
  } else if constexpr (kType == ElementType::kFloat64) {
    Put(memory, wide);
  } else {
    const uint16_t bits = kType == ElementType::kFloat16 ? DoubleToHalf(wide) : DoubleToBfloat(wide);
    const uint16_t infinity = kType == ElementType::kFloat16 ? 0x7c00 : 0x7f80;
    if ((bits & 0x7fff) == infinity && std::isfinite(wide)) return FailRange(cursor, number, kType);
    Put(memory, bits);
  }
  return true;
}

template <typename Integer>
bool ReadInteger(JsonCursor& cursor, ElementType type, std::byte* memory) {
  Number number;
  if (!ScanNumber(cursor.at, cursor.end, number)) return cursor.Fail("expected an integer");
  Integer value = 0;
  if (!ToInteger(number, value)) {
    if (!number.integer) return cursor.Fail(number.begin, "expected an integer, not a fraction,");
    return FailRange(cursor, number, type);
  }
  cursor.at = number.end;
  Put(memory, value);
  return true;
}

bool ReadBool(JsonCursor& cursor, std::byte* memory) {
  const bool yes = cursor.TakeWord("true");
  if (!yes && !cursor.TakeWord("false")) return cursor.Fail("expected true or false");
  *memory = std::byte{yes};
  return true;
}

// Reads one element with `read`, which writes it to the memory that it is passed.
template <size_t kSize, typename Read>
bool FillOne(JsonCursor& cursor, ElementStore& store, Read&& read) {
  if (store.at == store.limit) return FailOverfull(cursor, cursor.at, store);
  if (!read(store.at)) return false;
  store.at += kSize;
  return true;
}

// Reads all elements of the arrays with `read`.
template <size_t kSize, typename Read>
bool Fill(JsonCursor& cursor, ElementStore& store, Read&& read) {
  return Walk(cursor, [&] { return FillOne<kSize>(cursor, store, read); });
}

// Reads the plain floats that come next, up to the comma after the last of them, with all state in registers.
// Returns whether there was one.
bool ReadPlainFloats(JsonCursor& cursor, ElementStore& store) noexcept {
  const char* at = cursor.at;
  std::byte* memory = store.at;
  float value = 0;
  while (memory != store.limit && ReadPlainFloat(at, cursor.end, value)) {
    Put(memory, value);
    memory += sizeof value;
    cursor.at = at;
    // ReadPlainFloat refuses floats near the end of the text, so both bytes are within it.
    ++at;
    at += *at == ' ';
  }
  const bool any = memory != store.at;
  store.at = memory;
  return any;
}

template <typename Integer>
bool FillIntegers(JsonCursor& cursor, ElementType type, ElementStore& store) {
  return Fill<sizeof(Integer)>(cursor, store, [&](std::byte* memory) {
    return ReadInteger<Integer>(cursor, type, memory);
  });
}

template <ElementType kType, size_t kSize>
bool FillFloats(JsonCursor& cursor, NonFinite non_finite, ElementStore& store) {
  return Fill<kSize>(cursor, store, [&](std::byte* memory) {
    return ReadFloat<kType>(cursor, non_finite, memory);
  });
}

bool FillFloat32(JsonCursor& cursor, NonFinite non_finite, ElementStore& store) {
  constexpr auto kType = ElementType::kFloat32;
  return Walk(cursor, [&] {
    if (ReadPlainFloats(cursor, store)) return true;
    return FillOne<sizeof(float)>(cursor, store, [&](std::byte* memory) {
      return ReadFloat<kType>(cursor, non_finite, memory);
    });
  });
}

bool FillStrings(JsonCursor& cursor, ElementStore& store) {
  return Walk(cursor, [&] {
    std::string_view text;
    const char* const start = cursor.at;
    if (!cursor.ReadString(text)) return false;
    return store.Text(text) || FailOverfull(cursor, start, store);
  });
}

}  // namespace

bool ParseTensor(JsonCursor& cursor, ElementType type, NonFinite non_finite, ElementStore& store) {
  switch (type) {
    case ElementType::kFloat32:
      return FillFloat32(cursor, non_finite, store);
    case ElementType::kFloat64:
      return FillFloats<ElementType::kFloat64, 8>(cursor, non_finite, store);
    case ElementType::kFloat16:
      return FillFloats<ElementType::kFloat16, 2>(cursor, non_finite, store);
    case ElementType::kBfloat16:
      return FillFloats<ElementType::kBfloat16, 2>(cursor, non_finite, store);
    case ElementType::kInt8:
      return FillIntegers<int8_t>(cursor, type, store);
    case ElementType::kInt16:
      return FillIntegers<int16_t>(cursor, type, store);
    case ElementType::kInt32:
      return FillIntegers<int32_t>(cursor, type, store);
    case ElementType::kInt64:
      return FillIntegers<int64_t>(cursor, type, store);
    case ElementType::kUint8:
      return FillIntegers<uint8_t>(cursor, type, store);
    case ElementType::kUint16:
      return FillIntegers<uint16_t>(cursor, type, store);
    case ElementType::kUint32:
      return FillIntegers<uint32_t>(cursor, type, store);
    case ElementType::kUint64:
      return FillIntegers<uint64_t>(cursor, type, store);
    case ElementType::kBool:
      return Fill<1>(cursor, store,
                     [&](std::byte* memory) { return ReadBool(cursor, memory); });
    case ElementType::kString:
      return FillStrings(cursor, store);
    case ElementType::kUndefined:
      break;
  }
  return cursor.Fail("a type that cannot be parsed");
}

}  // namespace millrace

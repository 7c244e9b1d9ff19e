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

// Finds out whether the arrays are a box. A level of -1 has seen no array yet.
class Levels {
 public:
  Levels() noexcept { nesting_.sizes.fill(-1); }

  void Open(size_t depth) noexcept { deepest_ = std::max(deepest_, depth); }

  void Close(size_t depth, int64_t size) noexcept {
    int64_t& known = nesting_.sizes[depth - 1];
    if (known == -1) known = size;
    box_ = box_ && known == size;
  }

  void Leaf(size_t depth) noexcept {
    if (leaves_ == 0) leaves_ = depth;
    box_ = box_ && leaves_ == depth;
  }

  Nesting Result() noexcept {
    nesting_.depth = box_ && (leaves_ == 0 || leaves_ == deepest_) ? deepest_ : 0;
    return nesting_;
  }

 private:
  Nesting nesting_;
  size_t deepest_ = 0;
  size_t leaves_ = 0;  // level of the elements seen, 0 before the first
  bool box_ = true;
};

struct NoLevels {
  void Open(size_t) noexcept {}
  void Close(size_t, int64_t) noexcept {}
  void Leaf(size_t) noexcept {}
};

// Calls read_elements(count) at the elements of nested arrays. It reads one, or several with the commas
// between them, and says how many.
template <typename Shape, typename ReadElements>
bool Walk(JsonCursor& cursor, Shape& levels, ReadElements&& read_elements) {
  if (!cursor.Expect('[')) return false;
  std::array<int64_t, kMaxDepth> sizes;  // of the arrays that are open
  sizes[0] = 0;
  size_t depth = 1;
  levels.Open(depth);
  bool first = true;
  for (;;) {
    cursor.SkipSpace();
    const char next = cursor.at == cursor.end ? '\0' : *cursor.at;
    if (next == '[') {
      if (depth == kMaxDepth) return cursor.Fail("nesting of more than 100 levels");
      ++cursor.at;
      ++sizes[depth - 1];
      sizes[depth++] = 0;
      levels.Open(depth);
      first = true;
      continue;
    }
    if (next != ']' || !first) {
      int64_t count = 1;
      if (!read_elements(count)) return false;
      sizes[depth - 1] += count;
      levels.Leaf(depth);
    }
    bool more = false;
    while (!more) {
      if (!cursor.NextOrClose(']', more)) return false;
      if (more) break;
      levels.Close(depth, sizes[depth - 1]);
      if (--depth == 0) return true;
    }
    first = false;
  }
}

constexpr std::string_view kTooMany = "more elements than the shape holds";

bool FailRange(JsonCursor& cursor, const Number& number, ElementType type) {
  return cursor.Fail(number.begin,
                     std::string("a number out of the range of ") + ElementName(type));
}

// A float that is none of JSON's numbers.
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

// Reads one element with `read`, which fills its memory.
template <size_t kSize, typename Read>
bool FillOne(JsonCursor& cursor, ElementStore& store, Read&& read) {
  if (store.at == store.limit && !store.Grow()) return cursor.Fail(kTooMany);
  if (!read(store.at)) return false;
  store.at += kSize;
  return true;
}

// Walks the arrays with `read`.
template <size_t kSize, typename Shape, typename Read>
bool Fill(JsonCursor& cursor, ElementStore& store, Shape& levels, Read&& read) {
  return Walk(cursor, levels, [&](int64_t&) { return FillOne<kSize>(cursor, store, read); });
}

// Reads the plain floats that are next, up to the comma after the last of them; all of it in registers.
// Returns how many.
int64_t ReadPlainFloats(JsonCursor& cursor, ElementStore& store) noexcept {
  const char* at = cursor.at;
  std::byte* memory = store.at;
  float value = 0;
  while (memory != store.limit && ReadPlainFloat(at, cursor.end, value)) {
    Put(memory, value);
    memory += sizeof value;
    cursor.at = at;
    // Neither byte is the end of the text, which plain floats keep away from.
    ++at;
    at += *at == ' ';
  }
  const auto count = (memory - store.at) / static_cast<std::ptrdiff_t>(sizeof value);
  store.at = memory;
  return count;
}

template <typename Integer, typename Shape>
bool FillIntegers(JsonCursor& cursor, ElementType type, ElementStore& store, Shape& levels) {
  return Fill<sizeof(Integer)>(cursor, store, levels, [&](std::byte* memory) {
    return ReadInteger<Integer>(cursor, type, memory);
  });
}

template <ElementType kType, size_t kSize, typename Shape>
bool FillFloats(JsonCursor& cursor, NonFinite non_finite, ElementStore& store, Shape& levels) {
  return Fill<kSize>(cursor, store, levels, [&](std::byte* memory) {
    return ReadFloat<kType>(cursor, non_finite, memory);
  });
}

template <typename Shape>
bool FillFloat32(JsonCursor& cursor, NonFinite non_finite, ElementStore& store, Shape& levels) {
  constexpr auto kType = ElementType::kFloat32;
  return Walk(cursor, levels, [&](int64_t& count) {
    count = ReadPlainFloats(cursor, store);
    if (count > 0) return true;
    count = 1;
    return FillOne<sizeof(float)>(cursor, store, [&](std::byte* memory) {
      return ReadFloat<kType>(cursor, non_finite, memory);
    });
  });
}

template <typename Shape>
bool FillStrings(JsonCursor& cursor, ElementStore& store, Shape& levels) {
  return Walk(cursor, levels, [&](int64_t&) {
    std::string_view text;
    const char* const start = cursor.at;
    if (!cursor.ReadString(text)) return false;
    return store.Text(text) || cursor.Fail(start, kTooMany);
  });
}

template <typename Shape>
bool FillAny(JsonCursor& cursor, ElementType type, NonFinite non_finite, ElementStore& store,
             Shape& levels) {
  switch (type) {
    case ElementType::kFloat32:
      return FillFloat32(cursor, non_finite, store, levels);
    case ElementType::kFloat64:
      return FillFloats<ElementType::kFloat64, 8>(cursor, non_finite, store, levels);
    case ElementType::kFloat16:
      return FillFloats<ElementType::kFloat16, 2>(cursor, non_finite, store, levels);
    case ElementType::kBfloat16:
      return FillFloats<ElementType::kBfloat16, 2>(cursor, non_finite, store, levels);
    case ElementType::kInt8:
      return FillIntegers<int8_t>(cursor, type, store, levels);
    case ElementType::kInt16:
      return FillIntegers<int16_t>(cursor, type, store, levels);
    case ElementType::kInt32:
      return FillIntegers<int32_t>(cursor, type, store, levels);
    case ElementType::kInt64:
      return FillIntegers<int64_t>(cursor, type, store, levels);
    case ElementType::kUint8:
      return FillIntegers<uint8_t>(cursor, type, store, levels);
    case ElementType::kUint16:
      return FillIntegers<uint16_t>(cursor, type, store, levels);
    case ElementType::kUint32:
      return FillIntegers<uint32_t>(cursor, type, store, levels);
    case ElementType::kUint64:
      return FillIntegers<uint64_t>(cursor, type, store, levels);
    case ElementType::kBool:
      return Fill<1>(cursor, store, levels,
                     [&](std::byte* memory) { return ReadBool(cursor, memory); });
    case ElementType::kString:
      return FillStrings(cursor, store, levels);
    case ElementType::kUndefined:
      break;
  }
  return cursor.Fail("a type that cannot be parsed");
}

}  // namespace

bool ElementBuffer::Grow() {
  // A power of two, hence a whole number of elements of any type.
  constexpr size_t kFirst = 1024;
  const size_t size = numbers().size();
  const size_t capacity = std::max(size * 2, kFirst);
  auto memory = std::make_unique_for_overwrite<std::byte[]>(capacity);
  if (size != 0) std::memcpy(memory.get(), memory_.get(), size);
  memory_ = std::move(memory);
  at = memory_.get() + size;
  limit = memory_.get() + capacity;
  return true;
}

bool ElementBuffer::Text(std::string_view text) {
  strings_.emplace_back(text);
  return true;
}

bool ParseTensor(JsonCursor& cursor, ElementType type, NonFinite non_finite, ElementStore& store,
                 Nesting* nesting) {
  if (nesting == nullptr) {
    NoLevels levels;
    return FillAny(cursor, type, non_finite, store, levels);
  }
  Levels levels;
  const bool parsed = FillAny(cursor, type, non_finite, store, levels);
  *nesting = levels.Result();
  return parsed;
}

}  // namespace millrace

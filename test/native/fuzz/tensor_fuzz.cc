// Parses JSON arrays as tensors: what can be parsed can be written as text that is parsed to the same elements.
#include <algorithm>

#include "codec/tensor_parser.h"
#include "codec/tensor_writer.h"
#include "support.h"
#include "support/element_buffer.h"

using namespace millrace;
using fuzz::Claim;
using test::ElementBuffer;

namespace {

TensorView ViewOf(const ElementBuffer& buffer, ElementType type) {
  TensorView view;
  view.type = type;
  view.data = buffer.numbers().data();
  view.bytes = buffer.numbers().size();
  view.strings = buffer.strings().data();
  view.shape.rank = 1;
  view.shape.dims[0] = static_cast<int64_t>(
      type == ElementType::kString ? buffer.strings().size() : view.bytes / ElementSize(type));
  return view;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Source source(data, size);
  const ElementType type = fuzz::TypeOf(source);
  const NonFinite non_finite = fuzz::NonFiniteOf(source);
  const std::string_view text = source.rest();
  JsonCursor cursor(text);
  ElementBuffer buffer(text);
  if (!ParseTensor(cursor, type, non_finite, buffer)) {
    Claim(!cursor.error().empty(), "a failure is explained");
    return 0;
  }
  Claim(cursor.position() <= text.size(), "the cursor stays in the text");
  const TensorView view = ViewOf(buffer, type);

  JsonBuffer written;
  Claim(AppendTensor(view, NonFinite::kLiteral, written).ok(), "what was read can be written");
  JsonCursor again(written.view());
  ElementBuffer back(written.view());
  Claim(ParseTensor(again, type, NonFinite::kLiteral, back), "what was written can be read");
  Claim(std::ranges::equal(back.numbers(), buffer.numbers()), "numbers come back as they were");
  Claim(back.strings() == buffer.strings(), "strings come back as they were");
  return 0;
}

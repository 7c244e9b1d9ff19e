#include "codec/infer_input.h"

#include "codec/datatype.h"
#include "codec/number.h"
#include "codec/packed_strings.h"
#include "codec/tensor_parser.h"

namespace millrace {
namespace {

// Up to this number of elements, the number of bytes of a tensor fits a size_t.
constexpr int64_t kMostElements = int64_t{1} << 56;

// Passes the parsed elements of one input to the sink.
class SinkStore final : public ElementStore {
 public:
  SinkStore(InferSink& sink, size_t input, size_t count) noexcept
      : sink_(sink), input_(input), count_(count) {}

  bool Open(ElementType type) {
    if (type == ElementType::kString) return sink_.Strings(input_, count_);
    at = sink_.Numbers(input_, type, count_);
    start_ = at;
    size_ = ElementSize(type);
    limit = at == nullptr ? nullptr : at + count_ * size_;
    return at != nullptr;
  }

  bool Text(std::string_view text) override {
    if (strings_ == count_) return false;
    refused_ = !sink_.String(input_, strings_, text);
    strings_ += !refused_;
    return !refused_;
  }

  // Returns whether the sink had no room for a string. It is false if there were more strings than the shape holds.
  bool refused() const noexcept { return refused_; }

  size_t filled() const noexcept {
    return size_ == 0 ? strings_ : static_cast<size_t>(at - start_) / size_;
  }

 private:
  InferSink& sink_;
  const size_t input_;
  const size_t count_;
  const std::byte* start_ = nullptr;
  size_t size_ = 0;
  size_t strings_ = 0;
  bool refused_ = false;
};

class InputReader {
 public:
  InputReader(InferSource& source, InferInput& input) noexcept
      : source_(source), input_(input), owner_{"Input", source.inputs, &input.name} {}

  Status Read();

 private:
  enum Member : int { kName, kDatatype, kShape, kParameters, kData };

  Status ReadMember(int member);
  Status ReadDatatype();
  Status ReadShape();
  Status ReadElements(JsonCursor& cursor);
  Status CountStrings();
  Status Finish();
  Status TakeBinary(const Parameter& size);

  Status WrongCount(const std::string& found) const {
    return Invalid(owner_, "has " + found + " elements in 'data', but its shape " +
                               DescribeShape(input_.shape.view()) + " holds " + std::to_string(input_.elements));
  }
  Status Exhausted() const {
    return {Code::kResourceExhausted, owner_.Text() + " does not fit into memory: send fewer rows"};
  }

  InferSource& source_;
  InferInput& input_;
  const Owner owner_;
  bool has_name_ = false;
  bool has_shape_ = false;
  bool has_data_ = false;
  bool parsed_ = false;  // whether the elements have been read
  size_t data_ = 0;      // the offset of the member 'data' in the JSON
};

Status InputReader::Read() {
  MILLRACE_RETURN_IF_ERROR(ReadObject(source_.cursor, owner_, source_.non_finite,
                                      {"name", "datatype", "shape", "parameters", "data"},
                                      [this](int member) { return ReadMember(member); }));
  return Finish();
}

Status InputReader::ReadMember(int member) {
  JsonCursor& cursor = source_.cursor;
  switch (member) {
    case kName:
      has_name_ = true;
      return ReadText(cursor, owner_, "name", input_.name);
    case kDatatype:
      return ReadDatatype();
    case kShape:
      return ReadShape();
    case kParameters:
      return ReadParameters(cursor, owner_, source_.limits.max_parameters, input_.parameters);
    default:
      break;
  }
  has_data_ = true;
  data_ = cursor.position();
  parsed_ = has_shape_ && input_.type != ElementType::kUndefined;
  if (parsed_) return ReadElements(cursor);
  // The datatype or the shape comes after the data, so Finish() reads the elements.
  return cursor.SkipValue(source_.non_finite) ? Status() : Malformed(cursor);
}

Status InputReader::ReadDatatype() {
  std::string name;
  MILLRACE_RETURN_IF_ERROR(ReadText(source_.cursor, owner_, "datatype", name));
  input_.type = DatatypeFromName(name);
  if (input_.type != ElementType::kUndefined) return {};
  return Invalid(owner_, "has datatype " + Quoted(name) +
                             ": expected BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, "
                             "INT64, FP16, FP32, FP64, BF16 or BYTES");
}

Status InputReader::ReadShape() {
  JsonCursor& cursor = source_.cursor;
  Shape& shape = input_.shape;
  MILLRACE_RETURN_IF_ERROR(ReadArray(cursor, owner_, "shape", kMaxRank, [&]() -> Status {
    Number number;
    int64_t size = -1;
    if (!ScanNumber(cursor.at, cursor.end, number) || !ToInteger(number, size) || size < 0) {
      return Invalid(owner_, "has a dimension that is not an integer of 0 or more");
    }
    cursor.at = number.end;
    shape.dims[shape.rank++] = size;
    return {};
  }));
  const auto elements = shape.Elements();
  if (!elements || *elements > kMostElements) {
    return Invalid(owner_, "has shape " + DescribeShape(shape.view()) + ", whose number of elements overflows");
  }
  input_.elements = static_cast<size_t>(*elements);
  has_shape_ = true;
  return {};
}

Status InputReader::ReadElements(JsonCursor& cursor) {
  if (cursor.at == cursor.end || *cursor.at != '[') {
    return Invalid(owner_, "has a member 'data' that is not an array");
  }
  // Each element has at least two bytes, with the comma or bracket after it. Because of this check, a large shape with
  // little data cannot cause a large allocation.
  if (input_.elements > static_cast<size_t>(cursor.end - cursor.at) / 2) return WrongCount("fewer");
  MILLRACE_RETURN_IF_ERROR(CountStrings());
  SinkStore store(source_.sink, source_.inputs, input_.elements);
  if (!store.Open(input_.type)) return Exhausted();
  if (!ParseTensor(cursor, input_.type, source_.non_finite, store)) {
    if (store.refused()) return Exhausted();
    if (store.overfull) return WrongCount("more");
    return Invalid(owner_, "cannot be read: " + cursor.error());
  }
  if (store.filled() != input_.elements) return WrongCount(std::to_string(store.filled()));
  return {};
}

// Adds the strings of the input to those of the request, and refuses too many. It is called once for each input, after
// the check that the body is long enough for the elements of the shape.
Status InputReader::CountStrings() {
  if (input_.type != ElementType::kString) return {};
  source_.strings += input_.elements;
  const size_t most = source_.limits.max_strings;
  if (source_.strings <= most) return {};
  return Invalid(owner_, "has " + std::to_string(input_.elements) +
                             " strings: expected at most " + std::to_string(most) +
                             " in all inputs together, send fewer rows");
}

Status InputReader::Finish() {
  if (!has_name_) return Invalid(owner_, "has no member 'name': expected a string");
  if (input_.type == ElementType::kUndefined) {
    return Invalid(owner_, "has no member 'datatype': expected one such as FP32");
  }
  if (!has_shape_) {
    return Invalid(owner_, "has no member 'shape': expected an array of integers");
  }
  if (Find(input_.parameters, "shared_memory_region") != nullptr) {
    return Invalid(owner_, "is in shared memory, which is not supported: send it with the request");
  }
  const Parameter* const binary = Find(input_.parameters, "binary_data_size");
  if (has_data_ == (binary != nullptr)) {
    return Invalid(owner_, std::string(has_data_ ? "has both 'data' and" : "has neither 'data' nor") +
                               " the parameter 'binary_data_size': expected one of them");
  }
  if (binary != nullptr) return TakeBinary(*binary);
  if (parsed_) return {};
  const char* const begin = source_.body.data();
  JsonCursor again({begin, source_.cursor.end}, data_);
  return ReadElements(again);
}

Status InputReader::TakeBinary(const Parameter& size) {
  const auto* const given = std::get_if<int64_t>(&size.value);
  if (given == nullptr || *given < 0) {
    return Invalid(owner_, "has a 'binary_data_size' that is not an integer of 0 or more");
  }
  const auto bytes = static_cast<size_t>(*given);
  const size_t left = source_.body.size() - source_.binary;
  if (bytes > left) {
    return Invalid(owner_, "has a 'binary_data_size' of " + std::to_string(bytes) + ", but only " +
                               std::to_string(left) + " bytes are left in the body");
  }
  const size_t start = source_.binary;
  source_.binary += bytes;
  input_.offset = start;
  input_.bytes = bytes;
  if (input_.type == ElementType::kString) {
    if (HoldsPackedStrings(source_.body.substr(start, bytes), input_.elements)) return CountStrings();
    return Invalid(owner_, "must have as binary data the " + std::to_string(input_.elements) +
                               " strings that its shape holds, each after its length in four bytes");
  }
  const size_t expected = input_.elements * ElementSize(input_.type);
  if (bytes == expected) return {};
  return Invalid(owner_, "has " + std::to_string(bytes) + " bytes of binary data, but its shape " +
                             DescribeShape(input_.shape.view()) + " takes " + std::to_string(expected));
}

}  // namespace

Status ReadInferInput(InferSource& source, InferInput& input) {
  return InputReader(source, input).Read();
}

}  // namespace millrace

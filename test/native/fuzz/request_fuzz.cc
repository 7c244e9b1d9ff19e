// V2 inference requests: the sink gets what the contract says, and no more memory is asked for than the
// body is worth.
#include <memory>
#include <optional>
#include <set>

#include "codec/infer_request.h"
#include "codec/utf8.h"
#include "support.h"

using namespace millrace;
using fuzz::Claim;

namespace {

class ExactSink final : public InferSink {
 public:
  explicit ExactSink(size_t body) : body_(body) {}

  // Exactly as large as asked, so that a byte too many is seen.
  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    Claim(asked_.insert(input).second, "an input's memory is asked for once");
    Claim(count <= body_, "no more elements than the body has bytes");
    numbers_.push_back(std::make_unique<std::byte[]>(count * ElementSize(type)));
    return numbers_.back().get();
  }

  bool Strings(size_t input, size_t count) override {
    Claim(asked_.insert(input).second, "an input's strings are announced once");
    Claim(count <= body_, "no more strings than the body has bytes");
    left_ = count;
    next_ = 0;
    return true;
  }

  bool String(size_t, size_t element, std::string_view text) override {
    Claim(element == next_++ && left_-- > 0, "strings come in order, as many as announced");
    Claim(IsUtf8(text), "strings are UTF-8");
    return true;
  }

 private:
  const size_t body_;
  std::set<size_t> asked_;
  std::vector<std::unique_ptr<std::byte[]>> numbers_;
  size_t left_ = 0;
  size_t next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Source source(data, size);
  const NonFinite non_finite = fuzz::NonFiniteOf(source);
  std::optional<size_t> header;
  if (source.Byte() % 2 == 1) header = source.Pair();
  InferLimits limits;
  limits.max_tensors = 8;
  limits.max_parameters = 8;
  limits.max_bytes = 1 << 20;
  ExactSink sink(source.rest().size());
  InferRequest request;
  const Status status =
      ParseInferRequest(source.rest(), header, non_finite, limits, sink, request);
  if (!status.ok()) {
    Claim(!status.message().empty() && IsUtf8(status.message()), "a refusal is a sentence");
    Claim(status.message().size() < 1000, "a refusal is short");
    return 0;
  }
  for (const InferInput& input : request.inputs) {
    Claim(static_cast<int64_t>(input.elements) == input.shape.Elements(), "elements are the shape's");
    const size_t size = ElementSize(input.type);
    Claim(!input.offset || *input.offset + input.bytes <= source.rest().size(), "binary data is inside");
    Claim(!input.offset || size == 0 || input.bytes == input.elements * size, "binary data fills the shape");
  }
  return 0;
}

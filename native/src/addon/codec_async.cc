#include "addon/codec_async.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "addon/async_task.h"
#include "addon/byte_budget.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "codec/json_buffer.h"
#include "codec/tensor_writer.h"

namespace millrace {
namespace {

// Holds elements in memory that is taken from the budget, until they are passed to JavaScript.
class BudgetSink final : public InferSink {
 public:
  explicit BudgetSink(size_t limit) noexcept : limit_(limit) {}
  ~BudgetSink() override { ProcessBytes().Give(taken_); }
  BudgetSink(const BudgetSink&) = delete;
  BudgetSink& operator=(const BudgetSink&) = delete;

  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    static std::byte nothing[1];
    Elements& elements = At(input);
    elements.size = count * ElementSize(type);
    if (elements.size == 0) return nothing;
    if (!Take(elements.size)) return nullptr;
    elements.numbers = std::make_unique<Memory>(elements.size);
    return elements.numbers->bytes.get();
  }

  bool Strings(size_t input, size_t count) override {
    Elements& elements = At(input);
    elements.strings.emplace();
    if (!Take(count * kStringBytes)) return false;
    elements.strings->ends.reserve(count);
    return true;
  }

  bool String(size_t input, size_t, std::string_view text) override {
    auto& [chars, ends] = *elements_[input].strings;
    if (chars.capacity() - chars.size() < text.size()) {
      const size_t capacity = std::max(chars.size() + text.size(), 2 * chars.capacity());
      if (!Take(capacity - chars.capacity())) return false;
      chars.reserve(capacity);
    }
    chars.append(text);
    ends.push_back(static_cast<double>(chars.size()));
    return true;
  }

  // refused() returns whether the budget refused memory, and hopeless() whether it would do so even if no bytes were
  // taken.
  bool refused() const noexcept { return wanted_ != 0; }
  bool hopeless() const noexcept { return wanted_ > limit_; }

  // Returns the elements of an input as an ArrayBuffer. For strings it returns two: their UTF-8, and the offsets of
  // their ends.
  napi_value ToValue(napi_env env, size_t input) {
    Elements& elements = elements_[input];
    if (elements.strings) {
      const auto& ends = elements.strings->ends;
      const napi_value buffer = CopyToBuffer(env, ends.data(), ends.size() * sizeof ends[0]);
      auto chars = std::make_unique<std::string>(std::move(elements.strings->chars));
      const std::string_view view = *chars;
      return ToArray(env, {ToBuffer(env, std::move(chars), view.data(), view.size()), buffer});
    }
    const void* const data = elements.numbers ? elements.numbers->bytes.get() : nullptr;
    return ToBuffer(env, std::move(elements.numbers), data, elements.size);
  }

  // Returns the bytes that were taken, which the caller then has to give back.
  size_t Release() noexcept { return std::exchange(taken_, 0); }

 private:
  // The bytes of a short JavaScript string, in addition to its characters.
  static constexpr size_t kStringBytes = 48;

  struct Text {
    std::string chars;
    std::vector<double> ends;
  };
  struct Elements {
    std::unique_ptr<Memory> numbers;
    size_t size = 0;
    std::optional<Text> strings;
  };

  Elements& At(size_t input) {
    if (elements_.size() <= input) elements_.resize(input + 1);
    return elements_[input];
  }

  bool Take(size_t bytes) noexcept {
    if (!ProcessBytes().TryTake(bytes, limit_)) {
      wanted_ = taken_ + bytes;
      return false;
    }
    taken_ += bytes;
    return true;
  }

  const size_t limit_;
  size_t taken_ = 0;
  size_t wanted_ = 0;
  std::vector<Elements> elements_;
};

class ParseTask final : public AsyncTask {
 public:
  ParseTask(napi_env env, const ParseArguments& parse, size_t budget) noexcept
      : AsyncTask(env), parse_(parse), sink_(budget) {}

  Status Run() override {
    Status status = parse_.Run(sink_, request_);
    if (status.ok() || !sink_.refused()) return status;
    if (sink_.hopeless()) {
      return {Code::kInvalidArgument,
              "The request's elements need more memory than the server keeps for all requests "
              "together: send fewer rows"};
    }
    return {Code::kUnavailable, "The server holds as many bytes of requests as it may: retry later"};
  }

  napi_value Result(napi_env env) override {
    const napi_value request =
        ToValue(env, request_, [&](size_t input) { return sink_.ToValue(env, input); });
    return ToArray(env, {request, ToNumber(env, static_cast<double>(sink_.Release()))});
  }

 private:
  const ParseArguments parse_;
  BudgetSink sink_;
  InferRequest request_;
};

class EncodeTask final : public AsyncTask {
 public:
  EncodeTask(napi_env env, NonFinite non_finite) noexcept
      : AsyncTask(env), non_finite_(non_finite) {}

  // Copies the strings among the parts and keeps the typed arrays.
  Status ReadParts(const Arguments& arguments) {
    const auto add_text = [&](size_t i, size_t length) {
      std::string text(length, '\0');
      arguments.CopyText(i, text.data(), length);
      parts_.emplace_back(std::move(text));
    };
    return ForEachPart(arguments, add_text, [&](size_t i, const TensorView& tensor) -> Status {
      parts_.emplace_back(tensor);
      Keep(arguments[i]);
      return {};
    });
  }

  Status Run() override {
    for (const auto& part : parts_) {
      if (const auto* const text = std::get_if<std::string>(&part)) {
        out_.Append(*text);
      } else {
        MILLRACE_RETURN_IF_ERROR(AppendPart(std::get<TensorView>(part), non_finite_, out_));
      }
    }
    return {};
  }

  napi_value Result(napi_env env) override {
    auto text = std::make_unique<JsonBuffer>(std::move(out_));
    const std::string_view view = text->view();
    return ToBuffer(env, std::move(text), view.data(), view.size());
  }

 private:
  const NonFinite non_finite_;
  std::vector<std::variant<std::string, TensorView>> parts_;
  JsonBuffer out_;
};

}  // namespace

napi_value JS_cutStrings(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string_view chars = arguments.Chars(0);
  const auto bytes = arguments.Bytes(1);
  const std::span ends(reinterpret_cast<const double*>(bytes.data()), bytes.size() / sizeof(double));
  const size_t last = std::min(arguments.Size(3), ends.size());
  napi_value array = nullptr;
  napi_create_array(env, &array);
  for (size_t i = arguments.Size(2), first = i; i < last; ++i) {
    const auto begin = static_cast<size_t>(i == 0 ? 0 : ends[i - 1]);
    SetString(env, array, i - first, chars.substr(begin, static_cast<size_t>(ends[i]) - begin));
  }
  return array;
}

napi_value JS_parseRequestAsync(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    auto task = std::make_unique<ParseTask>(env, ParseArguments(arguments),
                                            arguments.Size(ParseArguments::kCount));
    task->Keep(arguments[0]);
    return AsyncTask::Start(env, std::move(task));
  });
}

napi_value JS_encodeAsync(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    auto task = std::make_unique<EncodeTask>(env, arguments.Policy(0));
    if (Status status = task->ReadParts(arguments); !status.ok()) return Refuse(env, status);
    return AsyncTask::Start(env, std::move(task));
  });
}

}  // namespace millrace

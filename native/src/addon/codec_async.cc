#include "addon/codec_async.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "addon/byte_budget.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "codec/json_buffer.h"
#include "codec/tensor_writer.h"

namespace millrace {
namespace {

// An ArrayBuffer over memory that `owner` holds, or a copy of it where the runtime allows no memory but
// its own.
template <typename Owner>
napi_value ToBuffer(napi_env env, std::unique_ptr<Owner> owner, const void* data, size_t size) {
  napi_value buffer = nullptr;
  const auto finalize = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
  if (size != 0 && napi_create_external_arraybuffer(env, const_cast<void*>(data), size, finalize,
                                                    owner.get(), &buffer) == napi_ok) {
    (void)owner.release();
    return buffer;
  }
  return CopyToBuffer(env, data, size);
}

// Bytes that are not cleared before they are written.
struct Block {
  explicit Block(size_t size) : bytes(std::make_unique_for_overwrite<std::byte[]>(size)) {}
  std::unique_ptr<std::byte[]> bytes;
};

// Work whose outcome settles a promise.
class AsyncTask {
 public:
  virtual ~AsyncTask() = default;

  // On a thread of the pool.
  virtual Status Run() = 0;
  // On the JavaScript thread, after Run succeeded. Null if an exception is pending.
  virtual napi_value Result(napi_env env) = 0;

  // Keeps a value alive, and with it the memory that Run reads.
  void Keep(napi_env env, napi_value value) {
    napi_ref reference = nullptr;
    if (napi_create_reference(env, value, 1, &reference) == napi_ok) kept_.push_back(reference);
  }

  // Starts the task, which ends when the promise settles.
  static napi_value Start(napi_env env, std::unique_ptr<AsyncTask> task) {
    napi_value promise = nullptr;
    napi_value name = ToText(env, "millrace codec");
    napi_create_promise(env, &task->deferred_, &promise);
    AsyncTask* const raw = task.release();
    napi_create_async_work(env, nullptr, name, Execute, Complete, raw, &raw->work_);
    napi_queue_async_work(env, raw->work_);
    return promise;
  }

 private:
  static void Execute(napi_env, void* data) {
    auto& task = *static_cast<AsyncTask*>(data);
    try {
      task.status_ = task.Run();
    } catch (const std::bad_alloc&) {
      task.status_ = Status::Of(Code::kResourceExhausted, "Out of memory: send less at a time");
    }
  }

  static void Complete(napi_env env, napi_status, void* data) {
    const std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
    const napi_value result = Guard(env, [&]() -> napi_value {
      return task->status_.ok() ? task->Result(env) : Refuse(env, task->status_);
    });
    if (result != nullptr) {
      napi_resolve_deferred(env, task->deferred_, result);
    } else {
      napi_value error = nullptr;
      napi_get_and_clear_last_exception(env, &error);
      napi_reject_deferred(env, task->deferred_, error);
    }
    for (const napi_ref reference : task->kept_) napi_delete_reference(env, reference);
    napi_delete_async_work(env, task->work_);
  }

  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
  std::vector<napi_ref> kept_;
  Status status_;
};

// Elements in memory that the budget counts, until they become JavaScript's.
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
    elements.numbers = std::make_unique<Block>(elements.size);
    return elements.numbers->bytes.get();
  }

  bool Strings(size_t input, size_t count) override {
    Elements& elements = At(input);
    elements.strings.emplace();
    elements.strings->ends.reserve(count);
    return Take(count * kStringBytes);
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

  // Whether the budget refused, and whether it would if nothing else was in it.
  bool refused() const noexcept { return wanted_ != 0; }
  bool hopeless() const noexcept { return wanted_ > limit_; }

  // An ArrayBuffer, or of strings [their UTF-8, where in it each ends].
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

  // Leaves what was taken to the caller.
  size_t Release() noexcept { return std::exchange(taken_, 0); }

 private:
  // What a short string of JavaScript takes, beside its characters.
  static constexpr size_t kStringBytes = 48;

  struct Text {
    std::string chars;
    std::vector<double> ends;
  };
  struct Elements {
    std::unique_ptr<Block> numbers;
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
  ParseTask(std::string_view body, std::optional<size_t> header_length, NonFinite non_finite,
            const InferLimits& limits, size_t budget) noexcept
      : body_(body),
        header_length_(header_length),
        non_finite_(non_finite),
        limits_(limits),
        sink_(budget) {}

  Status Run() override {
    Status status =
        ParseInferRequest(body_, header_length_, non_finite_, limits_, sink_, request_);
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
  const std::string_view body_;
  const std::optional<size_t> header_length_;
  const NonFinite non_finite_;
  const InferLimits limits_;
  BudgetSink sink_;
  InferRequest request_;
};

class EncodeTask final : public AsyncTask {
 public:
  explicit EncodeTask(NonFinite policy) noexcept : policy_(policy) {}

  Status Add(napi_env env, napi_value text) {
    size_t length = 0;
    if (napi_get_value_string_utf8(env, text, nullptr, 0, &length) != napi_ok) {
      return {Code::kInvalidArgument, "A part to encode is neither a string nor a type and its data"};
    }
    std::string chars(length, '\0');
    napi_get_value_string_utf8(env, text, chars.data(), length + 1, &length);
    parts_.emplace_back(std::move(chars));
    return {};
  }

  void Add(ElementType type, std::span<std::byte> bytes) {
    TensorView tensor;
    tensor.type = type;
    tensor.data = bytes.data();
    tensor.bytes = bytes.size();
    parts_.emplace_back(std::move(tensor));
  }

  Status Run() override {
    for (const auto& part : parts_) {
      const auto* const tensor = std::get_if<TensorView>(&part);
      if (tensor == nullptr) {
        out_.Append(std::get<std::string>(part));
      } else if (tensor->type == ElementType::kUndefined) {
        out_.Append({reinterpret_cast<const char*>(tensor->data), tensor->bytes});
      } else {
        MILLRACE_RETURN_IF_ERROR(AppendTensor(*tensor, policy_, out_));
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
  const NonFinite policy_;
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
    std::optional<size_t> length;
    if (arguments.Number(1) != -1) length = arguments.Size(1);
    InferLimits limits;
    limits.max_bytes = arguments.Size(3);
    limits.max_tensors = arguments.Size(4);
    limits.max_strings = arguments.Size(5);
    auto task = std::make_unique<ParseTask>(arguments.Chars(0), length, arguments.Policy(2), limits,
                                            arguments.Size(6));
    task->Keep(env, arguments[0]);
    return AsyncTask::Start(env, std::move(task));
  });
}

napi_value JS_encodeAsync(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    auto task = std::make_unique<EncodeTask>(arguments.Policy(0));
    for (size_t i = 1; i < arguments.count(); ++i) {
      double type = 0;
      if (napi_get_value_double(env, arguments[i], &type) != napi_ok) {
        if (Status status = task->Add(env, arguments[i]); !status.ok()) return Refuse(env, status);
      } else if (++i < arguments.count()) {
        task->Add(static_cast<ElementType>(type), arguments.Bytes(i));
        task->Keep(env, arguments[i]);
      }
    }
    return AsyncTask::Start(env, std::move(task));
  });
}

}  // namespace millrace

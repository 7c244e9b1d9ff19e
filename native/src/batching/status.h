// The outcome of an operation, which all native layers use.
#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace millrace {

// The codes of errors, named as in gRPC. native/errors.ts lists them in the same order.
enum class Code : uint8_t {
  kOk,
  kInvalidArgument,
  kNotFound,
  kDeadlineExceeded,
  kCancelled,
  kFailedPrecondition,
  kResourceExhausted,
  kUnimplemented,
  kUnavailable,
  kInternal,
};

// A code and, unless it is kOk, a sentence for people.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  // Makes a status without throwing. The message is empty if there is no memory for it.
  static Status Of(Code code, const char* message) noexcept {
    Status status;
    status.code_ = code;
    try {
      status.message_ = message;
    } catch (const std::bad_alloc&) {
      status.message_.clear();
    }
    return status;
  }
  static Status CopyOf(const Status& other) noexcept { return Of(other.code_, other.message_.c_str()); }

  bool ok() const noexcept { return code_ == Code::kOk; }
  Code code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// Returns the outcome of a run that threw; to be called while the exception is handled. A worker and a device must go on
// after any exception of an executor or of a hostile size.
inline Status Caught() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Status::Of(Code::kResourceExhausted, "Out of memory: send fewer or smaller rows");
  } catch (const std::length_error&) {
    return Status::Of(Code::kInternal, "The run failed: a size is larger than memory can be");
  } catch (...) {
    // The message is not used, because it may contain anything and would be sent to the client.
    return Status::Of(Code::kInternal, "The run failed with an exception");
  }
}

#define MILLRACE_RETURN_IF_ERROR(expression)                      \
  do {                                                            \
    if (::millrace::Status status_ = (expression); !status_.ok()) \
      return status_;                                             \
  } while (false)

}  // namespace millrace

// Writes tensors as JSON.
#pragma once

#include <string_view>

#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/json_buffer.h"
#include "codec/json_cursor.h"

namespace millrace {

// Appends the elements of `tensor`, in row-major order, as a flat array. Floats have the fewest digits that read back
// as the same value of their type; a 16-bit float is written as the float32 of the same value. Integers have all their
// digits. Bools are true and false. Strings may be packed in `data`, as packed_strings.h describes.
//
// Returns kFailedPrecondition for NaN or an infinity with NonFinite::kError, and kInvalidArgument for a packed string
// that is not UTF-8. In both cases `out` is unchanged.
Status AppendTensor(const TensorView& tensor, NonFinite non_finite, JsonBuffer& out);

// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is always valid.
void AppendString(std::string_view text, JsonBuffer& out);

}  // namespace millrace

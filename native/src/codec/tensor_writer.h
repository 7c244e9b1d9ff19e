// Tensors as JSON.
#pragma once

#include <string_view>

#include "batching/status.h"
#include "batching/tensor.h"
#include "codec/json_buffer.h"
#include "codec/json_cursor.h"

namespace millrace {

// Appends the elements of `tensor`, in row-major order, as one flat array. Floats get the fewest
// digits that read back as the same value of their type, 16-bit floats those of the float32 they
// are; integers of any size are written in full; bools are true and false.
//
// kFailedPrecondition, with `out` as it was, for a NaN or an infinity under NonFinite::kError. Strings
// may be in `data`, packed as in packed_strings.h: then kInvalidArgument for one that is not UTF-8.
Status AppendTensor(const TensorView& tensor, NonFinite non_finite, JsonBuffer& out);

// Appends `text` in double quotes, escaped where JSON wants it. Bytes that are not UTF-8 become
// U+FFFD, so that the result is always valid.
void AppendString(std::string_view text, JsonBuffer& out);

}  // namespace millrace

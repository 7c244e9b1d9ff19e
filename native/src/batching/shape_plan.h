// The declared axes of a model, and how requests are padded along them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "batching/request.h"
#include "batching/scalar.h"
#include "batching/status.h"
#include "batching/tensor.h"

namespace millrace {

// The declaration of a length that changes from request to request, such as that of a text.
struct AxisSpec {
  // The name of its dimensions in the model's file, or the place of one as `tensor:dimension` (`x:1`).
  std::string name;
  // The lengths that are run, ascending, each once.
  std::vector<int64_t> lengths;
  // Other dimensions of this length, as `tensor:dimension`.
  std::vector<std::string> dimensions;
  // The value that an input is padded with: its own in `pads`, otherwise `pad`, otherwise zero.
  std::map<std::string, Scalar> pads;
  std::optional<Scalar> pad;
  // The name of the input that is 1 for elements of the request and 0 for padding, or empty.
  std::string mask;
};

// Groups requests by the lengths that they are padded to. A bucket is a combination of lengths, one for each axis.
// Bucket 0 has the smallest lengths, and is the only one if no axis is declared.
//
// WHY .github/decisions/0006-lengths-are-padded-in-the-gather.md
//
// THREADS It does not change once the model serves, and any thread may then use it.
class ShapePlan {
 public:
  static constexpr size_t kMaxAxes = 4;
  static constexpr size_t kMaxBuckets = 256;
  // The most elements of a padded input, so that padding cannot make a huge request of a small one.
  static constexpr int64_t kMaxElements = int64_t{1} << 31;

  // Returns `plan`, or an empty plan if it is null.
  static const ShapePlan& OrNone(const ShapePlan* plan) noexcept;

  // Makes a plan. Returns kInvalidArgument, with what to change, if a declaration does not fit the signature.
  static Status Make(const Signature& signature, std::span<const AxisSpec> specs, ShapePlan& plan);

  // The batch sizes that are run, ascending. Batches between them are padded. If empty, any size is run.
  std::vector<int64_t> row_sizes;
  // The numbers of rows of which several requests may share a batch, ascending. If empty, they may share any.
  std::vector<int64_t> shared_rows;
  // The most elements of a batch's largest input, including padding.
  int64_t max_elements = INT64_MAX;
  // Whether requests are padded. Otherwise they run in their own lengths, and share batches only with requests of equal
  // lengths; buckets are then only limits, and keys of costs.
  bool pads = true;

  const std::vector<AxisSpec>& axes() const noexcept { return axes_; }
  size_t buckets() const noexcept { return buckets_; }
  // Returns the length of each axis in a bucket.
  std::vector<int64_t> Lengths(size_t bucket) const;
  // Returns the bucket with these lengths by axis, or nothing if there is none.
  std::optional<size_t> Find(const std::map<std::string, int64_t>& lengths) const;
  // Returns the smallest bucket that holds the requests of both.
  size_t Join(size_t a, size_t b) const noexcept;

  // Returns the axis that a dimension follows, or kNone.
  static constexpr int kNone = -1;
  int InputAxis(size_t input, size_t dimension) const noexcept;
  int OutputAxis(size_t output, size_t dimension) const noexcept;
  // Returns the name of an axis along dimension 0 of an input or output, which then cannot count rows, or "".
  std::string AxisOfRows() const;

  // Returns whether an input is the mask of an axis, which requests may leave out.
  bool IsMask(size_t input) const noexcept;
  // Returns the shape of a mask that the request has left out.
  Shape MaskShape(const TensorSpec& spec, size_t input, const Request& request) const noexcept;

  // Sets the request's bucket. Returns kInvalidArgument if it is too long for all buckets, or its inputs differ in the
  // length of an axis.
  Status Place(const Signature& signature, Request& request) const;
  // Returns the request's own length along an axis.
  int64_t OwnLength(const Request& request, size_t axis) const noexcept;

  // Returns whether an input may be padded.
  bool Pads(size_t input) const noexcept { return pads && !axes_.empty() && inputs_[input].padded; }
  // Returns the shape that an input of shape `own` has in a run of `bucket`.
  Shape InputShape(size_t input, const Shape& own, size_t bucket) const noexcept;
  const Element& pad(size_t input) const noexcept;

  // Returns how many rows are run for this many rows of requests.
  int64_t RunRows(int64_t rows) const noexcept;
  // Returns the batch sizes up to `max_rows` that a device prepares: those of `row_sizes` or, if there is none, the powers
  // of two and `max_rows`. Of the latter, those that requests may not share are left out, except for 1.
  std::vector<int64_t> PreparedRows(int64_t max_rows) const;
  // Returns whether several requests may share a batch of this many rows.
  bool MayShare(int64_t rows) const noexcept;
  // Returns the most rows, up to `rows`, that several requests may share.
  int64_t MostShared(int64_t rows) const noexcept;
  // Returns the most rows of a batch, from 1 to `max_rows`, if a row of its largest input has `per_row` elements.
  int64_t RowLimit(int64_t per_row, int64_t max_rows) const noexcept;

  // Returns kInternal if an output of a run in `bucket` does not have the length of its axis.
  Status CheckOutputs(const std::vector<TensorView>& outputs, const Request& request,
                      size_t bucket) const;
  // Sets `own_shapes` if outputs have to be cut. `batched` means that dimension 0 counts rows.
  void SetOwnShapes(const std::vector<TensorView>& outputs, bool batched, Request& request) const;

  // Returns a shape for each input of made-up rows: axes have these lengths, and other dynamic dimensions the size
  // `other`.
  std::vector<Shape> SampleShapes(const Signature& signature, std::span<const int64_t> lengths,
                                  int64_t other) const;

 private:
  // The axis that each dimension of a tensor follows.
  using Follows = std::vector<int>;
  struct InputPlan {
    Follows follows;
    Element pad;
    bool padded = false;  // whether any dimension follows an axis
    bool mask = false;
  };
  // The dimension from which the length of an axis is read.
  struct Source {
    size_t input = 0;
    size_t dimension = 0;
  };
  class Maker;

  size_t Step(size_t axis) const noexcept;
  int64_t Length(size_t bucket, size_t axis) const noexcept;

  std::vector<AxisSpec> axes_;
  std::vector<Source> sources_;
  std::vector<InputPlan> inputs_;
  std::vector<Follows> outputs_;
  bool cuts_ = false;  // whether any dimension of an output follows an axis
  size_t buckets_ = 1;
};

}  // namespace millrace

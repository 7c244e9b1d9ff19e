// The closed set of shapes that a model is run in, and how requests get into them.
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

// What is declared of one length that changes from request to request, such as that of a text.
struct AxisSpec {
  // The symbol that its dimensions have in the model file, or one of them as `tensor:dimension` (`x:1`).
  std::string name;
  // Lengths that are run, ascending, each once.
  std::vector<int64_t> lengths;
  // More dimensions of this length, as `tensor:dimension`.
  std::vector<std::string> dimensions;
  // What inputs are padded with: those named in `pads`, then all by `pad`, then with zeros.
  std::map<std::string, Scalar> pads;
  std::optional<Scalar> pad;
  // The input that is 1 where the request is and 0 where it is padded; empty: none.
  std::string mask;
};

// GROUPS requests by the lengths that they are padded to. A bucket is one combination of lengths, one
// for each axis; bucket 0 has the least of each, and is the only one where nothing is declared.
//
// WHY: .github/decisions/0006-lengths-are-padded-in-the-gather.md
//
// THREADS Immutable once a model serves.
class ShapePlan {
 public:
  static constexpr size_t kMaxAxes = 4;
  static constexpr size_t kMaxBuckets = 256;
  // Most elements of one padded input: a declaration must not turn a small request into a huge one.
  static constexpr int64_t kMaxElements = int64_t{1} << 31;

  // `plan`, or one without any declaration where there is none.
  static const ShapePlan& OrNone(const ShapePlan* plan) noexcept;

  // kInvalidArgument: a declaration that does not fit the signature, and what to write instead.
  static Status Make(const Signature& signature, std::span<const AxisSpec> specs, ShapePlan& plan);

  // Batch sizes that are run, ascending; batches between them are padded. Empty: any size.
  std::vector<int64_t> row_sizes;
  // Numbers of rows that several requests may share a run of, ascending. Empty: any number.
  std::vector<int64_t> shared_rows;
  // Most elements of a batch's largest input, padding included.
  int64_t max_elements = INT64_MAX;
  // False: requests run in their own lengths and share runs only with equal ones; buckets are left as
  // limits, and for costs.
  bool pads = true;

  const std::vector<AxisSpec>& axes() const noexcept { return axes_; }
  size_t buckets() const noexcept { return buckets_; }
  // The length of each axis in a bucket.
  std::vector<int64_t> Lengths(size_t bucket) const;
  // The bucket of these lengths, each by its axis's name; empty if there is none.
  std::optional<size_t> Find(const std::map<std::string, int64_t>& lengths) const;
  // The least bucket that takes what either takes.
  size_t Join(size_t a, size_t b) const noexcept;

  // The axis that a dimension follows, or kNone.
  static constexpr int kNone = -1;
  int InputAxis(size_t input, size_t dimension) const noexcept;
  int OutputAxis(size_t output, size_t dimension) const noexcept;
  // The name of an axis along dimension 0 of an input or output, which then cannot count rows, or "".
  std::string AxisOfRows() const;

  // Inputs that requests may leave out, since they tell padding from the rest and nothing else.
  bool IsMask(size_t input) const noexcept;
  // The shape of a mask that the request has left out.
  Shape MaskShape(const TensorSpec& spec, size_t input, const Request& request) const noexcept;

  // Sets the request's bucket. kInvalidArgument: it is too long for all of them, or its inputs differ
  // in a length that should be one.
  Status Place(const Signature& signature, Request& request) const;
  // The request's own length along an axis.
  int64_t OwnLength(const Request& request, size_t axis) const noexcept;

  // Whether an input is padded at all.
  bool Pads(size_t input) const noexcept { return pads && !axes_.empty() && inputs_[input].padded; }
  // Shape of an input of shape `own` in a run of `bucket`.
  Shape InputShape(size_t input, const Shape& own, size_t bucket) const noexcept;
  const Element& pad(size_t input) const noexcept;

  // Rows that are run for that many rows.
  int64_t RunRows(int64_t rows) const noexcept;
  // Whether several requests may share a run of that many rows.
  bool MayShare(int64_t rows) const noexcept;
  // Most rows of a run, from 1 to `max_rows`, whose largest input has `per_row` elements in a row.
  int64_t RowLimit(int64_t per_row, int64_t max_rows) const noexcept;

  // kInternal if an output of a run of this request's does not have the length of its axis.
  Status CheckOutputs(const std::vector<TensorView>& outputs, const Request& request,
                      size_t bucket) const;
  // Sets `own_shapes`, where there is something to cut. `batched`: dimension 0 counts rows.
  void SetOwnShapes(const std::vector<TensorView>& outputs, bool batched, Request& request) const;

  // A shape for each input to make up rows in: axes have the lengths given, the rest is `other`.
  std::vector<Shape> SampleShapes(const Signature& signature, std::span<const int64_t> lengths,
                                  int64_t other) const;

 private:
  // For each dimension of a tensor the axis it follows.
  using Follows = std::vector<int>;
  struct InputPlan {
    Follows follows;
    Element pad;
    bool padded = false;  // whether any dimension follows an axis
    bool mask = false;
  };
  // Where a request's length along an axis is read.
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

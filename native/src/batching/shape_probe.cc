#include "batching/shape_probe.h"

#include <array>
#include <vector>

#include "batching/outputs_equal.h"
#include "batching/batch.h"
#include "batching/padding.h"
#include "batching/samples.h"

namespace millrace {
namespace {

// A made-up row: its outputs alone, and the request that is padded.
struct Sample {
  std::vector<int64_t> lengths;
  Samples inputs;
  OutputRef alone;
  Request request;
};

class PaddingProbe {
 public:
  PaddingProbe(const Signature& signature, Executor& executor, const Clock& clock, bool batched,
               ShapePlan& plan)
      : signature_(signature),
        clock_(clock),
        batched_(batched),
        plan_(plan),
        executor_(executor),
        handle_(executor.NewHandle()) {}

  Status Check(std::string& reason) {
    bool shorter = false;
    for (const AxisSpec& axis : plan_.axes()) {
      const bool one = axis.lengths.front() == 1 && axis.lengths.size() > 1;
      const int64_t length = one ? axis.lengths[1] : axis.lengths.front();
      whole_.lengths.push_back(length);
      below_.lengths.push_back((length + 1) / 2);
      shorter = shorter || length > 1;
    }
    above_.lengths = below_.lengths;
    // No request is padded to a length of 1.
    if (!shorter) return {};
    if (!RunAlone(below_, -1) || !RunAlone(above_, 1) || !RunAlone(whole_, 0)) {
      reason = "The load-time probe could not run the model on made-up rows: padding is as declared";
      return {};
    }
    MILLRACE_RETURN_IF_ERROR(CheckLengths(below_, whole_));
    reason = ComparePadded();
    if (!reason.empty()) plan_.pads = false;
    return {};
  }

 private:
  bool RunAlone(Sample& sample, int sign) {
    if (!Samples::Make(signature_, 1, plan_, sample.lengths, sample.inputs).ok()) return false;
    if (sign != 0) sample.inputs.SetSign(sign < 0);
    return executor_.Run(sample.inputs.Rows(0, 1), *handle_, sample.alone).ok();
  }

  // Checks that the outputs change with the axes as declared.
  Status CheckLengths(const Sample& part, const Sample& whole) const {
    for (size_t output = 0; output < signature_.outputs.size(); ++output) {
      const std::string& name = signature_.outputs[output].name;
      const Shape& small = part.alone->tensors[output].shape;
      const Shape& large = whole.alone->tensors[output].shape;
      if (small.rank != large.rank) {
        return {Code::kInvalidArgument, "Output '" + name + "' changes its rank with the declared axes"};
      }
      for (size_t dimension = batched_ ? 1 : 0; dimension < small.rank; ++dimension) {
        const bool known = dimension < signature_.outputs[output].dims.size();
        const int axis = known ? plan_.OutputAxis(output, dimension) : ShapePlan::kNone;
        const std::string place = name + ':' + std::to_string(dimension);
        if (axis == ShapePlan::kNone) {
          if (small.dims[dimension] == large.dims[dimension]) continue;
          return {Code::kInvalidArgument,
                  "Output dimension '" + place + "' changes with the declared axes, but has no name of "
                  "theirs: add '" + place + "' to `dimensions` of the axis whose length it has"};
        }
        const auto index = static_cast<size_t>(axis);
        if (small.dims[dimension] == part.lengths[index] &&
            large.dims[dimension] == whole.lengths[index]) {
          continue;
        }
        return {Code::kInvalidArgument,
                "Output dimension '" + place + "' is declared to have the length of '" +
                    plan_.axes()[index].name + "', but has " + std::to_string(large.dims[dimension]) +
                    " where that is " + std::to_string(whole.lengths[index]) +
                    ": leave that axis out"};
      }
    }
    return {};
  }

  void SetRequest(Sample& sample) const {
    const std::vector<TensorView> views = sample.inputs.Rows(0, 1);
    sample.request.inputs.resize(views.size());
    for (size_t i = 0; i < views.size(); ++i) {
      Input& input = sample.request.inputs[i];
      input.view = views[i];
      const auto elements = static_cast<size_t>(views[i].shape.Elements().value_or(0));
      if (views[i].strings != nullptr) {
        input.strings.assign(views[i].strings, views[i].strings + elements);
      }
    }
  }

  // Returns why requests cannot be padded, or an empty string if they can.
  std::string ComparePadded() {
    std::string axes;
    for (const AxisSpec& axis : plan_.axes()) axes += (axes.empty() ? "'" : ", '") + axis.name + "'";
    const std::string because = " where " + axes + " is padded, so that only requests of equal "
                                "lengths are batched: declare another pad value or a mask";
    std::array<Sample*, 3> samples = {&below_, &above_, &whole_};
    for (Sample* sample : samples) SetRequest(*sample);
    if (!plan_.Place(signature_, whole_.request).ok()) return {};
    std::vector<Request*> batch;
    Staging staging;
    const RunContext context{executor_, *handle_, staging, clock_, batched_, &plan_};
    for (Sample* sample : samples) {
      sample->request.bucket = whole_.request.bucket;
      batch.push_back(&sample->request);
      if (batched_ && sample != samples.back()) continue;
      RunBatch(batch, context);
      batch.clear();
    }
    for (const Sample* sample : samples) {
      if (!sample->request.status.ok()) return "A run fails" + because;
      for (size_t output = 0; output < signature_.outputs.size(); ++output) {
        if (Same(*sample, output)) continue;
        return "Output '" + signature_.outputs[output].name + "' differs" + because;
      }
    }
    return {};
  }

  static bool Same(const Sample& sample, size_t output) {
    const TensorView& alone = sample.alone->tensors[output];
    const Slice slice = OwnSlice(sample.request, output);
    if (slice.view.shape != alone.shape) return false;
    TensorView own = slice.view;
    if (own.type != ElementType::kString) {
      std::vector<std::byte> bytes(own.bytes);
      CopyOut(slice, bytes.data());
      own.data = bytes.data();
      return OutputsEqual(own, alone);
    }
    std::vector<std::string> strings;
    ForEachRun(own.shape, *slice.outer, [&](size_t, size_t from, size_t count) {
      strings.insert(strings.end(), own.strings + from, own.strings + from + count);
    });
    own.strings = strings.data();
    return OutputsEqual(own, alone);
  }

  const Signature& signature_;
  const Clock& clock_;
  const bool batched_;
  ShapePlan& plan_;
  Executor& executor_;
  const std::unique_ptr<RunHandle> handle_;
  // Two rows are padded, one of negative and one of positive numbers, because a maximum or a minimum differs from the
  // padding for one of them. The third row is not padded.
  Sample below_;
  Sample above_;
  Sample whole_;
};

}  // namespace

Status ProbePadding(const Signature& signature, Executor& executor, const Clock& clock, bool batched,
                    ShapePlan& plan, std::string& reason) {
  reason.clear();
  if (plan.axes().empty()) return {};
  return PaddingProbe(signature, executor, clock, batched, plan).Check(reason);
}

}  // namespace millrace

#include "batching/probe.h"

#include "batching/agree.h"
#include "batching/samples.h"

namespace millrace {
namespace {

// Whether row `row` of `pair` equals the only row of `alone`.
bool SameRow(const TensorView& pair, size_t row, const TensorView& alone) {
  if (pair.shape.rank != alone.shape.rank || alone.shape.dims[0] != 1) return false;
  if (pair.shape.Elements(1) != alone.shape.Elements(1)) return false;
  const auto elements = static_cast<size_t>(alone.shape.Elements(1).value_or(0));
  TensorView ours = alone;
  if (alone.type == ElementType::kString) {
    ours.strings = pair.strings + row * elements;
  } else {
    ours.data = pair.data + row * elements * ElementSize(alone.type);
  }
  return Agree(ours, alone);
}

std::string StaticDimension(const std::vector<TensorSpec>& specs, const char* kind) {
  for (const TensorSpec& spec : specs) {
    if (!spec.dims.empty() && spec.dims[0] == -1) continue;
    return std::string("Dimension 0 of ") + kind + " '" + spec.name + "' is not dynamic";
  }
  return {};
}

}  // namespace

Batchability ProbeBatching(const Signature& signature, Executor& executor,
                           const ShapePlan* shapes) {
  if (signature.inputs.empty()) return {false, "The model has no inputs"};
  const ShapePlan& plan = ShapePlan::OrNone(shapes);
  if (const std::string axis = plan.AxisOfRows(); !axis.empty()) {
    return {false, "Axis '" + axis + "' is along dimension 0, which then cannot count rows"};
  }
  std::string fixed = StaticDimension(signature.inputs, "input");
  if (fixed.empty()) fixed = StaticDimension(signature.outputs, "output");
  if (!fixed.empty()) return {false, fixed};

  Samples samples;
  const Status made = Samples::Make(signature, 2, plan, plan.Lengths(0), samples);
  if (!made.ok()) return {false, made.message()};
  const std::unique_ptr<RunHandle> handle = executor.NewHandle();
  OutputRef pair;
  OutputRef alone[2];
  Status status = executor.Run(samples.Rows(0, 2), *handle, pair);
  for (size_t row = 0; status.ok() && row < 2; ++row) {
    status = executor.Run(samples.Rows(row, 1), *handle, alone[row]);
  }
  if (!status.ok()) {
    return {false, "The load-time probe could not run the model on made-up rows: declare maxRows to "
                   "batch anyway"};
  }
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const TensorView& together = pair->tensors[i];
    const bool same = together.shape.rank > 0 && together.shape.dims[0] == 2 &&
                      SameRow(together, 0, alone[0]->tensors[i]) &&
                      SameRow(together, 1, alone[1]->tensors[i]);
    if (!same) {
      return {false, "Output '" + signature.outputs[i].name +
                         "' of two rows together differs from their outputs alone"};
    }
  }
  return {true, ""};
}

}  // namespace millrace

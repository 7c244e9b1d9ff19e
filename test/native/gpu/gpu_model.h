// Models on a real GPU, beside the same models on the CPU. Shared by the tests and the benchmark.
#pragma once

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "batching/samples.h"
#include "batching/staged.h"
#include "ort/session.h"

namespace millrace::gpu {

// The library that ORT_LIBRARY names, or the one that npm has installed, which has no GPU.
inline Status OpenLibrary(const OrtLibrary*& library) {
  const char* const given = std::getenv("ORT_LIBRARY");
  return OpenOrtLibrary(given != nullptr ? given : MILLRACE_TEST_ORT, library);
}

// The model's batch sizes as device shapes: every input with these rows, its own dimensions and 4 for any
// other that is not fixed, as samples have it.
inline ShapeChooser RowShapes(std::vector<int64_t> sizes) {
  return [sizes = std::move(sizes)](const Signature& signature, Executor&, ShapeChoice& choice) {
    choice.batched = true;
    for (const int64_t rows : sizes) {
      Samples samples;
      MILLRACE_RETURN_IF_ERROR(Samples::Make(signature, static_cast<size_t>(rows), samples));
      DeviceShape shape{rows, {}};
      for (const TensorView& view : samples.Rows(0, static_cast<size_t>(rows))) {
        shape.inputs.push_back(view.shape);
      }
      choice.shapes.push_back(std::move(shape));
    }
    return Status();
  };
}

inline Status Load(const OrtLibrary& library, const std::string& path, const std::string& device,
                   const std::vector<int64_t>& shapes, std::unique_ptr<LoadedExecutor>& executor,
                   const KeyValues& device_options = {}) {
  SessionOptions options;
  options.path = path;
  options.device.device = device;
  options.device.options = device_options;
  options.choose = RowShapes(shapes);
  return LoadExecutor(library, options, executor);
}

// The largest difference between two sets of outputs, relative to the larger of 1 and the value; not
// a number where shapes or types differ.
inline double Difference(const OutputBlock& a, const OutputBlock& b) {
  if (a.tensors.size() != b.tensors.size()) return NAN;
  double worst = 0;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    const TensorView& x = a.tensors[i];
    const TensorView& y = b.tensors[i];
    if (x.type != y.type || !(x.shape == y.shape) || x.bytes != y.bytes) return NAN;
    if (x.type != ElementType::kFloat32) {
      if (!std::equal(x.data, x.data + x.bytes, y.data)) return NAN;
      continue;
    }
    const auto* const left = reinterpret_cast<const float*>(x.data);
    const auto* const right = reinterpret_cast<const float*>(y.data);
    for (size_t at = 0; at < x.bytes / sizeof(float); ++at) {
      const double apart = std::abs(double{left[at]} - double{right[at]});
      worst = std::max(worst, apart / std::max(1.0, std::abs(double{right[at]})));
      if (std::isnan(left[at]) != std::isnan(right[at])) return NAN;
    }
  }
  return worst;
}

}  // namespace millrace::gpu

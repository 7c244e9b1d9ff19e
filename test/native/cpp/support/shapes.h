// A text encoder's signature, and requests of any length to it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "batching/shape_plan.h"
#include "support/requests.h"

namespace millrace::test {

// ids int64 [N, L], mask float32 [N, L] -> hidden int64 [N, L, 2], sum int64 [N].
inline Signature TextSignature() {
  return {{{"ids", ElementType::kInt64, {-1, -1}, {"N", "L"}},
           {"mask", ElementType::kFloat32, {-1, -1}, {"N", "L"}}},
          {{"hidden", ElementType::kInt64, {-1, -1, 2}, {"N", "L", ""}},
           {"sum", ElementType::kInt64, {-1}, {"N"}}}};
}

inline AxisSpec LengthAxis(std::vector<int64_t> lengths) {
  AxisSpec axis;
  axis.name = "L";
  axis.lengths = std::move(lengths);
  axis.pads["ids"] = -1.0;
  axis.mask = "mask";
  return axis;
}

inline ShapePlan Planned(const Signature& signature, const std::vector<AxisSpec>& axes) {
  ShapePlan plan;
  const Status status = ShapePlan::Make(signature, axes, plan);
  EXPECT_TRUE(status.ok()) << status.message();
  return plan;
}

// Owns requests to the text encoder, all of whose ids are one number.
class Texts {
 public:
  explicit Texts(const ShapePlan& plan) : plan_(plan) {}

  Request* Make(int64_t id, int64_t length, int64_t rows = 1) {
    Request& request = requests_.emplace_back();
    const auto count = static_cast<size_t>(rows * length);
    SetInput(request, 0, ElementType::kInt64, MakeShape({rows, length}),
             std::vector<int64_t>(count, id));
    SetInput(request, 1, ElementType::kFloat32, MakeShape({rows, length}),
             std::vector<float>(count, 1));
    request.rows = rows;
    const Status status = plan_.Place(TextSignature(), request);
    EXPECT_TRUE(status.ok()) << status.message();
    return &request;
  }

 private:
  const ShapePlan& plan_;
  std::deque<Request> requests_;
};

}  // namespace millrace::test

#include "batching/probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/executors.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::OwnedOutputs;
using test::ValuesOf;

TensorSpec Spec(const char* name, ElementType type, std::vector<int64_t> dims) {
  return {name, type, std::move(dims), {}};
}

Signature OneToOne(ElementType type = ElementType::kFloat32) {
  return {{Spec("in", type, {-1, 3})}, {Spec("out", type, {-1, 3})}};
}

// Gives input 0 back, whatever its type.
Status Identity(std::span<const TensorView> inputs, OwnedOutputs& outputs) {
  const TensorView& view = inputs[0];
  if (view.type == ElementType::kString) {
    outputs.AddStrings(view.shape, {view.strings, view.strings + view.shape.Elements().value()});
  } else {
    outputs.Add(view.type, view.shape, ValuesOf<std::byte>(view));
  }
  return {};
}

// A model whose output float i depends on the input by `f(values, i)`.
template <class F>
FunctionExecutor Floats(F f) {
  return FunctionExecutor([f](std::span<const TensorView> inputs, OwnedOutputs& outputs) {
    const auto in = ValuesOf<float>(inputs[0]);
    std::vector<float> out(in.size());
    for (size_t i = 0; i < in.size(); ++i) out[i] = f(in, i);
    outputs.Add(ElementType::kFloat32, inputs[0].shape, out);
    return Status();
  });
}

Batchability Probe(const Signature& signature, Executor& executor, ProbeOptions options = {}) {
  const SteadyClock clock;
  return ProbeBatching(signature, executor, clock, options);
}

void ExpectReason(const Batchability& result, const char* part) {
  EXPECT_FALSE(result.batched);
  EXPECT_NE(result.reason.find(part), std::string::npos) << result.reason;
}

class ProbeTypes : public testing::TestWithParam<ElementType> {};

TEST_P(ProbeTypes, RowsWithEqualOutputsAloneAndTogetherAreBatched) {
  FunctionExecutor identity(Identity);
  const Batchability result = Probe(OneToOne(GetParam()), identity);
  EXPECT_TRUE(result.batched) << result.reason;
  EXPECT_EQ(result.reason, "");
  EXPECT_EQ(result.max_rows, 64);
}

INSTANTIATE_TEST_SUITE_P(
    All, ProbeTypes,
    testing::Values(ElementType::kFloat32, ElementType::kFloat64, ElementType::kFloat16,
                    ElementType::kBfloat16, ElementType::kInt8, ElementType::kInt16,
                    ElementType::kInt32, ElementType::kInt64, ElementType::kUint8,
                    ElementType::kUint16, ElementType::kUint32, ElementType::kUint64,
                    ElementType::kBool, ElementType::kString),
    [](const auto& entry) { return std::string(ElementName(entry.param)); });

TEST(Probe, TheRowsItMakesUpDiffer) {
  FunctionExecutor spy([](auto inputs, OwnedOutputs& outputs) {
    const auto values = ValuesOf<float>(inputs[0]);
    if (values.size() == 6) {
      EXPECT_NE(std::vector(values.begin(), values.begin() + 3),
                std::vector(values.begin() + 3, values.end()));
    }
    return Identity(inputs, outputs);
  });
  Probe(OneToOne(), spy);
}

TEST(Probe, AModelThatMixesRowsIsNotBatched) {
  auto sum = Floats([](const std::vector<float>& in, size_t) {
    float total = 0;
    for (const float value : in) total += value;
    return total;
  });
  ExpectReason(Probe(OneToOne(), sum), "Output 'out' of two rows together differs");
}

TEST(Probe, AModelWhoseOutputsDependOnTheNumberOfRowsIsNotBatched) {
  auto scaled = Floats([](const std::vector<float>& in, size_t i) {
    return in[i] * static_cast<float>(in.size());
  });
  EXPECT_FALSE(Probe(OneToOne(), scaled).batched);
}

TEST(Probe, OutputsMayDifferByRounding) {
  auto rounded = Floats([](const std::vector<float>& in, size_t i) {
    return in[i] * (1 + 5e-7f * static_cast<float>(in.size()));
  });
  EXPECT_TRUE(Probe(OneToOne(), rounded).batched);
}

TEST(Probe, NaNEqualsOnlyNaN) {
  auto nan = Floats([](const std::vector<float>&, size_t) { return std::nanf(""); });
  EXPECT_TRUE(Probe(OneToOne(), nan).batched);
  auto infinite = Floats([](const std::vector<float>&, size_t) { return HUGE_VALF; });
  EXPECT_TRUE(Probe(OneToOne(), infinite).batched);
  auto sometimes = Floats([](const std::vector<float>& in, size_t i) {
    return in.size() > 3 ? std::nanf("") : in[i];
  });
  EXPECT_FALSE(Probe(OneToOne(), sometimes).batched);
}

TEST(Probe, AStaticFirstDimensionIsNamed) {
  FunctionExecutor unused(Identity);
  Signature signature = OneToOne();
  signature.inputs[0].dims[0] = 1;
  ExpectReason(Probe(signature, unused), "Dimension 0 of input 'in' is not dynamic");
  signature = OneToOne();
  signature.inputs.push_back(Spec("scale", ElementType::kFloat32, {}));
  ExpectReason(Probe(signature, unused), "input 'scale'");
  EXPECT_EQ(unused.runs, 0u);
}

TEST(Probe, AStaticOutputIsBatchedIfRunsShowItsRows) {
  Signature signature = OneToOne();
  signature.outputs[0].dims[0] = 1;
  FunctionExecutor identity(Identity);
  EXPECT_TRUE(Probe(signature, identity).batched);
  FunctionExecutor one_row([](auto, OwnedOutputs& outputs) {
    outputs.Add(ElementType::kFloat32, test::MakeShape({1, 3}), std::vector<float>(3));
    return Status();
  });
  ExpectReason(Probe(signature, one_row), "Dimension 0 of output 'out' is not dynamic");
}

TEST(Probe, AModelWithoutInputsIsNotBatched) {
  FunctionExecutor unused(Identity);
  ExpectReason(Probe({{}, {Spec("out", ElementType::kFloat32, {-1})}}, unused),
               "no inputs");
}

TEST(Probe, AModelThatRefusesMadeUpRowsIsNotBatched) {
  FunctionExecutor refuses([](auto, OwnedOutputs&) { return Status(Code::kInternal, "No"); });
  ExpectReason(Probe(OneToOne(), refuses), "could not run the model on made-up rows");
}

TEST(Probe, AModelThatRefusesOneRowIsNotBatched) {
  FunctionExecutor pairs_only([](auto inputs, OwnedOutputs& outputs) {
    if (inputs[0].shape.dims[0] == 1) return Status(Code::kInternal, "No");
    return Identity(inputs, outputs);
  });
  EXPECT_FALSE(Probe(OneToOne(), pairs_only).batched);
}

TEST(Probe, OutputsWithoutARowForEachRowAreNotBatched) {
  const auto shaped = [](std::initializer_list<int64_t> dims) {
    return FunctionExecutor([shape = test::MakeShape(dims)](auto, OwnedOutputs& outputs) {
      outputs.Add(ElementType::kFloat32, shape,
                  std::vector<float>(static_cast<size_t>(shape.Elements().value())));
      return Status();
    });
  };
  for (FunctionExecutor model : {shaped({}), shaped({1, 3}), shaped({6}), shaped({0, 3})}) {
    EXPECT_FALSE(Probe(OneToOne(), model).batched);
  }
}

TEST(Probe, OtherDynamicDimensionsHaveTheSize4) {
  FunctionExecutor spy([](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].shape.rank, 3);
    EXPECT_EQ(inputs[0].shape.dims[1], 4);
    EXPECT_EQ(inputs[0].shape.dims[2], 2);
    return Identity(inputs, outputs);
  });
  const std::vector<int64_t> dims = {-1, -1, 2};
  EXPECT_TRUE(Probe({{Spec("in", ElementType::kFloat32, dims)},
                             {Spec("out", ElementType::kFloat32, dims)}},
                            spy)
                  .batched);
}

TEST(Probe, RowsWithoutElementsAreEqual) {
  const std::vector<int64_t> dims = {-1, 0};
  FunctionExecutor identity(Identity);
  EXPECT_TRUE(Probe({{Spec("in", ElementType::kFloat32, dims)},
                             {Spec("out", ElementType::kFloat32, dims)}},
                            identity)
                  .batched);
}

TEST(Probe, InputsTooLargeOrOverflowingAreNotMadeUp) {
  FunctionExecutor unused(Identity);
  for (const int64_t size : {int64_t{1} << 30, int64_t{1} << 62}) {
    ExpectReason(Probe({{Spec("in", ElementType::kFloat32, {-1, size, size})},
                                {Spec("out", ElementType::kFloat32, {-1})}},
                               unused),
                 "Input 'in' is too large to probe");
  }
  EXPECT_EQ(unused.runs, 0u);
}

TEST(Probe, EveryOutputIsCompared) {
  Signature signature = OneToOne();
  signature.outputs.push_back(Spec("index", ElementType::kInt64, {-1}));
  FunctionExecutor counts([](auto inputs, OwnedOutputs& outputs) {
    std::vector<int64_t> index(static_cast<size_t>(inputs[0].shape.dims[0]));
    for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i);
    const Status status = Identity(inputs, outputs);
    outputs.Add(ElementType::kInt64, test::MakeShape({inputs[0].shape.dims[0]}), index);
    return status;
  });
  ExpectReason(Probe(signature, counts), "Output 'index'");
}

}  // namespace
}  // namespace millrace

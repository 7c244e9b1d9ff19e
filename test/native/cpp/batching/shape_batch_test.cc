// Requests of different lengths in one run: RunBatch with a plan.
#include <gtest/gtest.h>

#include "batching/batch.h"
#include "batching/padding.h"
#include "support/clock.h"
#include "support/executors.h"
#include "support/shapes.h"

namespace millrace {
namespace {

using test::FunctionExecutor;
using test::LengthAxis;
using test::MakeShape;
using test::OwnedOutputs;
using test::Planned;
using test::TextSignature;
using test::ValuesOf;
using Numbers = std::vector<int64_t>;

// hidden = ids twice over, sum = sum over the ids that are not masked.
Status Encoder(std::span<const TensorView> inputs, OwnedOutputs& outputs) {
  const Shape& shape = inputs[0].shape;
  const Numbers ids = ValuesOf<int64_t>(inputs[0]);
  const auto mask = ValuesOf<float>(inputs[1]);
  Numbers hidden;
  Numbers sums(static_cast<size_t>(shape.dims[0]));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == 666) return {Code::kInternal, "The poisoned id"};
    hidden.insert(hidden.end(), 2, ids[i]);
    if (mask[i] != 0) sums[i / static_cast<size_t>(shape.dims[1])] += ids[i];
  }
  outputs.Add(ElementType::kInt64, MakeShape({shape.dims[0], shape.dims[1], 2}), hidden);
  outputs.Add(ElementType::kInt64, MakeShape({shape.dims[0]}), sums);
  return {};
}

class ShapeBatchTest : public testing::Test {
 protected:
  void Run(std::vector<Request*> batch) {
    RunBatch(batch, {executor, handle, staging, clock, true, &plan});
  }

  // What the request gets of an output.
  static Numbers NumbersOf(const Request& request, size_t output) {
    const Slice slice = OwnSlice(request, output);
    Numbers numbers(slice.view.bytes / sizeof(int64_t));
    CopyOut(slice, reinterpret_cast<std::byte*>(numbers.data()));
    return numbers;
  }

  static void ExpectOwn(const Request& request, int64_t id, int64_t length, int64_t rows = 1) {
    ASSERT_TRUE(request.status.ok()) << request.status.message();
    EXPECT_EQ(OwnSlice(request, 0).view.shape, MakeShape({rows, length, 2}));
    EXPECT_EQ(NumbersOf(request, 0), Numbers(static_cast<size_t>(rows * length * 2), id));
    EXPECT_EQ(OwnSlice(request, 1).view.shape, MakeShape({rows}));
    EXPECT_EQ(NumbersOf(request, 1), Numbers(static_cast<size_t>(rows), id * length));
  }

  ShapePlan plan = Planned(TextSignature(), {LengthAxis({4, 8})});
  test::Texts texts{plan};
  std::vector<Shape> runs;
  FunctionExecutor executor{[this](auto inputs, OwnedOutputs& outputs) {
    runs.push_back(inputs[0].shape);
    seen = ValuesOf<int64_t>(inputs[0]);
    mask = ValuesOf<float>(inputs[1]);
    return Encoder(inputs, outputs);
  }};
  Numbers seen;
  std::vector<float> mask;
  test::FakeHandle handle;
  Staging staging;
  test::FakeClock clock;
};

TEST_F(ShapeBatchTest, EachRequestIsPaddedAndItsOutputsAreCut) {
  Request* const a = texts.Make(1, 2);
  Request* const b = texts.Make(2, 4, 2);
  Request* const c = texts.Make(3, 0);
  Run({a, b, c});
  EXPECT_EQ(runs, std::vector{MakeShape({4, 4})});
  EXPECT_EQ(seen, (Numbers{1, 1, -1, -1, 2, 2, 2, 2, 2, 2, 2, 2, -1, -1, -1, -1}));
  EXPECT_EQ(mask, (std::vector<float>{1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}));
  ExpectOwn(*a, 1, 2);
  ExpectOwn(*b, 2, 4, 2);
  ExpectOwn(*c, 3, 0);
}

TEST_F(ShapeBatchTest, ALoneRequestIsPaddedToItsBucket) {
  Request* const request = texts.Make(7, 5);
  Run({request});
  EXPECT_EQ(runs, std::vector{MakeShape({1, 8})});
  ExpectOwn(*request, 7, 5);
}

TEST_F(ShapeBatchTest, ALoneRequestOfItsBucketsLengthIsNotCopied) {
  Request* const request = texts.Make(7, 4);
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].data, request->inputs[0].copy.get());
    return Encoder(inputs, outputs);
  });
  std::vector<Request*> batch = {request};
  RunBatch(batch, {spy, handle, staging, clock, true, &plan});
  ExpectOwn(*request, 7, 4);
}

TEST_F(ShapeBatchTest, ABatchIsPaddedToTheBucketOfItsLongestRequest) {
  Request* const small = texts.Make(1, 1);
  Request* const large = texts.Make(2, 7);
  Run({small, large});
  EXPECT_EQ(runs, std::vector{MakeShape({2, 8})});
  ExpectOwn(*small, 1, 1);
  ExpectOwn(*large, 2, 7);
}

TEST_F(ShapeBatchTest, HalvesOfAFailedBatchArePaddedToTheirOwnBuckets) {
  Request* const small = texts.Make(1, 1);
  Request* const bad = texts.Make(666, 7);
  Run({small, bad});
  EXPECT_EQ(runs, (std::vector{MakeShape({2, 8}), MakeShape({1, 4}), MakeShape({1, 8})}));
  ExpectOwn(*small, 1, 1);
  EXPECT_EQ(bad->status.code(), Code::kInternal);
}

TEST_F(ShapeBatchTest, MissingRowsRepeatTheLast) {
  plan.row_sizes = {2, 5};
  Request* const a = texts.Make(1, 3);
  Request* const b = texts.Make(2, 4, 2);
  Run({a, b});
  EXPECT_EQ(runs, std::vector{MakeShape({5, 4})});
  EXPECT_EQ(Numbers(seen.end() - 12, seen.end()), Numbers(12, 2));
  ExpectOwn(*a, 1, 3);
  ExpectOwn(*b, 2, 4, 2);
  EXPECT_EQ(b->batch_rows, 3) << "those that were asked for";
  Request* const lone = texts.Make(3, 4);
  Run({lone});
  EXPECT_EQ(runs.back(), MakeShape({2, 4}));
  ExpectOwn(*lone, 3, 4);
}

TEST_F(ShapeBatchTest, ABatchWithoutRowsIsFilledWithThePadValue) {
  plan.row_sizes = {2};
  Request* const request = texts.Make(1, 3, 0);
  Run({request});
  EXPECT_EQ(seen, Numbers(8, -1));
  EXPECT_EQ(mask, std::vector<float>(8, 0));
  ExpectOwn(*request, 1, 3, 0);
}

TEST_F(ShapeBatchTest, WithoutPaddingLengthsDoNotChange) {
  plan.pads = false;
  Request* const a = texts.Make(1, 3);
  Request* const b = texts.Make(2, 3);
  Run({a, b});
  EXPECT_EQ(runs, std::vector{MakeShape({2, 3})});
  ExpectOwn(*a, 1, 3);
  ExpectOwn(*b, 2, 3);
}

TEST_F(ShapeBatchTest, AnOutputOfAnotherLengthFailsTheRun) {
  FunctionExecutor shrinks([](auto inputs, OwnedOutputs& outputs) {
    const int64_t rows = inputs[0].shape.dims[0];
    outputs.Add(ElementType::kInt64, MakeShape({rows, 1, 2}),
                Numbers(static_cast<size_t>(rows * 2)));
    outputs.Add(ElementType::kInt64, MakeShape({rows}), Numbers(static_cast<size_t>(rows)));
    return Status();
  });
  std::vector<Request*> batch = {texts.Make(1, 3)};
  RunBatch(batch, {shrinks, handle, staging, clock, true, &plan});
  EXPECT_EQ(batch[0]->status.code(), Code::kInternal);
  EXPECT_EQ(batch[0]->status.message(),
            "Dimension 1 of output 0 is not the length of 'L', 4: take that axis out of the model's "
            "batching options");
}

TEST_F(ShapeBatchTest, RowsThatNeedTooMuchMemoryFailTheRequest) {
  plan.row_sizes = {int64_t{1} << 60};
  Request* const request = texts.Make(1, 3);
  Run({request});
  EXPECT_EQ(request->status.code(), Code::kResourceExhausted);
}

TEST_F(ShapeBatchTest, BorrowedInputsAreReleasedBeforeTheRun) {
  Request* const request = texts.Make(1, 3);
  const Numbers owned(3, 9);
  request->inputs[0].view.data = reinterpret_cast<const std::byte*>(owned.data());
  request->borrow.Reset(true);
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_TRUE(request->borrow.TryRevoke());
    return Encoder(inputs, outputs);
  });
  std::vector<Request*> batch = {request};
  RunBatch(batch, {spy, handle, staging, clock, true, &plan});
  ExpectOwn(*request, 9, 3);
}

// x string [N, 2, L] -> y the same.
TEST(ShapeBatch, StringsArePaddedAndCut) {
  const Signature signature = {{{"x", ElementType::kString, {-1, 2, -1}, {"N", "", "L"}}},
                               {{"y", ElementType::kString, {-1, 2, -1}, {"N", "", "L"}}}};
  AxisSpec axis;
  axis.name = "L";
  axis.lengths = {3};
  axis.pad = "-";
  ShapePlan plan = Planned(signature, {axis});
  plan.row_sizes = {3};
  std::deque<Request> requests(2);
  const auto fill = [&](Request& request, int64_t length, std::vector<std::string> texts) {
    Input& input = request.inputs.emplace_back();
    input.view.type = ElementType::kString;
    input.view.shape = MakeShape({1, 2, length});
    input.strings = std::move(texts);
    EXPECT_TRUE(plan.Place(signature, request).ok());
  };
  fill(requests[0], 1, {"a", "b"});
  fill(requests[1], 2, {"c", "d", "e", "f"});
  std::string seen;
  FunctionExecutor identity([&](auto inputs, OwnedOutputs& outputs) {
    std::vector<std::string> all(inputs[0].strings, inputs[0].strings + 18);
    for (const std::string& text : all) seen += text;
    outputs.AddStrings(inputs[0].shape, all);
    return Status();
  });
  test::FakeHandle handle;
  Staging staging;
  test::FakeClock clock;
  std::vector<Request*> batch = {&requests[0], &requests[1]};
  RunBatch(batch, {identity, handle, staging, clock, true, &plan});
  EXPECT_EQ(seen, "a--b--cd-ef-cd-ef-");
  const auto strings_of = [](const Request& request) {
    std::string joined;
    const Slice slice = OwnSlice(request, 0);
    ForEachRun(slice.view.shape, *slice.outer, [&](size_t, size_t from, size_t count) {
      for (size_t i = 0; i < count; ++i) joined += slice.view.strings[from + i];
    });
    return joined;
  };
  EXPECT_EQ(strings_of(requests[0]), "ab");
  EXPECT_EQ(strings_of(requests[1]), "cdef");
}

// A model whose dimension 0 is the length: one request a run, padded all the same.
TEST(ShapeBatch, WithoutRowsAnAxisMayBeAlongDimension0) {
  const Signature signature = {{{"x", ElementType::kFloat32, {-1, 1}, {"L", ""}}},
                               {{"y", ElementType::kFloat32, {-1, 1}, {"L", ""}}}};
  AxisSpec axis;
  axis.name = "L";
  axis.lengths = {4};
  const ShapePlan plan = Planned(signature, {axis});
  test::Requests requests;
  Request* const request = requests.Make(3, 2);
  request->rows = 1;
  ASSERT_TRUE(plan.Place(signature, *request).ok());
  FunctionExecutor spy([](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].shape, MakeShape({4, 1}));
    EXPECT_EQ(ValuesOf<float>(inputs[0]), (std::vector<float>{3, 3, 0, 0}));
    return test::Double(inputs, outputs);
  });
  test::FakeHandle handle;
  Staging staging;
  test::FakeClock clock;
  std::vector<Request*> batch = {request};
  RunBatch(batch, {spy, handle, staging, clock, false, &plan});
  const Slice slice = OwnSlice(*request, 0);
  EXPECT_EQ(slice.view.shape, MakeShape({2, 1}));
  std::vector<float> own(2);
  CopyOut(slice, reinterpret_cast<std::byte*>(own.data()));
  EXPECT_EQ(own, (std::vector<float>{6, 6}));
}

}  // namespace
}  // namespace millrace

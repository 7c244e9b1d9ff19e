#include "batching/batch.h"

#include <gtest/gtest.h>

#include <new>

#include "support/clock.h"
#include "support/executors.h"

// What a hostile size asks for must be refused as the plain allocator refuses it.
#define MILLRACE_EXPORT extern "C" __attribute__((visibility("default")))
MILLRACE_EXPORT const char* __asan_default_options() { return "allocator_may_return_null=1"; }
MILLRACE_EXPORT const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace millrace {
namespace {

using test::OutputOf;
using test::FunctionExecutor;
using test::OwnedOutputs;
using test::Requests;
using test::ValuesOf;
using Batch = std::vector<Request*>;

class BatchTest : public testing::Test {
 protected:
  void Run(Batch batch, Executor& with, bool batched = true) {
    RunBatch(batch, {with, handle, staging, clock, batched});
  }

  Requests requests;
  test::FakeHandle handle;
  Staging staging;
  test::FakeClock clock;
  FunctionExecutor doubles{test::Double};
};

TEST_F(BatchTest, GathersRowsInOrderAndReturnsEachRequestItsOwn) {
  const Batch batch = {requests.Make(1, 2, 3), requests.Make(2, 1, 3), requests.Make(3, 3, 3)};
  std::vector<float> seen;
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].shape, test::MakeShape({6, 3}));
    EXPECT_EQ(inputs[0].bytes, 18 * sizeof(float));
    seen = ValuesOf<float>(inputs[0]);
    return test::Double(inputs, outputs);
  });
  Run(batch, spy);
  EXPECT_EQ(seen, (std::vector<float>{1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3}));
  for (const Request* request : batch) {
    EXPECT_TRUE(request->status.ok());
    EXPECT_TRUE(request->shared);
    EXPECT_EQ(request->outputs, batch[0]->outputs);
    EXPECT_EQ(request->batch_rows, 6);
    EXPECT_EQ(request->batch_requests, 3u);
  }
  EXPECT_EQ(OutputOf(*batch[0], 0, 3), std::vector<float>(6, 2));
  EXPECT_EQ(OutputOf(*batch[1], 0, 3), std::vector<float>(3, 4));
  EXPECT_EQ(OutputOf(*batch[2], 0, 3), std::vector<float>(9, 6));
  EXPECT_EQ(spy.runs, 1u);
}

TEST_F(BatchTest, StagingMemoryIsAlignedAndReused) {
  const auto run = [&](int64_t rows) {
    const std::byte* data = nullptr;
    FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
      data = inputs[0].data;
      return test::Double(inputs, outputs);
    });
    Run({requests.Make(1, rows), requests.Make(2, rows)}, spy);
    return data;
  };
  const std::byte* const large = run(100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large) % 64, 0u);
  EXPECT_EQ(run(10), large);
}

TEST_F(BatchTest, ALoneRequestRunsOnItsOwnInputsWithoutACopy) {
  Request* const request = requests.Make(1, 2);
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(inputs[0].data, request->inputs[0].copy.get());
    return test::Double(inputs, outputs);
  });
  Run({request}, spy);
  EXPECT_FALSE(request->shared);
  EXPECT_EQ(OutputOf(*request), (std::vector<float>{2, 2}));
}

TEST_F(BatchTest, EachOfSeveralInputsIsGathered) {
  const auto make = [&](float a, int64_t b) {
    Request* const request = requests.Make(a);
    test::SetInput(*request, 1, ElementType::kInt64, test::MakeShape({1, 2}),
                   std::vector<int64_t>{b, b});
    return request;
  };
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_EQ(ValuesOf<float>(inputs[0]), (std::vector<float>{1, 2}));
    EXPECT_EQ(ValuesOf<int64_t>(inputs[1]), (std::vector<int64_t>{10, 10, 20, 20}));
    return test::Double(inputs, outputs);
  });
  Run({make(1, 10), make(2, 20)}, spy);
  EXPECT_EQ(spy.runs, 1u);
}

TEST_F(BatchTest, StringsAreGathered) {
  const auto make = [&](std::vector<std::string> texts) {
    Request* const request = requests.Make(0);
    request->rows = static_cast<int64_t>(texts.size());
    Input& input = request->inputs[0];
    input.view = {ElementType::kString, test::MakeShape({request->rows}), nullptr, 0, nullptr};
    input.strings = std::move(texts);
    return request;
  };
  std::vector<std::string> seen;
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    const TensorView& view = inputs[0];
    seen.assign(view.strings, view.strings + view.shape.dims[0]);
    outputs.AddStrings(view.shape, seen);
    return Status();
  });
  Run({make({"a", "b"}), make({"", "\xc3\xa4"})}, spy);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "", "\xc3\xa4"}));
  Run({make({"alone"})}, spy);
  EXPECT_EQ(seen, (std::vector<std::string>{"alone"}));
}

TEST_F(BatchTest, RequestsWithoutRowsOrElementsAreServed) {
  const Batch batch = {requests.Make(1, 0), requests.Make(2, 2), requests.Make(3, 0)};
  Run(batch, doubles);
  EXPECT_EQ(OutputOf(*batch[0]), std::vector<float>{});
  EXPECT_EQ(OutputOf(*batch[1]), (std::vector<float>{4, 4}));
  const Batch empty = {requests.Make(1, 0), requests.Make(2, 0)};
  Run(empty, doubles);
  EXPECT_TRUE(empty[0]->status.ok());
  Run({}, doubles);
}

TEST_F(BatchTest, ABadRequestFailsAloneAfterLogarithmicallyManyRuns) {
  Batch batch;
  for (int i = 0; i < 64; ++i) batch.push_back(requests.Make(static_cast<float>(i)));
  FunctionExecutor poisoned([](auto inputs, OwnedOutputs& outputs) {
    for (const float value : ValuesOf<float>(inputs[0])) {
      if (value == 37) return Status(Code::kInvalidArgument, "Bad row");
    }
    return test::Double(inputs, outputs);
  });
  Run(batch, poisoned);
  for (int i = 0; i < 64; ++i) {
    const Request& request = *batch[static_cast<size_t>(i)];
    if (i == 37) {
      EXPECT_EQ(request.status.code(), Code::kInvalidArgument);
      EXPECT_EQ(request.status.message(), "Bad row");
      EXPECT_EQ(request.outputs, nullptr);
    } else {
      ASSERT_TRUE(request.status.ok()) << i;
      EXPECT_EQ(OutputOf(request), std::vector<float>{static_cast<float>(2 * i)});
    }
  }
  EXPECT_EQ(poisoned.runs, 1u + 2 * 6);
}

TEST_F(BatchTest, RequestsShareRunsOfAllowedNumbersOfRowsOnly) {
  ShapePlan plan;
  plan.shared_rows = {2, 4, 8};
  std::vector<int64_t> runs;
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    runs.push_back(inputs[0].shape.dims[0]);
    return test::Double(inputs, outputs);
  });
  const auto run = [&](const std::vector<int64_t>& rows) {
    Batch batch;
    for (size_t i = 0; i < rows.size(); ++i) {
      batch.push_back(requests.Make(static_cast<float>(i + 1), rows[i]));
    }
    runs.clear();
    RunBatch(batch, {spy, handle, staging, clock, true, &plan});
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::vector<float> own(static_cast<size_t>(rows[i]), 2.0F * static_cast<float>(i + 1));
      EXPECT_EQ(OutputOf(*batch[i]), own);
    }
    return runs;
  };
  using Rows = std::vector<int64_t>;
  EXPECT_EQ(run(Rows(8, 1)), (Rows{8}));
  EXPECT_EQ(run(Rows(7, 1)), (Rows{4, 2, 1}));
  EXPECT_EQ(run({3, 1, 5, 3, 2}), (Rows{4, 8, 2}));
  EXPECT_EQ(run({7}), (Rows{7})) << "alone";
  EXPECT_EQ(run({5, 0, 2}), (Rows{5, 2}));
}

TEST_F(BatchTest, AsManyRequestsWithoutRowsAsAQueueHoldsShareARun) {
  ShapePlan plan;
  plan.shared_rows = {2};
  Batch batch;
  for (int i = 0; i < 65'536; ++i) batch.push_back(requests.Make(1, 0));
  RunBatch(batch, {doubles, handle, staging, clock, true, &plan});
  EXPECT_EQ(doubles.runs, 1u);
  EXPECT_TRUE(std::ranges::all_of(batch, [](const Request* request) { return request->status.ok(); }));
}

TEST_F(BatchTest, AsManyRequestsThatMayNotShareAsAQueueHoldsRunOneByOne) {
  ShapePlan plan;
  plan.shared_rows = {4};
  Batch batch;
  for (int i = 0; i < 200; ++i) batch.push_back(requests.Make(1, 3));
  RunBatch(batch, {doubles, handle, staging, clock, true, &plan});
  EXPECT_EQ(doubles.runs, 200u);
}

TEST_F(BatchTest, IfEveryRequestIsBadEachGetsTheError) {
  FunctionExecutor broken([](auto, OwnedOutputs&) { return Status(Code::kInternal, "No"); });
  const Batch batch = {requests.Make(1), requests.Make(2), requests.Make(3)};
  Run(batch, broken);
  for (const Request* request : batch) EXPECT_EQ(request->status.code(), Code::kInternal);
}

TEST_F(BatchTest, ATerminatedRunIsNotRepeated) {
  FunctionExecutor stuck([](auto, OwnedOutputs&) {
    return Status(Code::kDeadlineExceeded, "Too long");
  });
  const Batch batch = {requests.Make(1), requests.Make(2)};
  Run(batch, stuck);
  EXPECT_EQ(stuck.runs, 1u);
  for (const Request* request : batch) {
    EXPECT_EQ(request->status.code(), Code::kDeadlineExceeded);
  }
}

TEST_F(BatchTest, ARunOnALostDeviceIsNotRepeated) {
  FunctionExecutor gone([](auto, OwnedOutputs&) { return Status(Code::kUnavailable, "Gone"); });
  const Batch batch = {requests.Make(1), requests.Make(2), requests.Make(3)};
  Run(batch, gone);
  EXPECT_EQ(gone.runs, 1u);
  for (const Request* request : batch) EXPECT_EQ(request->status.code(), Code::kUnavailable);
}

TEST_F(BatchTest, OutputsWithAnotherNumberOfRowsAreEachRequestsOwn) {
  const auto reply = [](std::initializer_list<int64_t> dims, size_t elements) {
    return [shape = test::MakeShape(dims), elements](auto, OwnedOutputs& outputs) {
      outputs.Add(ElementType::kFloat32, shape, std::vector<float>(elements));
      return Status();
    };
  };
  FunctionExecutor fixed(reply({3, 1}, 3));
  FunctionExecutor scalar(reply({}, 1));
  for (FunctionExecutor* executor : {&fixed, &scalar}) {
    const Batch batch = {requests.Make(1), requests.Make(2)};
    Run(batch, *executor);
    // Together they fail, and each alone gets what the model gives it.
    for (const Request* request : batch) {
      EXPECT_TRUE(request->status.ok());
      EXPECT_TRUE(request->other_rows);
      EXPECT_FALSE(request->shared);
      EXPECT_EQ(request->outputs->tensors[0].shape, executor == &fixed ? test::MakeShape({3, 1}) : Shape{});
    }
    EXPECT_EQ(executor->runs, 5u) << "one together, and each alone as rows and without";
  }
  FunctionExecutor honest(test::Double);
  Request* const again = requests.Make(1);
  again->other_rows = true;
  Run({again}, honest);
  EXPECT_FALSE(again->other_rows) << "of an earlier use of the record";
  Request* const alone = requests.Make(1);
  Run({alone}, scalar, false);
  EXPECT_TRUE(alone->status.ok()) << "a model that does not batch may return any shape";
}

TEST_F(BatchTest, RunningOutOfMemoryFailsTheRequestThatIsTooLarge) {
  FunctionExecutor greedy([](auto inputs, OwnedOutputs& outputs) -> Status {
    if (inputs[0].shape.dims[0] > 4) throw std::bad_alloc();
    return test::Double(inputs, outputs);
  });
  const Batch batch = {requests.Make(1, 2), requests.Make(2, 5), requests.Make(3, 2)};
  Run(batch, greedy);
  EXPECT_EQ(OutputOf(*batch[0]), (std::vector<float>{2, 2}));
  EXPECT_EQ(batch[1]->status.code(), Code::kResourceExhausted);
  EXPECT_EQ(OutputOf(*batch[2]), (std::vector<float>{6, 6}));
}

TEST_F(BatchTest, InputsThatAreTooLargeToGatherFailTheRequest) {
  Request* const small = requests.Make(1);
  Request* const hostile = requests.Make(2);
  hostile->rows = hostile->inputs[0].view.shape.dims[0] = int64_t{1} << 45;
  hostile->inputs[0].view.bytes = size_t{1} << 61;
  // Borrowed, so that it would be copied even alone.
  hostile->inputs[0].view.data += 1;
  hostile->borrow.Reset(true);
  Run({small, hostile}, doubles);
  EXPECT_TRUE(small->status.ok());
  EXPECT_EQ(hostile->status.code(), Code::kResourceExhausted);
  EXPECT_TRUE(hostile->borrow.TryRevoke()) << "it is given back although it was not read";
}

TEST_F(BatchTest, BorrowedInputsAreNotInUseDuringTheRun) {
  std::vector<float> owned = {7, 8};
  const auto borrow = [&](Request* request) {
    request->inputs[0].view.data = reinterpret_cast<const std::byte*>(owned.data());
    request->borrow.Reset(true);
    return request;
  };
  Request* const first = borrow(requests.Make(0, 2));
  Request* const second = borrow(requests.Make(0, 2));
  FunctionExecutor spy([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_TRUE(first->borrow.TryRevoke());
    first->borrow.Reset(true);
    EXPECT_NE(inputs[0].data, reinterpret_cast<const std::byte*>(owned.data()));
    owned = {0, 0};
    return test::Double(inputs, outputs);
  });
  Run({first}, spy);
  EXPECT_EQ(OutputOf(*first), (std::vector<float>{14, 16}));
  owned = {1, 2};
  Run({first, second}, spy);
  EXPECT_EQ(OutputOf(*second), (std::vector<float>{2, 4}));
}

TEST_F(BatchTest, ARevokedBorrowIsNotReadAndOtherRequestsAreServed) {
  Request* const revoked = requests.Make(1);
  revoked->inputs[0].view.data = nullptr;
  revoked->borrow.Reset(true);
  ASSERT_TRUE(revoked->borrow.TryRevoke());
  Request* const neighbour = requests.Make(2);
  Run({revoked, neighbour}, doubles);
  EXPECT_EQ(revoked->status.code(), Code::kCancelled);
  EXPECT_EQ(OutputOf(*neighbour), std::vector<float>{4});
  EXPECT_FALSE(neighbour->shared);
  Run({revoked}, doubles);
  EXPECT_EQ(doubles.runs, 1u);
}

TEST_F(BatchTest, ABorrowRevokedBetweenTwoAttemptsIsNotReadAgain) {
  Request* const revoked = requests.Make(1);
  revoked->borrow.Reset(true);
  Request* const neighbour = requests.Make(2);
  FunctionExecutor fails_pairs([&](auto inputs, OwnedOutputs& outputs) {
    EXPECT_TRUE(revoked->borrow.TryRevoke());
    if (inputs[0].shape.dims[0] > 1) return Status(Code::kInternal, "No");
    return test::Double(inputs, outputs);
  });
  Run({revoked, neighbour}, fails_pairs);
  EXPECT_EQ(revoked->status.code(), Code::kCancelled);
  EXPECT_EQ(OutputOf(*neighbour), std::vector<float>{4});
}

TEST_F(BatchTest, TimesAreThoseOfTheSuccessfulRun) {
  Request* const good = requests.Make(1);
  Request* const bad = requests.Make(2);
  FunctionExecutor slow([&](auto inputs, OwnedOutputs& outputs) {
    clock.Advance(10);
    for (const float value : ValuesOf<float>(inputs[0])) {
      if (value == 2) return Status(Code::kInternal, "No");
    }
    return test::Double(inputs, outputs);
  });
  const Nanos begin = clock.Now();
  Run({good, bad}, slow);
  EXPECT_EQ(good->started, begin + 10);
  EXPECT_EQ(good->finished, begin + 20);
  EXPECT_EQ(good->batch_requests, 1u);
  EXPECT_EQ(bad->finished, begin + 30);
}

TEST(Staging, FreesTheMemoryOfALargeBatchAfterManySmallRuns) {
  constexpr size_t kLarge = 64 << 20;
  Staging staging;
  staging.Reserve(0, kLarge);
  for (int run = 0; run < 1000; ++run) {
    staging.Reserve(0, run % 2 == 0 ? 3 << 20 : 1000);
    ASSERT_GE(staging.Capacity(0), size_t{3} << 20);
  }
  EXPECT_LE(staging.Capacity(0), size_t{4} << 20);
}

TEST(Staging, FreesStringsThatTakeALotOfMemory) {
  Staging staging;
  staging.Strings(0).assign(100, "short");
  EXPECT_EQ(staging.Strings(0).size(), 100u) << "kept";
  staging.Strings(0).assign(2, std::string(1 << 20, 'x'));
  EXPECT_EQ(staging.Strings(0).capacity(), 0u) << "long strings";
  std::vector<std::string>& many = staging.Strings(0);
  many.resize(1 << 16);
  many.resize(1);
  EXPECT_EQ(staging.Strings(0).capacity(), 0u) << "many strings";
}

TEST(Staging, KeepsMemoryThatIsNeededNowAndThen) {
  constexpr size_t kLarge = 64 << 20;
  Staging staging;
  staging.Reserve(0, kLarge);
  const std::byte* const memory = staging.Reserve(0, kLarge);
  for (int run = 0; run < 1000; ++run) {
    EXPECT_EQ(staging.Reserve(0, run % 50 == 0 ? kLarge : 1000), memory);
  }
}

}  // namespace
}  // namespace millrace

// A model on one GPU: the CPU plays it, copies and events are those of a fake CUDA runtime.
#include "ort/device_session.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "support/device_model.h"

namespace millrace {
namespace {

using test::Inputs;
using test::MakeShape;
using test::ValuesOf;
using Floats = std::vector<float>;

class DeviceSessionTest : public test::DeviceTest {
 protected:
  // Rows of two numbers, counted up from `first`, through negation or identity.
  static Inputs Rows(int64_t rows, float first = 1) {
    Floats values(static_cast<size_t>(rows) * 2);
    for (float& value : values) value = first++;
    Inputs inputs;
    inputs.Floats(MakeShape({rows, 2}), values);
    return inputs;
  }
  Status Run(const Inputs& inputs, OutputRef& outputs) {
    return session->Run(inputs.views(), *handle(), outputs);
  }
  RunHandle* handle() {
    if (handle_ == nullptr) handle_ = session->NewHandle();
    return handle_.get();
  }

 private:
  std::unique_ptr<RunHandle> handle_;
};

TEST_F(DeviceSessionTest, EveryDeviceShapeReturnsWhatTheCpuReturns) {
  UseRows({1, 2, 4, 8}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_EQ(session->report().device, "cuda:0");
  EXPECT_EQ(session->report().shapes.size(), 4u);
  for (int64_t rows = 0; rows <= 8; ++rows) {
    const Inputs inputs = Rows(rows, 10 * static_cast<float>(rows));
    OutputRef outputs;
    ASSERT_TRUE(Run(inputs, outputs).ok()) << rows;
    EXPECT_EQ(outputs->tensors[0].shape, MakeShape({rows, 2}));
    EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), ValuesOf<float>(inputs.views()[0])) << rows;
  }
}

TEST_F(DeviceSessionTest, SeveralInputsAndOutputsOfSeveralTypes) {
  UseRows({1, 4}, 2);
  ASSERT_TRUE(Load("two-in-two-out").ok());
  Inputs inputs;
  inputs.Floats(MakeShape({3, 2}), {1, 2, 3, 4, 5, 6});
  inputs.Add(ElementType::kInt64, MakeShape({3, 2}), std::vector<int64_t>{10, 20, 30, 40, 50, 60});
  OutputRef outputs;
  ASSERT_TRUE(Run(inputs, outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{11, 22, 33, 44, 55, 66}));
  EXPECT_EQ(ValuesOf<int64_t>(outputs->tensors[1]), (std::vector<int64_t>{200, 1200, 3000}));
  EXPECT_EQ(outputs->tensors[1].shape, MakeShape({3, 1}));
}

TEST_F(DeviceSessionTest, PartsAreLaidOneAfterAnother) {
  UseRows({1, 8}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const Inputs a = Rows(2, 1);
  const Inputs b = Rows(0);
  const Inputs c = Rows(3, 100);
  const std::vector<Part> parts = {a.views(), b.views(), c.views()};
  ASSERT_TRUE(session->Begin(parts, true, *handle()).ok());
  OutputRef outputs;
  ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]),
            (Floats{1, 2, 3, 4, 100, 101, 102, 103, 104, 105}));
}

TEST_F(DeviceSessionTest, OneBatchIsCopiedWhileAnotherIsOnItsWay) {
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_EQ(session->depth(), 2u);
  const std::unique_ptr<RunHandle> other = session->NewHandle();
  const Inputs a = Rows(2, 1);
  const Inputs b = Rows(2, 50);
  const std::vector<Part> first = {a.views()};
  const std::vector<Part> second = {b.views()};
  ASSERT_TRUE(session->Begin(first, true, *handle()).ok());
  ASSERT_TRUE(session->Begin(second, true, *other).ok());
  EXPECT_EQ(other->Started(0), kNever) << "behind the first";
  OutputRef outputs;
  ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0])[0], 1);
  EXPECT_NE(other->Started(0), kNever);
  OutputRef later;
  ASSERT_TRUE(session->Finish(*other, later).ok());
  EXPECT_EQ(ValuesOf<float>(later->tensors[0])[0], 50);
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0])[0], 1) << "outputs have memory of their own";
}

// The watchdog compares this time with the limit of a run.
TEST_F(DeviceSessionTest, ABatchHasNotStartedWhileTheBatchBeforeItIsTheLast) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const SteadyClock clock;
  OutputRef outputs;
  for (const int64_t rows : {1, 3}) {
    ASSERT_TRUE(Run(Rows(rows), outputs).ok());
    const Nanos asked = clock.Now();
    EXPECT_EQ(handle()->Started(asked), asked) << "its inputs are gathered";
    ASSERT_TRUE(Run(Rows(rows), outputs).ok());
    EXPECT_GE(handle()->Started(asked), asked);
  }
}

TEST_F(DeviceSessionTest, ABatchHasNotStartedWhileItWaitsForASlot) {
  options.device.options = {{"slots", "1"}};
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const SteadyClock clock;
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(1), outputs).ok());
  const std::unique_ptr<RunHandle> other = session->NewHandle();
  const Inputs inputs = Rows(1);
  const std::vector<Part> parts = {inputs.views()};
  ASSERT_TRUE(session->Begin(parts, true, *other).ok());
  const Nanos asked = clock.Now();
  std::thread waiting([&] { EXPECT_TRUE(session->Begin(parts, true, *handle()).ok()); });
  while (handle()->Started(asked) != kNever) std::this_thread::yield();
  ASSERT_TRUE(session->Finish(*other, outputs).ok());
  waiting.join();
  const Nanos started = handle()->Started(asked);
  EXPECT_NE(started, kNever);
  EXPECT_GT(started, asked);
  ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
}

TEST_F(DeviceSessionTest, ABatchThatDidNotBeginCountsFromWhenItWasAsked) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(1), outputs).ok());
  const Nanos asked = SteadyClock().Now();
  cuda.Fail("MemcpyAsync", 1, 1);
  EXPECT_FALSE(Run(Rows(1), outputs).ok());
  EXPECT_EQ(handle()->Started(asked), asked);
}

TEST_F(DeviceSessionTest, WithoutAStreamOfItsOwnAndOneSlotItWorksToo) {
  options.device.options = {{"ownStream", "false"}, {"slots", "1"}};
  UseRows({4}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_EQ(session->depth(), 1u);
  EXPECT_FALSE(provider.requests.back().stream);
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(3), outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2, 3, 4, 5, 6}));
}

TEST_F(DeviceSessionTest, LargeInputsInPinnedMemoryAreFetchedByTheDevice) {
  options.choose = [](const Signature&, Executor&, ShapeChoice& choice) {
    choice = {true, {{1, {MakeShape({1, 3, 224, 224})}}}};
    return Status();
  };
  ASSERT_TRUE(Load("reduce-mean-image").ok());
  const size_t bytes = 3 * 224 * 224 * sizeof(float);
  Inputs inputs;
  inputs.Floats(MakeShape({1, 3, 224, 224}), Floats(bytes / sizeof(float), 0.5F));
  EXPECT_EQ(session->Allocate(bytes), nullptr) << "nobody waits for CUDA there";
  OutputRef first;
  ASSERT_TRUE(Run(inputs, first).ok());
  const std::shared_ptr<std::byte> memory = session->Allocate(bytes);
  ASSERT_NE(memory, nullptr);
  std::memcpy(memory.get(), inputs.views()[0].data, bytes);
  inputs.mutable_views()[0].data = memory.get();
  OutputRef outputs;
  ASSERT_TRUE(Run(inputs, outputs).ok());
  EXPECT_FLOAT_EQ(ValuesOf<float>(outputs->tensors[0])[0], 0.5F);
}

TEST_F(DeviceSessionTest, OtherShapesRunWithoutADeviceShape) {
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const Inputs inputs = Rows(5);
  const Part part = inputs.views();
  EXPECT_EQ(session->DeviceShapeOf({&part, 1}, true), 2u);
  OutputRef outputs;
  ASSERT_TRUE(Run(inputs, outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]).size(), 10u);
  const Inputs one = Rows(3);
  const std::vector<Part> both = {one.views(), one.views()};
  ASSERT_TRUE(session->Begin(both, true, *handle()).ok());
  ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
  EXPECT_EQ(outputs->tensors[0].shape, MakeShape({6, 2}));
}

// The model gives every row twice, so that rows that were added would show.
TEST_F(DeviceSessionTest, WithoutBatchingOnlyAnExactDeviceShapeIsUsed) {
  UseRows({2, 4}, 2);
  ASSERT_TRUE(Load("rows-change").ok());
  for (const int64_t rows : {2, 3}) {
    const Inputs inputs = Rows(rows);
    const Part part = inputs.views();
    EXPECT_EQ(session->DeviceShapeOf({&part, 1}, false), rows == 2 ? 0u : 2u);
    ASSERT_TRUE(session->Begin({&part, 1}, false, *handle()).ok());
    OutputRef outputs;
    ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
    EXPECT_EQ(outputs->tensors[0].shape, MakeShape({2 * rows, 2}));
  }
}

TEST_F(DeviceSessionTest, WithoutDeviceShapesNothingIsPreparedAndTheReportSaysSo) {
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(Notes("No device shapes"));
  EXPECT_EQ(session->depth(), 1u);
  OutputRef outputs;
  EXPECT_TRUE(Run(Rows(2), outputs).ok());
}

TEST_F(DeviceSessionTest, StringsStayInTheCpusMemory) {
  UseRows({1}, 3);
  ASSERT_TRUE(Load("identity-string").ok());
  EXPECT_TRUE(Notes("holds strings"));
  EXPECT_TRUE(session->report().shapes.empty());
}

TEST_F(DeviceSessionTest, AFailedRunIsReportedAndTheNextOneWorks) {
  UseRows({4}, 2);
  ASSERT_TRUE(Load("poison").ok());
  OutputRef outputs;
  const Status poisoned = Run(Rows(1, 5000), outputs);
  EXPECT_EQ(poisoned.code(), Code::kInvalidArgument) << poisoned.message();
  EXPECT_TRUE(session->healthy());
  ASSERT_TRUE(Run(Rows(1), outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2}));
}

TEST_F(DeviceSessionTest, OutputsThatHaveNoFixedShapeAreTakenAsTheyCome) {
  // Gives every row twice, so a batch that does not fill its device shape cannot be cut.
  UseRows({2}, 2);
  ASSERT_TRUE(Load("rows-change").ok());
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(2), outputs).ok());
  EXPECT_EQ(outputs->tensors[0].shape, MakeShape({4, 2}));
}

TEST_F(DeviceSessionTest, ADeviceShapeThatTheModelCannotRunIsNamed) {
  options.choose = [](const Signature&, Executor&, ShapeChoice& choice) {
    choice = {false, {{1, {MakeShape({1, 4})}}}};
    return Status();
  };
  EXPECT_TRUE(Load("static-batch").ok());
  EXPECT_EQ(session->report().shapes[0].inputs[0], MakeShape({1, 4}));
  UseRows({2}, 4);
  EXPECT_EQ(Load("static-batch").code(), Code::kInvalidArgument);
}

TEST_F(DeviceSessionTest, ReportsWhereNodesRan) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  ASSERT_FALSE(session->report().nodes.empty());
  EXPECT_EQ(session->report().nodes[0].provider, "CPUExecutionProvider");
  EXPECT_TRUE(Notes("nodes run on the CPU"));
  options.device.options = {{"placement", "false"}};
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(session->report().nodes.empty());
}

TEST_F(DeviceSessionTest, GraphsAreAskedForEachDeviceShape) {
  provider.graphs = true;
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(provider.requests.back().graphs);
  for (const auto& shape : session->report().shapes) EXPECT_TRUE(shape.graph);
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(2), outputs).ok());
  ASSERT_TRUE(Run(Rows(7), outputs).ok()) << "outside of every device shape";
}

TEST_F(DeviceSessionTest, AModelThatRefusesGraphsRunsWithoutThem) {
  provider.graphs = true;
  provider.refuses_graphs =
      "This session cannot use the graph capture feature as requested by the user as the model has "
      "control flow nodes";
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(Notes("CUDA graphs are off: the model has control flow"));
  EXPECT_FALSE(session->report().shapes[0].graph);
  EXPECT_EQ(provider.requests.size(), 2u);
}

TEST_F(DeviceSessionTest, OptionsAreCheckedBeforeAnythingIsLoaded) {
  options.device.options = {{"slots", "9"}};
  EXPECT_EQ(Load("poison").code(), Code::kInvalidArgument);
  provider.files = {Code::kFailedPrecondition, "Not installed"};
  options.device.options.clear();
  EXPECT_EQ(Load("poison").message(), "Not installed");
  EXPECT_TRUE(provider.requests.empty());
}

TEST_F(DeviceSessionTest, AGpuThatIsNotThereIsNamed) {
  EXPECT_EQ(Load("poison", 3).message(),
            "There is no GPU 3: this process sees 1, numbered from 0");
}

TEST_F(DeviceSessionTest, AProviderThatFailsIsNoSilentCpu) {
  provider.append = {Code::kFailedPrecondition, "No driver"};
  EXPECT_EQ(Load("poison").message(), "No driver");
}

TEST_F(DeviceSessionTest, TheChoiceOfShapesMayFailAndTriesTheModel) {
  options.choose = [](const Signature& signature, Executor& trial, ShapeChoice&) {
    const Inputs inputs = Rows(1);
    const std::unique_ptr<RunHandle> handle = trial.NewHandle();
    OutputRef outputs;
    EXPECT_EQ(signature.inputs[0].name, "x");
    EXPECT_TRUE(trial.Run(inputs.views(), *handle, outputs).ok());
    return Status(Code::kInvalidArgument, "Not these");
  };
  EXPECT_EQ(Load("poison").message(), "Not these");
}

TEST_F(DeviceSessionTest, RunningOutOfMemoryAtLoadLeavesNothingBehind) {
  UseRows({1, 2}, 2);
  const size_t before = cuda.live();
  for (size_t budget = 0; budget < 60'000; budget += 4096) {
    cuda.LimitMemory(SIZE_MAX, budget);
    const Status status = Load("poison");
    if (status.ok()) break;
    EXPECT_EQ(status.code(), Code::kResourceExhausted) << status.message();
    session.reset();
    EXPECT_EQ(cuda.live(), before) << budget;
  }
  session.reset();
  cuda.LimitMemory(10, SIZE_MAX);
  EXPECT_EQ(Load("poison").code(), Code::kResourceExhausted);
  EXPECT_EQ(cuda.live(), before);
}

TEST_F(DeviceSessionTest, EveryCallOfTheLoadMayFail) {
  UseRows({1, 2}, 2);
  const size_t before = cuda.live();
  for (const char* function : {"StreamCreateWithFlags", "EventCreateWithFlags", "MemcpyAsync",
                               "MemsetAsync", "EventRecord", "StreamWaitEvent", "EventSynchronize",
                               "StreamSynchronize", "GetDeviceCount"}) {
    cuda.Reset();
    cuda.Fail(function, 1);
    EXPECT_FALSE(Load("poison").ok()) << function;
    EXPECT_EQ(session, nullptr);
    EXPECT_EQ(cuda.live(), before) << function;
  }
}

TEST_F(DeviceSessionTest, EveryCallOfARunMayFailAndTheNextOneWorks) {
  UseRows({2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  for (const char* function : {"ThreadExchangeStreamCaptureMode", "MemcpyAsync", "MemsetAsync",
                               "EventRecord", "StreamWaitEvent", "EventSynchronize"}) {
    cuda.Fail(function, 1, 1);
    OutputRef outputs;
    // A row less than the device shape has, which is cleared.
    const Inputs inputs = Rows(1);
    const std::vector<Part> parts = {inputs.views()};
    Status status = session->Begin(parts, true, *handle());
    if (status.ok()) status = session->Finish(*handle(), outputs);
    cuda.Fail(function, 0, 0);
    EXPECT_FALSE(status.ok()) << function;
    ASSERT_TRUE(Run(Rows(2), outputs).ok()) << "after " << function;
    EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2, 3, 4})) << "after " << function;
  }
  EXPECT_TRUE(session->healthy());
}

TEST_F(DeviceSessionTest, ASlotIsNotLostWhenMemoryRunsOut) {
  options.device.options = {{"slots", "1"}};
  UseRows({2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  for (const char* function : {"MemcpyAsync", "MemsetAsync", "EventRecord", "StreamWaitEvent",
                               "EventSynchronize"}) {
    cuda.Fail(function, test::FakeCuda::kThrows, 1);
    OutputRef outputs;
    const Status status = Run(Rows(1), outputs);
    EXPECT_EQ(status.code(), Code::kResourceExhausted) << function;
    ASSERT_TRUE(Run(Rows(2), outputs).ok()) << "after " << function;
    EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2, 3, 4})) << "after " << function;
  }
}

TEST_F(DeviceSessionTest, AnExceptionDuringTheLoadReachesItsCaller) {
  options.choose = [](const Signature&, Executor&, ShapeChoice&) -> Status {
    throw std::runtime_error("from the device's thread");
  };
  EXPECT_THROW(static_cast<void>(Load("poison")), std::runtime_error);
}

TEST_F(DeviceSessionTest, AWrongTemporaryFolderCostsOnlyThePlacement) {
  UseRows({1}, 2);
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", "/there/is/no/such/folder", 1);
  const Status status = Load("poison");
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", kept.c_str(), 1);
  }
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(session->report().nodes.empty());
  EXPECT_TRUE(Notes("Where the nodes ran is not known"));
}

TEST_F(DeviceSessionTest, OutputsThatFindNoPinnedMemoryComeInOrdinaryMemory) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  std::vector<OutputRef> kept;
  cuda.LimitMemory(SIZE_MAX, 0);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Run(Rows(1, static_cast<float>(i)), kept.emplace_back()).ok());
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(ValuesOf<float>(kept[i]->tensors[0])[0], static_cast<float>(i));
  }
}

// What is not zero, of which the data decide how much there is.
TEST_F(DeviceSessionTest, OutputsOfUnknownSizeAreNotWrittenIntoAgain) {
  UseRows({2}, 2);
  ASSERT_TRUE(Load("non-zero").ok());
  const auto run = [&](const Floats& values, OutputRef& outputs) {
    Inputs inputs;
    inputs.Floats(MakeShape({2, 2}), values);
    return Run(inputs, outputs);
  };
  OutputRef first;
  OutputRef second;
  OutputRef third;
  ASSERT_TRUE(run({0, 1, 0, 1}, first).ok());
  ASSERT_TRUE(run({1, 0, 1, 0}, second).ok());
  ASSERT_TRUE(run({1, 1, 1, 0}, third).ok());
  using Longs = std::vector<int64_t>;
  EXPECT_EQ(ValuesOf<int64_t>(first->tensors[0]), (Longs{0, 1, 1, 1}));
  EXPECT_EQ(ValuesOf<int64_t>(second->tensors[0]), (Longs{0, 1, 0, 0}));
  EXPECT_EQ(ValuesOf<int64_t>(third->tensors[0]), (Longs{0, 0, 1, 0, 1, 0}));
}

// Zeros, ones and the rows that are compared at load keep every row; these do not.
TEST_F(DeviceSessionTest, OutputsOfAnotherSizeThanAtLoadAreTakenAsTheyCome) {
  UseRows({2}, 4);
  ASSERT_TRUE(Load("kept-rows").ok());
  Inputs inputs;
  inputs.Floats(MakeShape({2, 4}), {-9, 0, 0, 0, 1, 2, 3, 4});
  for (int i = 0; i < 2; ++i) {
    OutputRef outputs;
    const Status status = Run(inputs, outputs);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(outputs->tensors[0].shape, MakeShape({1, 4}));
    EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2, 3, 4}));
  }
}

TEST_F(DeviceSessionTest, TheInputsOfAnyShapeAreTheCallersAgainBeforeTheRun) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  Floats values = {1, 2, 3, 4};
  const TensorView view{ElementType::kFloat32, MakeShape({2, 2}),
                        reinterpret_cast<std::byte*>(values.data()), 16, nullptr};
  const Part part{&view, 1};
  ASSERT_TRUE(session->Begin({&part, 1}, true, *handle()).ok());
  values = {9, 9, 9, 9};
  OutputRef outputs;
  ASSERT_TRUE(session->Finish(*handle(), outputs).ok());
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2, 3, 4}));
}

TEST_F(DeviceSessionTest, ALostDeviceFailsEveryRunAndCanBeClosed) {
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const Inputs inputs = Rows(1);
  const std::vector<Part> parts = {inputs.views()};
  ASSERT_TRUE(session->Begin(parts, true, *handle()).ok());
  cuda.Lose(0);
  OutputRef outputs;
  EXPECT_EQ(session->Finish(*handle(), outputs).code(), Code::kUnavailable);
  EXPECT_FALSE(session->healthy());
  EXPECT_EQ(Run(Rows(1), outputs).message(), "The GPU is lost to this process: restart it");
  session.reset();
}

TEST_F(DeviceSessionTest, OutputsMayOutliveTheSession) {
  UseRows({1}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const size_t before = cuda.live();
  OutputRef outputs;
  ASSERT_TRUE(Run(Rows(1), outputs).ok());
  session.reset();
  EXPECT_LT(cuda.live(), before);
  EXPECT_EQ(ValuesOf<float>(outputs->tensors[0]), (Floats{1, 2}));
  outputs.reset();
}

TEST_F(DeviceSessionTest, ARunCanBeEnded) {
  options.choose = [](const Signature&, Executor&, ShapeChoice& choice) {
    choice = {true, {{1, {MakeShape({1, 1})}}}};
    return Status();
  };
  ASSERT_TRUE(Load("slow-loop").ok());
  Inputs inputs;
  inputs.Add(ElementType::kInt64, MakeShape({1, 1}), std::vector<int64_t>{1'000'000});
  const std::vector<Part> parts = {inputs.views()};
  std::atomic<bool> done{false};
  ASSERT_TRUE(session->Begin(parts, true, *handle()).ok());
  std::thread ending([&] {
    while (!done.load()) {
      handle()->Terminate();
      std::this_thread::yield();
    }
  });
  OutputRef outputs;
  const Status status = session->Finish(*handle(), outputs);
  done = true;
  ending.join();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded) << status.message();
  inputs = Inputs();
  inputs.Add(ElementType::kInt64, MakeShape({1, 1}), std::vector<int64_t>{3});
  EXPECT_TRUE(Run(inputs, outputs).ok());
}

// TensorRT engines are built for declared shapes only.
class TensorRtEngineTest : public DeviceSessionTest {
 protected:
  TensorRtEngineTest() { provider.engines = true; }
  ~TensorRtEngineTest() override { std::filesystem::remove_all(folder); }
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("engines-" + std::to_string(getpid()))).string();
};

TEST_F(TensorRtEngineTest, ProfilesComeFromTheDeviceShapes) {
  UseRows({1, 8, 4}, 2);
  ASSERT_TRUE(Load("poison").ok());
  const Profile& profile = provider.requests.back().profile;
  EXPECT_EQ(profile.min, "x:1x2");
  EXPECT_EQ(profile.opt, "x:8x2");
  EXPECT_EQ(profile.max, "x:8x2");
  EXPECT_TRUE(Notes("No engineCache"));
  EXPECT_EQ(provider.requests.back().engines, "");
}

TEST_F(TensorRtEngineTest, EnginesAndTimingsAreKept) {
  UseRows({1}, 2);
  options.cache_folder = folder;
  options.digest = "feed";
  ASSERT_TRUE(Load("poison").ok());
  const std::string engines = provider.requests.back().engines;
  EXPECT_TRUE(engines.starts_with(provider.requests.back().timings));
  EXPECT_TRUE(std::filesystem::is_directory(engines));
  // Another option, given either way, or other shapes: other engines.
  std::set<std::string> folders = {engines};
  options.device.options = {{"fp16", "true"}};
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(folders.insert(provider.requests.back().engines).second);
  options.device.options.clear();
  options.device.provider_options = {{"trt_int8_enable", "1"}};
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(folders.insert(provider.requests.back().engines).second);
  options.device.provider_options.clear();
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(folders.insert(provider.requests.back().engines).second);
}

TEST_F(TensorRtEngineTest, IsRefusedWithoutDeviceShapes) {
  EXPECT_EQ(Load("poison").code(), Code::kInvalidArgument);
}

TEST_F(TensorRtEngineTest, AnotherShapeIsRefusedInsteadOfBuildingAnEngine) {
  UseRows({1, 2}, 2);
  ASSERT_TRUE(Load("poison").ok());
  OutputRef outputs;
  const Status status = Run(Rows(3), outputs);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("declare a length bucket"), std::string::npos);
}

TEST_F(TensorRtEngineTest, PartsOfTheModelGetTheirShapesFromWarmRuns) {
  UseRows({1, 2}, 2);
  provider.refuses_profile =
      "User needs to provide all the dynamic shape inputs with associated profiles";
  ASSERT_TRUE(Load("poison").ok());
  EXPECT_TRUE(Notes("TensorRT runs parts of the model only"));
  EXPECT_EQ(provider.requests.back().profile.min, "");
}

}  // namespace
}  // namespace millrace

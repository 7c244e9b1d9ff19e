// A model on several GPUs, and the door that chooses among all devices.
#include "ort/device_group.h"

#include <gtest/gtest.h>

#include <set>

#include "support/device_model.h"

namespace millrace {
namespace {

using test::Inputs;
using test::MakeShape;
using test::ModelPath;
using test::TestLibrary;
using test::ValuesOf;

class DeviceGroupTest : public test::DeviceTest {
 protected:
  void Open(int gpus) {
    cuda.Reset(gpus);
    UseRows({1, 4}, 2);
    std::vector<std::unique_ptr<DeviceSession>> sessions;
    for (int gpu = 0; gpu < gpus; ++gpu) {
      ASSERT_TRUE(Load("poison", gpu).ok());
      sessions.push_back(std::move(session));
    }
    group = std::make_unique<DeviceGroup>(std::move(sessions), "cuda:all");
  }
  static Inputs Row(float value) {
    Inputs inputs;
    inputs.Floats(MakeShape({1, 2}), {value, value});
    return inputs;
  }
  std::unique_ptr<DeviceGroup> group;
};

TEST_F(DeviceGroupTest, RunsOnAllAndReturnsToEachItsOwnRows) {
  Open(2);
  EXPECT_EQ(group->report().device, "cuda:all");
  EXPECT_EQ(group->devices(), 2u);
  EXPECT_EQ(group->depth(), 4u);
  std::vector<std::unique_ptr<RunHandle>> handles;
  std::vector<Inputs> inputs;
  inputs.reserve(4);
  for (int i = 0; i < 4; ++i) {
    handles.push_back(group->NewHandle());
    inputs.push_back(Row(static_cast<float>(i)));
    const Part part = inputs.back().views();
    ASSERT_TRUE(group->Begin({&part, 1}, true, *handles.back()).ok());
  }
  int at_once = 0;
  for (const auto& handle : handles) at_once += handle->Started(0) != kNever;
  EXPECT_EQ(at_once, 2) << "one on each GPU, the others behind them";
  for (int i = 0; i < 4; ++i) {
    OutputRef outputs;
    ASSERT_TRUE(group->Finish(*handles[static_cast<size_t>(i)], outputs).ok());
    EXPECT_EQ(ValuesOf<float>(outputs->tensors[0])[0], static_cast<float>(i));
  }
}

TEST_F(DeviceGroupTest, GoesOnWithoutAGpuThatIsLost) {
  Open(2);
  cuda.Lose(0);
  const std::unique_ptr<RunHandle> handle = group->NewHandle();
  // Measured costs decide when the lost one is tried; that is noticed at once, and never tried again.
  int failures = 0;
  for (int i = 0; i < 20; ++i) {
    OutputRef outputs;
    failures += group->Run(Row(1).views(), *handle, outputs).ok() ? 0 : 1;
  }
  EXPECT_LE(failures, 1);
  EXPECT_TRUE(group->healthy());
}

TEST_F(DeviceGroupTest, ABatchThatFindsNoMemoryLeavesItsGpuAsFreeAsBefore) {
  Open(2);
  const std::unique_ptr<RunHandle> failing = group->NewHandle();
  OutputRef outputs;
  for (int i = 0; i < 3; ++i) {
    cuda.Fail("MemcpyAsync", test::FakeCuda::kThrows, 1);
    EXPECT_EQ(group->Run(Row(1).views(), *failing, outputs).code(), Code::kResourceExhausted);
  }
  const Inputs inputs = Row(1);
  const Part part = inputs.views();
  std::vector<std::unique_ptr<RunHandle>> handles;
  for (int i = 0; i < 2; ++i) {
    handles.push_back(group->NewHandle());
    ASSERT_TRUE(group->Begin({&part, 1}, true, *handles.back()).ok());
    EXPECT_NE(handles.back()->Started(0), kNever) << "each batch has a GPU of its own";
  }
  for (const auto& handle : handles) ASSERT_TRUE(group->Finish(*handle, outputs).ok());
}

TEST_F(DeviceGroupTest, IsLostWhenAllAre) {
  Open(2);
  cuda.Lose(0);
  cuda.Lose(1);
  const std::unique_ptr<RunHandle> handle = group->NewHandle();
  OutputRef outputs;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(group->Run(Row(1).views(), *handle, outputs).code(), Code::kUnavailable);
  }
  EXPECT_FALSE(group->healthy());
  handle->Terminate();
}

TEST_F(DeviceGroupTest, NotesNameTheirGpu) {
  Open(2);
  std::set<std::string> devices;
  for (const std::string& note : group->report().notes) devices.insert(note.substr(0, 6));
  EXPECT_EQ(devices, (std::set<std::string>{"cuda:0", "cuda:1"}));
}

class LoadExecutorTest : public test::DeviceTest {
 protected:
  Status Open(const std::string& device, const std::string& model = "poison") {
    options.device.device = device;
    options.path = ModelPath(model);
    return LoadExecutor(TestLibrary(), options, executor);
  }
  std::unique_ptr<LoadedExecutor> executor;
};

TEST_F(LoadExecutorTest, OneCopyForEachGpu) {
  cuda.Reset(3);
  UseRows({1}, 2);
  ASSERT_TRUE(Open("cuda:all").ok());
  EXPECT_EQ(executor->staged()->devices(), 3u);
  ASSERT_TRUE(Open("cuda:2").ok());
  EXPECT_EQ(executor->report().device, "cuda:2");
}

TEST_F(LoadExecutorTest, TheCpuIsToldTheChoiceToo) {
  int chosen = 0;
  options.choose = [&chosen](const Signature&, Executor&, ShapeChoice&) { return ++chosen, Status(); };
  options.device.provider = nullptr;
  ASSERT_TRUE(Open("cpu").ok());
  EXPECT_EQ(chosen, 1);
  EXPECT_EQ(executor->staged(), nullptr);
  EXPECT_EQ(executor->report().device, "cpu");
  options.choose = [](const Signature&, Executor&, ShapeChoice&) {
    return Status(Code::kUnimplemented, "Too many");
  };
  EXPECT_EQ(Open("cpu").message(), "Too many");
}

TEST_F(LoadExecutorTest, AutoTakesTheGpuWhereThereIsOne) {
  UseRows({1}, 2);
  ASSERT_TRUE(Open("auto").ok());
  EXPECT_EQ(executor->report().device, "cuda:0");
  EXPECT_EQ(executor->report().fallback, "");
}

TEST_F(LoadExecutorTest, AutoSaysWhyItTookTheCpu) {
  cuda.Reset(0);
  ASSERT_TRUE(Open("auto").ok());
  EXPECT_EQ(executor->report().device, "cpu");
  EXPECT_NE(executor->report().fallback.find("no GPU that CUDA can use"), std::string::npos);
}

TEST_F(LoadExecutorTest, AutoDoesNotHideAWrongOption) {
  options.device.options = {{"slots", "0"}};
  EXPECT_EQ(Open("auto").code(), Code::kInvalidArgument);
}

TEST_F(LoadExecutorTest, WhatIsAskedForIsNeverReplaced) {
  cuda.Reset(0);
  EXPECT_EQ(Open("cuda").code(), Code::kFailedPrecondition);
  EXPECT_EQ(Open("cuda:all").code(), Code::kFailedPrecondition);
  EXPECT_EQ(executor, nullptr);
}

TEST_F(LoadExecutorTest, TheLibraryOfNpmHasNoFilesForGpus) {
  options.device.provider = nullptr;
  for (const char* device : {"cuda", "cuda:all", "tensorrt", "tensorrt:all"}) {
    const Status status = Open(device);
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_NE(status.message().find("onnxruntime-gpu"), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace millrace

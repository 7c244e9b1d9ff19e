// Decoders on one GPU: the CPU plays it, and a fake CUDA runtime counts what is copied where.
#include <gtest/gtest.h>

#include <random>

#include "ort/decoder_session.h"
#include "support/decoder_model.h"

namespace millrace {
namespace {

using test::FakeCuda;
using test::GreedySearch;
using test::GreedySequence;

class DecoderDeviceTest : public testing::TestWithParam<std::string> {
 protected:
  DecoderDeviceTest() : model(GetParam()) {
    cuda.Reset();
    options = test::OptionsFor(GetParam(), GetParam() == "t5-gated" ? test::Form::kTwoFiles : test::Form::kMerged);
    options.device.device = "cuda:0";
    options.device.provider = &provider;
    options.device.cuda = &FakeCuda::Table();
  }
  Status Load() { return LoadDecoder(test::TestLibrary(), options, decoder); }

  // Runs the first step of some copies of a text.
  void Start(GreedySearch& search, std::vector<GreedySequence>& sequences) {
    std::vector<GreedySequence*> all = Pointers(sequences);
    ASSERT_TRUE(search.Encode(all).ok());
    ASSERT_TRUE(search.Step(all, sequences.front().left()).ok());
  }
  static std::vector<GreedySequence*> Pointers(std::vector<GreedySequence>& sequences) {
    std::vector<GreedySequence*> pointers;
    for (GreedySequence& sequence : sequences) pointers.push_back(&sequence);
    return pointers;
  }

  FakeCuda& cuda = FakeCuda::Get();
  test::FakeProvider provider;
  const test::TextModel model;
  DecoderOptions options;
  std::unique_ptr<LoadedDecoder> decoder;
};

TEST_P(DecoderDeviceTest, TokensAreThoseOfTransformers) {
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(decoder->report().device, "cuda:0");
  for (const size_t text : {0u, 1u, 2u, 5u}) {
    GreedySearch search(*decoder);
    GreedySequence sequence = model.Sequence(text);
    const Status status = search.Finish(sequence);
    ASSERT_TRUE(status.ok()) << status.message();
    if (!model.reference().greedy[text].empty()) {
      EXPECT_EQ(sequence.tokens, model.reference().greedy[text]);
    }
  }
}

TEST_P(DecoderDeviceTest, OnlyTheLastLogitsLeaveTheDevice) {
  ASSERT_TRUE(Load().ok());
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(3, model.Sequence(2));
  const size_t row_bytes = sizeof(float) * static_cast<size_t>(decoder->facts().vocabulary);
  size_t before = cuda.copied(CudaCopy::kToHost);
  Start(search, sequences);
  // A prompt has logits for each of its tokens.
  EXPECT_EQ(cuda.copied(CudaCopy::kToHost) - before, 3 * row_bytes);
  before = cuda.copied(CudaCopy::kToHost);
  ASSERT_TRUE(search.Step(Pointers(sequences), 1).ok());
  EXPECT_EQ(cuda.copied(CudaCopy::kToHost) - before, 3 * row_bytes);
  EXPECT_EQ(decoder->copies().device_to_host_bytes, 6 * row_bytes);
}

TEST_P(DecoderDeviceTest, KeysAndValuesStayWhereTheyAre) {
  ASSERT_TRUE(Load().ok());
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(3, model.Sequence(2));
  Start(search, sequences);
  const size_t within = cuda.copied(CudaCopy::kOnDevice);
  const size_t in = cuda.copied(CudaCopy::kToDevice);
  const CopyCounters before = decoder->copies();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(search.Step(Pointers(sequences), 1).ok());
  }
  EXPECT_EQ(cuda.copied(CudaCopy::kOnDevice), within);
  EXPECT_EQ(cuda.copied(CudaCopy::kToDevice), in);
  EXPECT_EQ(decoder->copies().reused - before.reused, 4u);
  // What ONNX Runtime copies to a real GPU when it is bound: ids, masks and positions.
  EXPECT_GT(decoder->copies().host_to_device_bytes, before.host_to_device_bytes);
  EXPECT_LT(decoder->copies().host_to_device_bytes - before.host_to_device_bytes, 10'000u);
}

TEST_P(DecoderDeviceTest, ReorderedRowsAreGatheredOnTheDevice) {
  ASSERT_TRUE(Load().ok());
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(4, model.Sequence(2));
  Start(search, sequences);
  const auto row_bytes = static_cast<size_t>(sequences[0].cache.length * decoder->facts().cache_bytes);
  ASSERT_TRUE(search.Step(Pointers(sequences), 1).ok());
  const size_t within = cuda.copied(CudaCopy::kOnDevice);
  const size_t calls = cuda.calls("Memcpy3DAsync");
  const CopyCounters before = decoder->copies();
  const size_t token_bytes = static_cast<size_t>(decoder->facts().cache_bytes);
  // The same text in each row: only keys and values of the decoder move. Rows 2 and 3 are one copy.
  ASSERT_TRUE(search.Step({&sequences[2], &sequences[3], &sequences[0], &sequences[1]}, 1).ok());
  EXPECT_EQ(decoder->copies().gathered_bytes - before.gathered_bytes, cuda.copied(CudaCopy::kOnDevice) - within);
  const size_t moved = 4 * (row_bytes + token_bytes);
  if (decoder->facts().encoder_decoder) {
    EXPECT_GT(cuda.copied(CudaCopy::kOnDevice) - within, moved) << "four texts of their own";
  } else {
    EXPECT_EQ(cuda.copied(CudaCopy::kOnDevice) - within, moved);
    EXPECT_EQ(cuda.calls("Memcpy3DAsync") - calls, 3u) << "two copies, and the logits";
  }
}

TEST_P(DecoderDeviceTest, TokensDoNotDependOnWhatSharesTheSteps) {
  ASSERT_TRUE(Load().ok());
  std::vector<GreedySequence> together;
  for (const size_t text : {0u, 2u, 4u, 6u}) together.push_back(model.Sequence(text));
  GreedySearch search(*decoder);
  ASSERT_TRUE(search.Encode(Pointers(together)).ok());
  std::mt19937 random(3);
  const bool mixed = decoder->facts().mixed_lengths;
  for (;;) {
    std::vector<GreedySequence*> running;
    for (GreedySequence& sequence : together) {
      if (!sequence.done()) running.push_back(&sequence);
    }
    if (running.empty()) break;
    std::shuffle(running.begin(), running.end(), random);
    const size_t count = running.front()->left();
    std::erase_if(running, [&](const GreedySequence* sequence) {
      return sequence->left() < count || (!mixed && sequence->seen != running.front()->seen);
    });
    ASSERT_TRUE(search.Step(running, count).ok());
  }
  size_t i = 0;
  for (const size_t text : {0u, 2u, 4u, 6u}) {
    GreedySequence alone = model.Sequence(text);
    ASSERT_TRUE(search.Finish(alone).ok());
    EXPECT_EQ(together[i++].tokens, alone.tokens) << text;
  }
}

TEST_P(DecoderDeviceTest, EveryCallOfTheLoadMayFail) {
  const size_t before = cuda.live();
  for (const char* function : {"GetDeviceCount", "StreamCreateWithFlags", "EventCreateWithFlags", "Malloc", "HostAlloc",
                               "EventRecord", "EventSynchronize", "ThreadExchangeStreamCaptureMode"}) {
    cuda.Reset();
    cuda.Fail(function, 1);
    EXPECT_FALSE(Load().ok()) << function;
    EXPECT_EQ(decoder, nullptr);
    EXPECT_EQ(cuda.live(), before) << function;
  }
}

TEST_P(DecoderDeviceTest, EveryCallOfAStepMayFailAndTheNextOneWorks) {
  ASSERT_TRUE(Load().ok());
  GreedySearch search(*decoder);
  GreedySequence expected = model.Sequence(2);
  ASSERT_TRUE(search.Finish(expected).ok());
  for (const char* function : {"Malloc", "Memcpy3DAsync", "Memset3DAsync", "EventRecord", "EventSynchronize",
                               "ThreadExchangeStreamCaptureMode"}) {
    // Rows that are gathered, of different lengths where they may be. Their old memory cannot be used again.
    std::vector<GreedySequence> sequences(2, model.Sequence(2));
    sequences.push_back(model.Sequence(4));
    for (GreedySequence& sequence : sequences) {
      ASSERT_TRUE(search.Encode({&sequence}).ok());
      ASSERT_TRUE(search.Step({&sequence}, sequence.left()).ok());
    }
    cuda.Fail(function, function == std::string("Malloc") ? FakeCuda::kThrows : 1, 1);
    Status status;
    try {
      status = search.Step({&sequences[2], &sequences[0], &sequences[1]}, 1);
    } catch (...) {
      status = Caught();
    }
    const bool used = function != std::string("Malloc") && (decoder->facts().mixed_lengths ||
                                                             function != std::string("Memset3DAsync"));
    cuda.Fail(function, 0, 0);
    if (used) {
      EXPECT_FALSE(status.ok()) << function;
    }
    GreedySequence again = model.Sequence(2);
    ASSERT_TRUE(search.Finish(again).ok()) << "after " << function;
    EXPECT_EQ(again.tokens, expected.tokens) << "after " << function;
  }
  EXPECT_TRUE(decoder->healthy());
}

TEST_P(DecoderDeviceTest, MemoryThatRunsOutLeavesNothingBehind) {
  const size_t before = cuda.live();
  for (size_t budget = 4'000;; budget += budget / 3) {
    ASSERT_LT(budget, 10'000'000u);
    cuda.Reset();
    cuda.LimitMemory(budget, SIZE_MAX);
    const Status status = Load();
    decoder.reset();
    EXPECT_EQ(cuda.live(), before) << budget;
    if (status.ok()) break;
    EXPECT_EQ(status.code(), Code::kResourceExhausted) << status.message();
  }
}

TEST_P(DecoderDeviceTest, ALostDeviceFailsEveryStepAndCanBeClosed) {
  ASSERT_TRUE(Load().ok());
  GreedySearch search(*decoder);
  std::vector<GreedySequence> sequences(1, model.Sequence(2));
  Start(search, sequences);
  cuda.Lose(0);
  EXPECT_EQ(search.Step({&sequences[0]}, 1).code(), Code::kUnavailable);
  EXPECT_FALSE(decoder->healthy());
  GreedySequence other = model.Sequence(2);
  EXPECT_EQ(search.Finish(other).message(), "The GPU is lost to this process: restart it");
  sequences.clear();
  decoder.reset();
}

TEST_P(DecoderDeviceTest, NothingIsLeftWhenTheDecoderAndItsRowsAreGone) {
  const size_t before = cuda.live();
  std::vector<GreedySequence> sequences(2, model.Sequence(2));
  {
    ASSERT_TRUE(Load().ok());
    GreedySearch search(*decoder);
    Start(search, sequences);
  }
  // Rows may outlive the decoder.
  decoder.reset();
  EXPECT_GT(cuda.live(), before);
  sequences.clear();
  EXPECT_EQ(cuda.live(), before);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, DecoderDeviceTest, testing::Values("t5", "t5-gated", "gpt2", "llama"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// -------------------------------------------------------------------------------------------

class DecoderDeviceNameTest : public testing::Test {
 protected:
  Status Load(const std::string& device) {
    DecoderOptions options = test::OptionsFor("gpt2");
    options.device.device = device;
    options.device.provider = &provider;
    options.device.cuda = &FakeCuda::Table();
    return LoadDecoder(test::TestLibrary(), options, decoder);
  }
  test::FakeProvider provider;
  std::unique_ptr<LoadedDecoder> decoder;
};

TEST_F(DecoderDeviceNameTest, DevicesThatACacheCannotLieOnAreRefused) {
  FakeCuda::Get().Reset(2);
  EXPECT_EQ(Load("cuda:all").code(), Code::kInvalidArgument);
  EXPECT_EQ(Load("tensorrt").code(), Code::kInvalidArgument);
  EXPECT_EQ(Load("tpu").code(), Code::kInvalidArgument);
  EXPECT_EQ(Load("cuda:2").code(), Code::kFailedPrecondition);
  ASSERT_TRUE(Load("cuda:1").ok());
  EXPECT_EQ(decoder->report().device, "cuda:1");
}

TEST_F(DecoderDeviceNameTest, AutoFallsBackToTheCpuAndSaysWhy) {
  FakeCuda::Get().Reset(0);
  ASSERT_TRUE(Load("auto").ok());
  EXPECT_EQ(decoder->report().device, "cpu");
  EXPECT_NE(decoder->report().fallback.find("no GPU"), std::string::npos) << decoder->report().fallback;
  FakeCuda::Get().Reset(1);
  ASSERT_TRUE(Load("auto").ok());
  EXPECT_EQ(decoder->report().device, "cuda:0");
  EXPECT_EQ(decoder->report().fallback, "");
}

}  // namespace
}  // namespace millrace

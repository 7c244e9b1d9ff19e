// What a load changes in a decoder's graph. That the changed decoders are right is shown where they are loaded.
#include "ort/decoder_edit.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "ort/model_graph.h"
#include "support/decoder_model.h"

namespace millrace {
namespace {

constexpr DecoderEdit kAll{true, true, true};

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string Decoder(const std::string& name) { return Read(MILLRACE_TEST_DECODERS + name + ".onnx"); }
std::string Text(const std::string& model, const std::string& file) {
  return Read(test::TextFolder(model) + "onnx/" + file + ".onnx");
}

// Returns the inputs that the edit has added.
std::vector<std::string> Added(const std::string& before, const std::string& after) {
  std::vector<std::string> names;
  const size_t known = ReadGraph(before).signature.inputs.size();
  const GraphFacts facts = ReadGraph(after);
  EXPECT_TRUE(facts.valid);
  for (size_t i = known; i < facts.signature.inputs.size(); ++i) names.push_back(facts.signature.inputs[i].name);
  return names;
}

TEST(DecoderEditTest, AddsWhatIsMissing) {
  using Names = std::vector<std::string>;
  const Names mask{"attention_mask"};
  const Names both{"attention_mask", "millrace.padding"};
  const struct {
    std::string model;
    DecoderEdit done;
    Names added;
  } cases[] = {
      {Decoder("plain"), {false, false, true}, {}},
      {Decoder("half"), {false, false, true}, {}},
      {Decoder("unmasked"), {true, false, true}, mask},
      {Decoder("counts"), {false, true, true}, {"millrace.padding"}},
      {Decoder("no-softmax"), {false, false, true}, {}},
      {Decoder("odd-positions"), {false, false, true}, {}},
      // It asks itself how many logits are wanted.
      {Decoder("rare"), {false, false, false}, {}},
      {Text("gpt2", "model"), {false, false, true}, {}},
      {Text("llama", "model"), {false, false, true}, {}},
      // Positions of T5 are distances, which padding before the tokens does not change.
      {Text("t5", "decoder_with_past_model"), {true, false, false}, mask},
      {Text("t5", "decoder_model_merged"), {true, false, false}, mask},
      {Text("t5", "decoder_model"), {false, false, false}, {}},
      {Text("t5", "encoder_model"), {false, false, false}, {}},
      {Text("bart", "decoder_model_merged"), {true, true, false}, both},
      {Text("marian", "decoder_model_merged"), {true, true, false}, both},
  };
  size_t number = 0;
  for (const auto& [model, expected, added] : cases) {
    ASSERT_FALSE(model.empty()) << number;
    DecoderEdit done;
    const std::string edited = EditDecoder(model, kAll, done);
    EXPECT_EQ(done.mask, expected.mask) << number;
    EXPECT_EQ(done.positions, expected.positions) << number;
    EXPECT_EQ(done.last_logits, expected.last_logits) << number;
    EXPECT_EQ(edited.empty(), !expected.any()) << number;
    if (!edited.empty()) {
      EXPECT_EQ(Added(model, edited), added) << number;
    }
    ++number;
  }
}

TEST(DecoderEditTest, ChangesOnlyWhatIsWanted) {
  DecoderEdit done;
  const std::string model = Decoder("unmasked");
  EXPECT_EQ(EditDecoder(model, {}, done), "");
  EXPECT_FALSE(done.any());
  EXPECT_NE(EditDecoder(model, {false, false, true}, done), "");
  EXPECT_FALSE(done.mask);
  EXPECT_TRUE(done.last_logits);
}

TEST(DecoderEditTest, AnyBytesAreRead) {
  const std::string model = Decoder("unmasked");
  DecoderEdit done;
  for (size_t size = 0; size < model.size(); size += 7) {
    const std::string edited = EditDecoder(std::string_view(model).substr(0, size), kAll, done);
    EXPECT_EQ(edited.empty(), !done.any());
  }
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = model;
    for (int j = 0; j < 3; ++j) damaged[random() % damaged.size()] = static_cast<char>(random());
    const std::string edited = EditDecoder(damaged, kAll, done);
    EXPECT_EQ(edited.empty(), !done.any());
  }
}

TEST(DecoderEditTest, AnOrdinaryModelIsLeftAlone) {
  DecoderEdit done;
  EXPECT_EQ(EditDecoder(Read(test::ModelPath("masked-mean")), kAll, done), "");
  EXPECT_EQ(EditDecoder(Read(test::ModelPath("slow-loop")), kAll, done), "");
}

}  // namespace
}  // namespace millrace

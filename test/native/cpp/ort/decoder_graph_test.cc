// What the inputs and outputs of a decoder's graphs mean, and what is said about graphs that are none.
#include "ort/decoder_graph.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

constexpr ElementType kFloat = ElementType::kFloat32;
constexpr ElementType kInt = ElementType::kInt64;

// A signature that grows.
class Graph {
 public:
  Graph& In(const std::string& name, ElementType type, std::vector<int64_t> dims) {
    signature.inputs.push_back({name, type, std::move(dims), {}});
    return *this;
  }
  Graph& Out(const std::string& name, ElementType type, std::vector<int64_t> dims) {
    signature.outputs.push_back({name, type, std::move(dims), {}});
    return *this;
  }
  // Two layers with two heads of four numbers.
  Graph& Past(const std::string& side = "", ElementType type = kFloat, int64_t heads = 2) {
    for (const std::string layer : {"0", "1"}) {
      In("past_key_values." + layer + side + ".key", type, {-1, heads, -1, 4});
      In("past_key_values." + layer + side + ".value", type, {-1, heads, -1, 4});
    }
    return *this;
  }
  Graph& Present(const std::string& side = "", ElementType type = kFloat, int64_t heads = 2) {
    for (const std::string layer : {"0", "1"}) {
      Out("present." + layer + side + ".key", type, {-1, heads, -1, 4});
      Out("present." + layer + side + ".value", type, {-1, heads, -1, 4});
    }
    return *this;
  }
  Graph& Without(const std::string& name) {
    std::erase_if(signature.inputs, [&](const TensorSpec& spec) { return spec.name == name; });
    std::erase_if(signature.outputs, [&](const TensorSpec& spec) { return spec.name == name; });
    return *this;
  }

  Signature signature;
};

Graph DecoderOnly(ElementType type = kFloat) {
  Graph graph;
  graph.In("input_ids", kInt, {-1, -1}).In("attention_mask", kInt, {-1, -1}).In("position_ids", kInt, {-1, -1});
  return graph.Past("", type).Out("logits", type, {-1, -1, 100}).Present("", type);
}

Graph FirstDecoder() {
  Graph graph;
  graph.In("encoder_attention_mask", kInt, {-1, -1}).In("input_ids", kInt, {-1, -1});
  graph.In("encoder_hidden_states", kFloat, {-1, -1, 8}).Out("logits", kFloat, {-1, -1, 100});
  return graph.Present(".decoder").Present(".encoder");
}

Graph LaterDecoder() {
  Graph graph;
  graph.In("encoder_attention_mask", kInt, {-1, -1}).In("input_ids", kInt, {-1, -1});
  return graph.Past(".decoder").Past(".encoder").Out("logits", kFloat, {-1, 1, 100}).Present(".decoder");
}

Graph MergedDecoder() {
  return FirstDecoder().Past(".decoder").Past(".encoder").In("use_cache_branch", ElementType::kBool, {1});
}

Graph Encoder() {
  Graph graph;
  graph.In("input_ids", kInt, {-1, -1}).In("attention_mask", kInt, {-1, -1});
  return graph.Out("last_hidden_state", kFloat, {-1, -1, 8});
}

class DecoderGraphTest : public testing::Test {
 protected:
  // Reads the graphs of a model and matches them.
  Status Match(const Graph& first_graph, const Graph& later_graph, const Graph* encoder_graph) {
    MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(first_graph.signature, "decoder", first));
    MILLRACE_RETURN_IF_ERROR(ReadDecoderGraph(later_graph.signature, "decoder", later));
    if (encoder_graph != nullptr) MILLRACE_RETURN_IF_ERROR(ReadEncoderGraph(encoder_graph->signature, encoder));
    return MatchGraphs(first, later, encoder_graph == nullptr ? nullptr : &encoder, format);
  }
  // Returns the sentence with which the graphs are refused.
  std::string Refusal(const Graph& first_graph, const Graph& later_graph, const Graph* encoder_graph = nullptr) {
    const Status status = Match(first_graph, later_graph, encoder_graph);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  }
  std::string Refusal(const Graph& graph) { return Refusal(graph, graph); }

  DecoderGraph first;
  DecoderGraph later;
  EncoderGraph encoder;
  DecoderFormat format;
};

TEST_F(DecoderGraphTest, DecoderOnly) {
  const Graph graph = DecoderOnly();
  ASSERT_TRUE(Match(graph, graph, nullptr).ok());
  EXPECT_EQ(first.mask->name, "attention_mask");
  EXPECT_EQ(first.positions->name, "position_ids");
  ASSERT_EQ(first.past.size(), 4u);
  EXPECT_EQ(first.past[3]->name, "past_key_values.1.value");
  EXPECT_EQ(first.present[2]->name, "present.1.key");
  EXPECT_EQ(format.self, (CacheFormat{kFloat, 4, 2, 4}));
  EXPECT_EQ(format.self.BytesPerToken(), 4 * 2 * 4 * 4);
  EXPECT_EQ(format.vocabulary, 100);
  EXPECT_EQ(format.cross.tensors, 0u);
  EXPECT_EQ(format.cross.BytesPerToken() + format.hidden.BytesPerToken(), 0);
}

TEST_F(DecoderGraphTest, HalfPrecision) {
  const Graph graph = DecoderOnly(ElementType::kFloat16);
  ASSERT_TRUE(Match(graph, graph, nullptr).ok());
  EXPECT_EQ(format.self.type, ElementType::kFloat16);
  EXPECT_EQ(format.logits, ElementType::kFloat16);
  EXPECT_EQ(format.self.BytesPerToken(), 4 * 2 * 4 * 2);
}

TEST_F(DecoderGraphTest, RareInputsAreKnown) {
  Graph graph = DecoderOnly();
  graph.In("cache_position", kInt, {-1}).In("num_logits_to_keep", kInt, {});
  graph.In("use_cache_branch", ElementType::kBool, {1});
  ASSERT_TRUE(Match(graph, graph, nullptr).ok());
  EXPECT_NE(first.cache_position, nullptr);
  EXPECT_NE(first.logits_kept, nullptr);
  EXPECT_NE(first.branch, nullptr);
}

TEST_F(DecoderGraphTest, EncoderAndDecoderInTwoFiles) {
  const Graph own = Encoder();
  ASSERT_TRUE(Match(FirstDecoder(), LaterDecoder(), &own).ok());
  EXPECT_EQ(format.cross, (CacheFormat{kFloat, 4, 2, 4}));
  EXPECT_EQ(format.hidden, (CacheFormat{kFloat, 1, 1, 8}));
}

TEST_F(DecoderGraphTest, EncoderAndMergedDecoder) {
  const Graph own = Encoder();
  const Graph merged = MergedDecoder();
  ASSERT_TRUE(Match(merged, merged, &own).ok());
  EXPECT_EQ(first.cross_present.size(), 4u);
  EXPECT_EQ(first.cross_past.size(), 4u);
  EXPECT_EQ(first.cross_past[1]->name, "past_key_values.0.encoder.value");
}

TEST_F(DecoderGraphTest, WhatIsMissingIsNamed) {
  const struct {
    const char* removed;
    const char* named;
  } cases[] = {
      {"input_ids", "no input 'input_ids'"},
      {"logits", "no output 'logits'"},
      {"past_key_values.0.key", "no input 'past_key_values.0.key'"},
      {"past_key_values.1.value", "no input 'past_key_values.1.value'"},
      {"present.0.value", "no output 'present.0.value'"},
      {"present.1.value", "no output 'present.1.value'"},
  };
  for (const auto& [removed, named] : cases) {
    const std::string sentence = Refusal(DecoderOnly().Without(removed));
    EXPECT_NE(sentence.find(named), std::string::npos) << sentence;
  }
  EXPECT_NE(Refusal(Graph(DecoderOnly()).Without("present.1.key").Without("present.1.value")).find("export"),
            std::string::npos);
}

TEST_F(DecoderGraphTest, ADecoderWithoutACacheIsRefused) {
  Graph graph;
  graph.In("input_ids", kInt, {-1, -1}).Out("logits", kFloat, {-1, -1, 100});
  EXPECT_EQ(Refusal(graph),
            "The decoder has no input 'past_key_values.0.key': export the model with `optimum-cli export onnx` for a "
            "task that ends in `-with-past`");
  const Graph own = Encoder();
  EXPECT_NE(Refusal(FirstDecoder(), FirstDecoder(), &own).find("past_key_values.0.encoder.key"), std::string::npos);
}

TEST_F(DecoderGraphTest, WhatIsUnknownIsNamed) {
  EXPECT_EQ(Refusal(DecoderOnly().In("pixel_values", kFloat, {-1, 3, 224, 224})),
            "Input 'pixel_values' of the decoder is unknown: it is none of the inputs that optimum and transformers.js "
            "use");
  EXPECT_NE(Refusal(DecoderOnly().In("past_key_values.0.state", kFloat, {-1, 2, -1, 4})).find("unknown"),
            std::string::npos);
  Graph own = Encoder();
  own.In("token_type_ids", kInt, {-1, -1});
  EXPECT_NE(Refusal(FirstDecoder(), LaterDecoder(), &own).find("'token_type_ids' of the encoder"), std::string::npos);
}

TEST_F(DecoderGraphTest, WrongTypesAndShapesAreNamed) {
  const auto replaced = [](const std::string& name, ElementType type, std::vector<int64_t> dims) {
    return DecoderOnly().Without(name).In(name, type, std::move(dims));
  };
  EXPECT_EQ(Refusal(replaced("input_ids", kFloat, {-1, -1})),
            "Input 'input_ids' of the decoder is float32 [-1,-1]; expected int64 or int32 with 2 dimensions");
  EXPECT_NE(Refusal(replaced("attention_mask", kInt, {-1})).find("'attention_mask' of the decoder is int64 [-1]"),
            std::string::npos);
  EXPECT_NE(Refusal(replaced("past_key_values.0.key", kFloat, {-1, -1, 4})).find("with 4 dimensions"),
            std::string::npos);
  EXPECT_NE(Refusal(replaced("past_key_values.0.key", kFloat, {-1, -1, -1, 4})).find("must say the number of heads"),
            std::string::npos);
  EXPECT_NE(Refusal(DecoderOnly().Without("logits").Out("logits", kFloat, {-1, -1, -1})).find("size of the vocabulary"),
            std::string::npos);
  Graph uneven = DecoderOnly().Without("past_key_values.1.key").In("past_key_values.1.key", kFloat, {-1, 3, -1, 4});
  EXPECT_EQ(Match(uneven, uneven, nullptr).code(), Code::kUnimplemented);
}

TEST_F(DecoderGraphTest, FilesThatDoNotBelongTogetherAreRefused) {
  const Graph own = Encoder();
  EXPECT_NE(Refusal(FirstDecoder(), LaterDecoder()).find("no encoder is named"), std::string::npos);
  EXPECT_NE(Refusal(DecoderOnly(), DecoderOnly(), &own).find("leave the encoder out"), std::string::npos);
  EXPECT_NE(Refusal(LaterDecoder(), LaterDecoder(), &own).find("leave the encoder out"), std::string::npos);
  EXPECT_NE(Refusal(MergedDecoder().Without("use_cache_branch"), MergedDecoder().Without("use_cache_branch"), &own)
                .find("'use_cache_branch'"),
            std::string::npos);
  Graph other = LaterDecoder().Without("logits").Out("logits", kFloat, {-1, -1, 99});
  EXPECT_NE(Refusal(FirstDecoder(), other, &own).find("same export"), std::string::npos);
  Graph wide;
  wide.In("input_ids", kInt, {-1, -1}).In("attention_mask", kInt, {-1, -1});
  wide.Out("last_hidden_state", kFloat, {-1, -1, 16});
  EXPECT_EQ(Refusal(FirstDecoder(), LaterDecoder(), &wide),
            "The encoder's output is float32 [-1,-1,16], but the decoder reads float32 [-1,-1,8]");
  Graph heads;
  heads.In("encoder_attention_mask", kInt, {-1, -1}).In("input_ids", kInt, {-1, -1}).Past(".decoder", kFloat, 3);
  heads.Past(".encoder").Out("logits", kFloat, {-1, 1, 100}).Present(".decoder", kFloat, 3);
  EXPECT_NE(Refusal(FirstDecoder(), heads, &own).find("same export"), std::string::npos);
}

}  // namespace
}  // namespace millrace

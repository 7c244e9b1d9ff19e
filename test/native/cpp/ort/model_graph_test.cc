#include "ort/model_graph.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "ort/sha256.h"
#include "ort/wire.h"

namespace millrace {
namespace {

std::string Fixture(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_TEST_MODELS) + name + ".onnx", std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string Message(std::initializer_list<std::pair<uint32_t, std::string>> fields) {
  std::string message;
  for (const auto& [number, bytes] : fields) PutBytes(message, number, bytes);
  return message;
}

std::string Node(const char* type, std::vector<std::string> inputs, std::vector<std::string> outputs) {
  std::string node;
  for (const std::string& input : inputs) PutBytes(node, 1, input);
  for (const std::string& output : outputs) PutBytes(node, 2, output);
  PutBytes(node, 4, type);
  return node;
}

std::string Model(std::string graph) { return Message({{7, std::move(graph)}}); }

TEST(ModelGraph, ReadsWhatTheFixturesHold) {
  const GraphFacts plain = ReadGraph(Fixture("two-in-two-out"));
  EXPECT_TRUE(plain.valid);
  EXPECT_FALSE(plain.control_flow || plain.data_sized);
  EXPECT_TRUE(plain.external.empty() && plain.zip_maps.empty());
  EXPECT_TRUE(ReadGraph(Fixture("slow-loop")).control_flow);
  EXPECT_TRUE(ReadGraph(Fixture("kept-rows")).data_sized);
  EXPECT_TRUE(ReadGraph(Fixture("kept-boxes")).data_sized);
  EXPECT_FALSE(ReadGraph(Fixture("masked-mean")).data_sized);
  EXPECT_EQ(ReadGraph(Fixture("external-data/model")).external, std::vector<std::string>{"weights.bin"});
}

TEST(ModelGraph, ASizeThatDependsOnShapesAloneDependsOnNoData) {
  const auto sized = [](std::initializer_list<std::string> nodes) {
    std::string graph;
    for (const std::string& node : nodes) PutBytes(graph, 1, node);
    PutBytes(graph, 5, Message({{8, "constant"}}));
    return ReadGraph(Model(graph)).data_sized;
  };
  EXPECT_FALSE(sized({Node("Shape", {"x"}, {"s"}), Node("Concat", {"s", "constant"}, {"t"}),
                      Node("Reshape", {"x", "t"}, {"y"})}));
  EXPECT_FALSE(sized({Node("Slice", {"x", "constant", "constant"}, {"y"})}));
  EXPECT_TRUE(sized({Node("Reshape", {"x", "n"}, {"y"})}));
  EXPECT_TRUE(sized({Node("Shape", {"x"}, {"s"}), Node("Add", {"s", "n"}, {"t"}),
                     Node("Reshape", {"x", "t"}, {"y"})}));
  EXPECT_TRUE(sized({Node("NonZero", {"x"}, {"y"})}));
  for (const char* type : {"OneHot", "DFT", "Col2Im", "AffineGrid"}) {
    EXPECT_TRUE(sized({Node(type, {"x", "n"}, {"y"})})) << type;
    EXPECT_FALSE(sized({Node(type, {"x", "constant"}, {"y"})})) << type;
  }
  for (const char* type : {"HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"}) {
    EXPECT_TRUE(sized({Node(type, {"n"}, {"y"})})) << type;
    EXPECT_FALSE(sized({Node(type, {"constant"}, {"y"})})) << type;
  }
}

std::string Number(uint32_t field, uint64_t value) {
  std::string message;
  PutVarint(message, field, value);
  return message;
}

// A tensor of int64 with these dimensions, of which each is a DimensionProto.
std::string Value(const std::string& name, std::initializer_list<std::string> dimensions) {
  std::string shape;
  for (const std::string& dimension : dimensions) PutBytes(shape, 1, dimension);
  const std::string tensor = Number(1, 7) + Message({{2, shape}});
  return Message({{1, name}, {2, Message({{1, tensor}})}});
}

TEST(ModelGraph, TellsTheInputsAndOutputsOfTheFile) {
  const std::string graph = Message({{11, Value("ids", {Message({{2, "batch"}}), "", Number(1, 3)})},
                                     {11, Value("weight", {Number(1, 2)})},
                                     {5, Message({{8, "weight"}})},
                                     {12, Message({{1, "unknown"}})},
                                     {12, Value("whole", {})}});
  const Signature signature = ReadGraph(Model(graph)).signature;
  ASSERT_EQ(signature.inputs.size(), 1u);
  EXPECT_EQ(signature.inputs[0].name, "ids");
  EXPECT_EQ(signature.inputs[0].type, ElementType::kInt64);
  EXPECT_EQ(signature.inputs[0].dims, (std::vector<int64_t>{-1, -1, 3}));
  EXPECT_EQ(signature.inputs[0].symbols, (std::vector<std::string>{"batch", "", ""}));
  ASSERT_EQ(signature.outputs.size(), 2u);
  EXPECT_EQ(signature.outputs[0].type, ElementType::kUndefined);
  EXPECT_EQ(signature.outputs[1].type, ElementType::kInt64);
  EXPECT_TRUE(signature.outputs[0].dims.empty() && signature.outputs[1].dims.empty());
}

std::string ZipMapModel(const std::string& attribute) {
  std::string node = Node("ZipMap", {"scores"}, {"maps"});
  PutBytes(node, 5, attribute);
  PutBytes(node, 7, "ai.onnx.ml");
  return Model(Message({{1, node}, {12, Message({{1, "label"}})}, {12, Message({{1, "maps"}})}}));
}

TEST(ModelGraph, AZipMapGivesItsLabels) {
  const std::string model = ZipMapModel(
      Message({{1, "classlabels_strings"}, {9, "a"}, {9, "ä b"}}));
  const GraphFacts facts = ReadGraph(model);
  ASSERT_EQ(facts.zip_maps.size(), 1u);
  EXPECT_EQ(facts.zip_maps[0].input, "scores");
  EXPECT_EQ(facts.zip_maps[0].output, "maps");
  EXPECT_EQ(facts.zip_maps[0].labels, (std::vector<std::string>{"a", "ä b"}));

  std::string one_by_one = Message({{1, "classlabels_int64s"}});
  PutVarint(one_by_one, 8, 7);
  PutVarint(one_by_one, 8, static_cast<uint64_t>(-2));
  EXPECT_EQ(ReadGraph(ZipMapModel(one_by_one)).zip_maps[0].labels, (std::vector<std::string>{"7", "-2"}));
  const std::string packed = Message({{1, "classlabels_int64s"}, {8, std::string("\x07\x96\x01", 3)}});
  EXPECT_EQ(ReadGraph(ZipMapModel(packed)).zip_maps[0].labels, (std::vector<std::string>{"7", "150"}));
}

TEST(ModelGraph, WithoutZipMapsTheProbabilitiesHaveTheNameOfTheMaps) {
  const std::string model =
      ZipMapModel(Message({{1, "classlabels_strings"}, {9, "a"}, {9, "b"}}));
  const std::string edited = WithoutZipMaps(model, ReadGraph(model).zip_maps);
  const GraphFacts facts = ReadGraph(edited);
  EXPECT_TRUE(facts.valid);
  EXPECT_TRUE(facts.zip_maps.empty());
  EXPECT_EQ(edited.find("ZipMap"), std::string::npos);
  EXPECT_NE(edited.find("Identity"), std::string::npos);
  EXPECT_NE(edited.find("maps"), std::string::npos);
}

TEST(ModelGraph, AZipMapWithinTheModelIsLeftAlone) {
  std::string node = Node("ZipMap", {"scores"}, {"inner"});
  EXPECT_TRUE(ReadGraph(Model(Message({{1, node}, {12, Message({{1, "y"}})}}))).zip_maps.empty());
}

// Under the sanitizers this also reads no byte that is not there.
TEST(ModelGraph, AnyBytesAreSafe) {
  const std::string whole = Fixture("slow-loop");
  const std::string maps = ZipMapModel(Message({{1, "classlabels_int64s"}, {8, std::string("\x07\xff", 2)}}));
  for (const std::string& model : {whole, maps}) {
    for (size_t size = 0; size < model.size(); ++size) {
      const std::string part = model.substr(0, size);
      WithoutZipMaps(part, ReadGraph(part).zip_maps);
    }
    std::mt19937 random(1);
    for (int round = 0; round < 3000; ++round) {
      std::string broken = model;
      for (int i = 0; i < 3; ++i) broken[random() % broken.size()] = static_cast<char>(random());
      WithoutZipMaps(broken, ReadGraph(broken).zip_maps);
    }
  }
  EXPECT_FALSE(ReadGraph("").valid);
  EXPECT_FALSE(ReadGraph("This file is text").valid);
}

TEST(ModelGraph, NestingHasALimit) {
  std::string graph = Message({{1, Node("Neg", {"x"}, {"y"})}});
  for (int i = 0; i < 200; ++i) {
    std::string node = Node("If", {"c"}, {"y"});
    PutBytes(node, 5, Message({{1, "then_branch"}, {6, graph}}));
    graph = Message({{1, node}});
  }
  EXPECT_FALSE(ReadGraph(Model(graph)).valid);
}

TEST(Sha256, GivesTheDigestsOfTheStandard) {
  const auto digest = [](const std::string& text, size_t step) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += step) hash.Add(text.substr(at, step));
    return hash.Digest();
  };
  EXPECT_EQ(digest("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc", 2), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 5),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1'000'000, 'a');
  for (const size_t step : {size_t{1}, size_t{63}, size_t{64}, size_t{4096}, million.size()}) {
    EXPECT_EQ(digest(million, step),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

}  // namespace
}  // namespace millrace

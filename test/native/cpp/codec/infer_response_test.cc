#include "codec/infer_response.h"

#include <gtest/gtest.h>

#include <cmath>

#include "codec/datatype.h"
#include "support/codec.h"

namespace millrace {
namespace {

using test::ViewOf;

struct Written {
  Status status;
  std::string text;
  size_t json = 0;
};

Written Write(const InferResponse& response, NonFinite non_finite = NonFinite::kError) {
  Written written;
  JsonBuffer out;
  out.Append("before ");
  written.status = AppendInferResponse(response, non_finite, out, written.json);
  EXPECT_TRUE(out.view().starts_with("before "));
  written.text = out.view().substr(7);
  return written;
}

TEST(AppendInferResponse, HasTheMembersOfTheProtocol) {
  const std::vector<float> values = {1, 2.5, -3, 4};
  const std::vector<std::string> strings = {"a", "\"€\n"};
  TensorView y = ViewOf(ElementType::kFloat32, values);
  y.shape = test::MakeShape({2, 2});
  const InferResponseOutput outputs[] = {{"y", y}, {"s", ViewOf(strings)}};
  const Written written = Write({"iris", "v1.0", "7\t", outputs});
  ASSERT_TRUE(written.status.ok());
  EXPECT_EQ(written.text,
            R"({"model_name":"iris","model_version":"v1.0","id":"7\t","outputs":[)"
            R"({"name":"y","datatype":"FP32","shape":[2,2],"data":[1,2.5,-3,4]},)"
            R"({"name":"s","datatype":"BYTES","shape":[2],"data":["a","\"€\n"]}]})");
  EXPECT_EQ(written.json, written.text.size());
}

TEST(AppendInferResponse, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(Write({"m", "", "", {}}).text, R"({"model_name":"m","outputs":[]})");
  const std::vector<float> one = {1};
  TensorView scalar = ViewOf(ElementType::kFloat32, one);
  scalar.shape = {};
  const InferResponseOutput outputs[] = {{"y", scalar}};
  EXPECT_EQ(Write({"m", "", "", outputs}).text,
            R"({"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[],"data":[1]}]})");
}

TEST(AppendInferResponse, BinaryOutputsFollowTheJsonInTheirOrder) {
  const std::vector<uint16_t> halves = {0x3c00, 0x4000};
  const std::vector<int32_t> numbers = {7};
  const std::vector<std::string> strings = {"ab", ""};
  const InferResponseOutput outputs[] = {{"h", ViewOf(ElementType::kFloat16, halves), true},
                                         {"n", ViewOf(ElementType::kInt32, numbers), false},
                                         {"s", ViewOf(strings), true}};
  const Written written = Write({"m", "", "", outputs});
  ASSERT_TRUE(written.status.ok());
  EXPECT_EQ(written.text.substr(0, written.json),
            R"({"model_name":"m","outputs":[)"
            R"({"name":"h","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}},)"
            R"({"name":"n","datatype":"INT32","shape":[1],"data":[7]},)"
            R"({"name":"s","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}}]})");
  EXPECT_EQ(written.text.substr(written.json), std::string("\0\x3c\0\x40\2\0\0\0ab\0\0\0\0", 14));
}

TEST(AppendInferResponse, AnOutputThatHasNoTextIsNamedAndNothingIsWritten) {
  const std::vector<float> values = {1, std::nanf("")};
  const InferResponseOutput outputs[] = {{"y", ViewOf(ElementType::kFloat32, values)}};
  const Written written = Write({"m", "", "", outputs});
  EXPECT_EQ(written.status.code(), Code::kFailedPrecondition);
  EXPECT_TRUE(written.status.message().starts_with("Output 'y': A float32 tensor has NaN"));
  EXPECT_EQ(written.text, "");
  EXPECT_EQ(Write({"m", "", "", outputs}, NonFinite::kNull).text,
            R"({"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1,null]}]})");
  const InferResponseOutput binary[] = {{"y", ViewOf(ElementType::kFloat32, values), true}};
  EXPECT_TRUE(Write({"m", "", "", binary}).status.ok()) << "raw bytes can be any float";
}

TEST(Datatype, NamesAndTypesAreOneToOne) {
  int named = 0;
  for (int value = 0; value < 32; ++value) {
    const auto type = static_cast<ElementType>(value);
    const std::string name = DatatypeName(type);
    if (name.empty()) continue;
    ++named;
    EXPECT_EQ(DatatypeFromName(name), type);
    EXPECT_NE(std::string(ElementName(type)), "");
  }
  EXPECT_EQ(named, 14);
  EXPECT_EQ(DatatypeFromName(""), ElementType::kUndefined);
  EXPECT_EQ(DatatypeFromName("FP31"), ElementType::kUndefined);
}

}  // namespace
}  // namespace millrace

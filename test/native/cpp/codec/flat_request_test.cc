#include "codec/flat_request.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "support/codec.h"

namespace millrace {
namespace {

using test::ExactText;

class FlatRequests : public testing::Test {
 protected:
  std::optional<std::string> Write(std::string_view body) {
    // Of its exact size, for the sanitizer.
    block = std::make_unique<std::byte[]>(size);
    FlatRequest flat({block.get(), size});
    InferRequest request;
    const ExactText exact(body);
    status = ParseInferRequest(exact.view(), std::nullopt, NonFinite::kLiteral, {}, flat, request);
    return status.ok() ? flat.Write(request) : std::nullopt;
  }

  int32_t Layout(size_t index) const {
    int32_t value = 0;
    std::memcpy(&value, block.get() + index * sizeof(value), sizeof(value));
    return value;
  }

  template <class T>
  T Element(size_t offset, size_t index) const {
    T value{};
    std::memcpy(&value, block.get() + offset + index * sizeof(T), sizeof(T));
    return value;
  }

  size_t size = 8192;
  std::unique_ptr<std::byte[]> block;
  Status status;
};

TEST_F(FlatRequests, LaysOutInputsAndOutputs) {
  const auto names = Write(
      R"({"id":"a1","outputs":[{"name":"y"}],"inputs":[)"
      R"({"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2.5,-3]},)"
      R"({"name":"ids","datatype":"INT64","shape":[2],"data":[9007199254740993,-1]}]})");
  ASSERT_TRUE(names) << status.message();
  EXPECT_EQ(*names, "a1xidsy");
  EXPECT_EQ(Layout(0), 2);
  EXPECT_EQ(Layout(1), 1);
  EXPECT_EQ(Layout(2), 2);
  // x: name, type, sizes, offset, elements, the sizes.
  EXPECT_EQ(Layout(3), 1);
  EXPECT_EQ(Layout(4), static_cast<int32_t>(ElementType::kFloat32));
  EXPECT_EQ(Layout(5), 2);
  const auto x = static_cast<size_t>(Layout(6));
  EXPECT_EQ(x % 8, 0u);
  EXPECT_EQ(Layout(7), 3);
  EXPECT_EQ(Layout(8), 1);
  EXPECT_EQ(Layout(9), 3);
  EXPECT_EQ(Element<float>(x, 1), 2.5f);
  const auto ids = static_cast<size_t>(Layout(13));
  EXPECT_EQ(ids % 8, 0u);
  EXPECT_EQ(Element<int64_t>(ids, 0), 9007199254740993);
  EXPECT_EQ(Layout(16), 1);
}

TEST_F(FlatRequests, MarksARequestThatListsNoOutputs) {
  ASSERT_TRUE(Write(R"({"inputs":[]})"));
  EXPECT_EQ(Layout(0), 0);
  EXPECT_EQ(Layout(1), -1);
}

TEST_F(FlatRequests, LeavesTheRestToTheGeneralParser) {
  constexpr std::string_view kInput = R"("datatype":"FP32","shape":[1],"data":[1])";
  const std::string input(kInput);
  for (const std::string& body : {
           R"({"parameters":{"priority":1},"inputs":[{"name":"x",)" + input + "}]}",
           R"({"inputs":[{"name":"x","parameters":{"a":1},)" + input + "}]}",
           R"({"inputs":[{"name":"x",)" + input + R"(}],"outputs":[{"name":"y","parameters":{"classification":1}}]})",
           R"({"inputs":[{"name":"\u00e4",)" + input + "}]}",
           R"({"id":"\u00e4","inputs":[{"name":"x",)" + input + "}]}",
       }) {
    EXPECT_FALSE(Write(body)) << body;
    EXPECT_TRUE(status.ok()) << body;
  }
  EXPECT_FALSE(Write(R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"]}]})"));
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
}

TEST_F(FlatRequests, NeverWritesBeyondItsBlock) {
  std::string data = "1";
  for (int i = 1; i < 1024; ++i) data += ",1";
  const auto body = [&](std::string_view shape) {
    return R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)" + std::string(shape) +
           R"(],"data":[)" + data + "]}]}";
  };
  size = 4096 + 4096;
  EXPECT_TRUE(Write(body("1024")));
  size = 4096 + 4095;
  EXPECT_FALSE(Write(body("1024")));
  size = 4095;
  EXPECT_FALSE(Write(R"({"inputs":[]})"));
}

}  // namespace
}  // namespace millrace

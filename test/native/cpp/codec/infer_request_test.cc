#include "codec/infer_request.h"

#include <gtest/gtest.h>

#include <map>

#include "support/codec.h"

namespace millrace {
namespace {

using test::ExactText;

// Keeps what it is given, for every input.
class Sink final : public InferSink {
 public:
  std::byte* Numbers(size_t input, ElementType type, size_t count) override {
    if (refuses) return nullptr;
    ++asked;
    auto& bytes = numbers[input];
    bytes.resize(count * ElementSize(type));
    // One byte aside, since any alignment is allowed; of its exact size, for the sanitizer.
    memory[input] = std::make_unique<std::byte[]>(bytes.size() + 1);
    return memory[input].get() + 1;
  }

  bool Strings(size_t input, size_t count) override {
    ++asked;
    strings[input].resize(count);
    return !refuses;
  }

  bool String(size_t input, size_t element, std::string_view text) override {
    strings[input].at(element) = text;
    return !refuses_strings;
  }

  template <class T>
  std::vector<T> As(size_t input) const {
    std::vector<T> values(numbers.at(input).size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), memory.at(input).get() + 1, values.size() * sizeof(T));
    return values;
  }

  bool refuses = false;
  bool refuses_strings = false;
  size_t asked = 0;
  std::map<size_t, std::vector<std::byte>> numbers;
  std::map<size_t, std::unique_ptr<std::byte[]>> memory;
  std::map<size_t, std::vector<std::string>> strings;
};

class InferRequests : public testing::Test {
 protected:
  Status Parse(std::string_view body, std::optional<size_t> json = std::nullopt,
               NonFinite non_finite = NonFinite::kError) {
    request = {};
    const ExactText exact(body);
    return ParseInferRequest(exact.view(), json, non_finite, limits, sink, request);
  }

  void ExpectRefused(std::string_view body, const std::string& message, std::optional<size_t> json = std::nullopt) {
    const Status status = Parse(body, json);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << body;
    EXPECT_EQ(status.message(), message) << body;
  }

  // A request of one input with these members.
  static std::string Input(const std::string& members) { return R"({"inputs":[{)" + members + "}]}"; }

  InferLimits limits;
  Sink sink;
  InferRequest request;
};

TEST_F(InferRequests, AWholeRequestIsRead) {
  const Status status = Parse(R"({
    "id": "7 \u00e9", "parameters": {"a": true, "b": -1, "c": 1.5, "d": "text", "e": 18446744073709551615},
    "inputs": [
      {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4.5]]},
      {"name": "s", "datatype": "BYTES", "shape": [2], "data": ["a", "\u20ac"], "parameters": {"p": "q"}}
    ],
    "outputs": [{"name": "y", "parameters": {"binary_data": true}}, {"name": "z"}],
    "unknown": [1, {"deep": [null]}]
  })");
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(request.id, "7 é");
  ASSERT_EQ(request.parameters.size(), 5u);
  EXPECT_EQ(std::get<bool>(Find(request.parameters, "a")->value), true);
  EXPECT_EQ(std::get<int64_t>(Find(request.parameters, "b")->value), -1);
  EXPECT_EQ(std::get<double>(Find(request.parameters, "c")->value), 1.5);
  EXPECT_EQ(std::get<std::string>(Find(request.parameters, "d")->value), "text");
  EXPECT_EQ(std::get<uint64_t>(Find(request.parameters, "e")->value), UINT64_MAX);
  EXPECT_EQ(Find(request.parameters, "f"), nullptr);
  ASSERT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(request.inputs[0].name, "x");
  EXPECT_EQ(request.inputs[0].type, ElementType::kFloat32);
  EXPECT_EQ(request.inputs[0].shape, test::MakeShape({2, 2}));
  EXPECT_EQ(request.inputs[0].elements, 4u);
  EXPECT_EQ(request.inputs[0].offset, std::nullopt);
  EXPECT_EQ(sink.As<float>(0), (std::vector<float>{1, 2, 3, 4.5}));
  EXPECT_EQ(sink.strings[1], (std::vector<std::string>{"a", "€"}));
  ASSERT_TRUE(request.outputs);
  ASSERT_EQ(request.outputs->size(), 2u);
  EXPECT_EQ(request.outputs->at(0).name, "y");
  EXPECT_EQ(sink.asked, 2u);
}

TEST_F(InferRequests, MembersMayComeInAnyOrder) {
  ASSERT_TRUE(Parse(Input(R"("data":[[1],[2]],"shape":[2,1],"datatype":"INT64","name":"x")")).ok());
  EXPECT_EQ(sink.As<int64_t>(0), (std::vector<int64_t>{1, 2}));
  ASSERT_TRUE(Parse(Input(R"("data":["a"],"name":"x","datatype":"BYTES","shape":[1])")).ok());
  EXPECT_EQ(sink.strings[0], std::vector<std::string>{"a"});
}

TEST_F(InferRequests, EveryDatatypeIsReadFromJson) {
  for (const char* name : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16",
                           "FP32", "FP64", "BF16", "BYTES"}) {
    const std::string type = name;
    const std::string data = type == "BOOL" ? "true" : type == "BYTES" ? "\"1\"" : "1";
    const Status status = Parse(Input(R"("name":"x","shape":[1],"datatype":")" + type + R"(","data":[)" + data + "]"));
    EXPECT_TRUE(status.ok()) << type << ": " << status.message();
  }
}

TEST_F(InferRequests, NullIsAnAbsentIdParametersOrOutputs) {
  ASSERT_TRUE(Parse(R"({"id":null,"parameters":null,"outputs":null,"inputs":[]})").ok());
  EXPECT_EQ(request.id, "");
  EXPECT_FALSE(request.outputs);
  ASSERT_TRUE(Parse(R"({"outputs":[],"inputs":[]})").ok());
  EXPECT_TRUE(request.outputs && request.outputs->empty());
}

TEST_F(InferRequests, AnInputWithoutElementsAsksTheSinkOnce) {
  ASSERT_TRUE(Parse(Input(R"("name":"x","shape":[0,4],"datatype":"FP32","data":[])")).ok());
  EXPECT_EQ(request.inputs[0].elements, 0u);
  EXPECT_EQ(sink.asked, 1u);
}

TEST_F(InferRequests, MissingAndDuplicateMembersAreNamed) {
  ExpectRefused("{}", "The request has no member 'inputs': expected an array of inputs");
  ExpectRefused(Input(R"("shape":[1],"datatype":"FP32","data":[1])"), "Input number 0 has no member 'name': expected a string");
  ExpectRefused(Input(R"("name":"x","datatype":"FP32","data":[1])"), "Input 'x' has no member 'shape': expected an array of integers");
  ExpectRefused(Input(R"("name":"x","shape":[1],"data":[1])"), "Input 'x' has no member 'datatype': expected one such as FP32");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32")"),
                "Input 'x' has neither 'data' nor the parameter 'binary_data_size': expected one of them");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4})"),
                "Input 'x' has both 'data' and the parameter 'binary_data_size': expected one of them");
  ExpectRefused(R"({"inputs":[],"inputs":[]})", "The request has the member 'inputs' twice");
  ExpectRefused(R"({"inputs":[],"parameters":{"a":1,"a":1}})", "The request has the parameter 'a' twice");
  const std::string x = R"({"name":"x","shape":[0],"datatype":"FP32","data":[]})";
  ExpectRefused(R"({"inputs":[)" + x + "," + x + "]}", "Input 'x' is given twice");
  ExpectRefused(R"({"inputs":[],"outputs":[{"name":"y"},{"name":"y"}]})", "Output 'y' is asked for twice");
  ExpectRefused(R"({"inputs":[],"outputs":[{}]})", "Output number 0 has no member 'name': expected a string");
}

TEST_F(InferRequests, MembersOfAWrongKindAreNamed) {
  ExpectRefused("[]", "The request must be a JSON object");
  ExpectRefused("", "The request must be a JSON object");
  ExpectRefused(R"({"inputs":{}})", "The request has a member 'inputs' that is not an array");
  ExpectRefused(R"({"inputs":[1]})", "Input number 0 must be a JSON object");
  ExpectRefused(R"({"id":7})", "The request has a member 'id' that is not a string");
  ExpectRefused(R"({"parameters":[]})", "The request has a member 'parameters' that is not an object");
  ExpectRefused(R"({"parameters":{"a":[]}})", "The request has a parameter 'a' that is not a string, number or boolean");
  ExpectRefused(R"({"parameters":{"a":1e999}})", "The request has a parameter 'a' that is too large for a number");
  ExpectRefused(Input(R"("name":1)"), "Input number 0 has a member 'name' that is not a string");
  ExpectRefused(Input(R"("name":"x","shape":7)"), "Input 'x' has a member 'shape' that is not an array");
  for (const char* size : {"-1", "1.5", "\"1\"", "9223372036854775808", "[1]", "1e1"}) {
    ExpectRefused(Input(R"("name":"x","shape":[)" + std::string(size) + "]"),
                  "Input 'x' has a dimension that is not an integer of 0 or more");
  }
  ExpectRefused(Input(R"("name":"x","shape":[4294967296,4294967296])"),
                "Input 'x' has shape [4294967296,4294967296], whose number of elements overflows");
  ExpectRefused(Input(R"("name":"x","datatype":"fp32")"),
                "Input 'x' has datatype 'fp32': expected BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, "
                "INT64, FP16, FP32, FP64, BF16 or BYTES");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32","data":1)"),
                "Input 'x' has a member 'data' that is not an array");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"INT8","data":[128])"),
                "Input 'x' cannot be read: a number out of the range of int8 at byte 61");
  ExpectRefused(Input(R"("name":"x","shape":[0],"datatype":"FP32","data":[],"parameters":{"shared_memory_region":"r"})"),
                "Input 'x' is in shared memory, which is not supported: send it with the request");
}

TEST_F(InferRequests, TheNumberOfElementsMustFitTheShape) {
  ExpectRefused(Input(R"("name":"x","shape":[3],"datatype":"FP32","data":[1,2])"),
                "Input 'x' has 2 elements in 'data', but its shape [3] holds 3");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1,2])"),
                "Input 'x' has more elements in 'data', but its shape [1] holds 1");
  ExpectRefused(Input(R"("name":"x","shape":[1000000000000],"datatype":"FP32","data":[1])"),
                "Input 'x' has fewer elements in 'data', but its shape [1000000000000] holds 1000000000000");
  EXPECT_EQ(sink.asked, 2u) << "a shape alone made it ask for memory";
}

TEST_F(InferRequests, TextThatIsNotJsonIsRefusedWithItsPosition) {
  ExpectRefused(R"({"inputs":[]} x)", "The request is not valid JSON: expected the end of the text at byte 14");
  ExpectRefused(R"({"inputs":[])", "The request is not valid JSON: expected ',' or '}', but the text ends at byte 12");
  ExpectRefused("{\"inputs\":[],\"\xff\":1}", "The request is not valid JSON: a byte that is not UTF-8 at byte 14");
  ExpectRefused(R"({"inputs":[],"x":NaN})", "The request is not valid JSON: expected a value at byte 17");
  // Every front of a valid request is none, and nothing is read behind it.
  const std::string whole =
      R"({"id":"a\u00e9","inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.5,2e3]}],"outputs":[{"name":"y"}]})";
  ASSERT_TRUE(Parse(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(Parse(whole.substr(0, length)).code(), Code::kInvalidArgument) << length;
  }
}

TEST_F(InferRequests, LimitsAreKept) {
  limits = {40, 2, 1};
  ExpectRefused(std::string(41, ' '), "The request has 41 bytes: expected at most 40");
  ExpectRefused(R"({"parameters":{"a":1,"b":2}})", "The request has more than 1 parameters");
  limits.max_bytes = 1000;
  const auto input = [](char name) {
    return std::string(R"({"name":")") + name + R"(","shape":[0],"datatype":"FP32","data":[]})";
  };
  EXPECT_TRUE(Parse(R"({"inputs":[)" + input('a') + "," + input('b') + "]}").ok());
  ExpectRefused(R"({"inputs":[)" + input('a') + "," + input('b') + "," + input('c') + "]}",
                "The request has a member 'inputs' with more than 2 elements");
  std::string dims = "1";
  for (size_t i = 0; i < kMaxRank; ++i) dims += ",1";
  ExpectRefused(Input(R"("name":"x","shape":[)" + dims + "]"),
                "Input 'x' has a member 'shape' with more than 16 elements");
}

TEST_F(InferRequests, ASinkWithoutRoomIsReportedAsOutOfMemory) {
  const std::string numbers = Input(R"("name":"x","shape":[1],"datatype":"FP32","data":[1])");
  const std::string strings = Input(R"("name":"x","shape":[1],"datatype":"BYTES","data":["a"])");
  sink.refuses_strings = true;
  EXPECT_EQ(Parse(strings).code(), Code::kResourceExhausted);
  sink.refuses = true;
  for (const std::string& body : {numbers, strings}) {
    const Status status = Parse(body);
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_EQ(status.message(), "Input 'x' does not fit into memory: send fewer rows");
  }
}

TEST_F(InferRequests, LongNamesAreCutInMessages) {
  const std::string name(5000, 'n');
  const Status status = Parse(Input(R"("name":")" + name + R"(","shape":1)"));
  EXPECT_EQ(status.message(), "Input '" + name.substr(0, 100) + "…' has a member 'shape' that is not an array");
}

// A request whose binary data follows its JSON.
struct Binary {
  std::string body;
  size_t json;
};

Binary WithBinary(const std::string& type, const std::string& shape, size_t size, std::string_view data) {
  const std::string json = R"({"inputs":[{"name":"x","shape":)" + shape + R"(,"datatype":")" + type +
                           R"(","parameters":{"binary_data_size":)" + std::to_string(size) + "}}]}";
  return {json + std::string(data), json.size()};
}

TEST_F(InferRequests, BinaryNumbersStayInTheBody) {
  const auto [body, json] = WithBinary("FP32", "[2]", 8, "12345678");
  const Status status = Parse(body, json);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(request.inputs[0].offset, json);
  EXPECT_EQ(sink.asked, 0u);
}

TEST_F(InferRequests, BinaryStringsOfAnyBytesStayInTheBody) {
  const std::string data("\3\0\0\0abc\0\0\0\0\2\0\0\0\xff\0", 17);
  const auto [body, json] = WithBinary("BYTES", "[3]", data.size(), data);
  const Status status = Parse(body, json);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(request.inputs[0].offset, json);
  EXPECT_EQ(request.inputs[0].bytes, data.size());
  EXPECT_EQ(sink.asked, 0u);
}

TEST_F(InferRequests, BinaryDataThatDoesNotFitIsRefused) {
  const auto refused = [&](const Binary& binary, const std::string& message) {
    ExpectRefused(binary.body, message, binary.json);
  };
  refused(WithBinary("FP32", "[2]", 8, "1234567"), "Input 'x' has a 'binary_data_size' of 8, but only 7 bytes are left in the body");
  refused(WithBinary("FP32", "[2]", 8, "123456789"), "The request has 1 bytes after the binary data of its inputs: expected none");
  refused(WithBinary("FP32", "[2]", 4, "1234"), "Input 'x' has 4 bytes of binary data, but its shape [2] takes 8");
  const std::string wrong = "Input 'x' must have as binary data the 1 strings that its shape holds, each after its length in four bytes";
  refused(WithBinary("BYTES", "[1]", 3, "abc"), wrong);
  refused(WithBinary("BYTES", "[1]", 5, std::string("\2\0\0\0a", 5)), wrong);
  refused(WithBinary("BYTES", "[1]", 6, std::string("\1\0\0\0ab", 6)), wrong);
  refused(WithBinary("BYTES", "[1]", 8, std::string("\0\0\0\0\0\0\0\0", 8)), wrong);
  refused(WithBinary("BYTES", "[1]", 4, std::string("\xff\xff\xff\xff", 4)), wrong);
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":-4})"),
                "Input 'x' has a 'binary_data_size' that is not an integer of 0 or more");
  ExpectRefused(Input(R"("name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":"4"})"),
                "Input 'x' has a 'binary_data_size' that is not an integer of 0 or more");
  ExpectRefused("{}", "The request should have a JSON length from 0 to 2, but has 3", 3);
}

TEST_F(InferRequests, BinaryInputsFollowEachOther) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT16","parameters":{"binary_data_size":2}},)"
      R"({"name":"b","shape":[1],"datatype":"FP32","data":[5]},)"
      R"({"name":"c","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}}]})";
  ASSERT_TRUE(Parse(json + "AABC", json.size()).ok());
  EXPECT_EQ(request.inputs[0].offset, json.size());
  EXPECT_EQ(request.inputs[1].offset, std::nullopt);
  EXPECT_EQ(request.inputs[2].offset, json.size() + 2);
  EXPECT_EQ(sink.As<float>(1), std::vector<float>{5});
}

TEST_F(InferRequests, IdsNamesAndParametersHaveALimitedLength) {
  const std::string fits(kMaxText, 'n');
  const std::string quoted = "'" + std::string(100, 'n') + "…'";
  const std::string rest = R"(","datatype":"FP32","shape":[0],"data":[])";
  ASSERT_TRUE(Parse(R"({"id":")" + fits + R"(","inputs":[{"name":")" + fits + rest + "}]}").ok());
  EXPECT_EQ(request.id, fits);
  // As they are written: escapes count in full, and reading ends where the limit is passed.
  for (const std::string& text : {fits + "n", std::string(fits).replace(0, 2, "\\n") + "n"}) {
    ExpectRefused(R"({"id":")" + text + R"(","inputs":[]})",
                  "The request has a member 'id' of more than 65536 bytes: expected a short string");
    ExpectRefused(Input(R"("name":")" + text + rest),
                  "Input number 0 has a member 'name' of more than 65536 bytes: expected a short string");
    ExpectRefused(R"({"parameters":{"p":")" + text + R"("},"inputs":[]})",
                  "The request has a parameter 'p' of more than 65536 bytes");
    for (const char* const before : {R"({")", R"({"parameters":{")"}) {
      ExpectRefused(before + text + R"(":1}})",
                    "The request has a member whose name has more than 65536 bytes");
    }
  }
  ExpectRefused(Input(R"("name":")" + fits + R"(")"), "Input " + quoted + " has no member 'datatype': expected one such as FP32");
  // A string that never ends is no long string.
  ExpectRefused(R"({"id":"n)", "The request is not valid JSON: expected the end of a string, but the text ends at byte 8");
}

TEST_F(InferRequests, StringsOfAllInputsAreCounted) {
  limits.max_strings = 3;
  const std::string two = R"("datatype":"BYTES","shape":[2],"data":["a","b"])";
  ASSERT_TRUE(Parse(Input(R"("name":"x",)" + two)).ok());
  ExpectRefused(R"({"inputs":[{"name":"x",)" + two + R"(},{"name":"y",)" + two + "}]}",
                "Input 'y' has 2 strings: expected at most 3 in all inputs together, send fewer rows");
  const std::string binary(16, '\0');
  const std::string json = Input(R"("name":"x","datatype":"BYTES","shape":[4],"parameters":{"binary_data_size":16})");
  ExpectRefused(json + binary, "Input 'x' has 4 strings: expected at most 3 in all inputs together, send fewer rows", json.size());
}

}  // namespace
}  // namespace millrace

// Options of devices, from the API's names to ONNX Runtime's.
#include <gtest/gtest.h>

#include <set>

#include "ort/provider.h"

namespace millrace {
namespace {

using OptionKind = OptionRow::Kind;

constexpr OptionRow::Choice kSpeeds[] = {{"slow", "SLOW"}, {"quick", "QUICK"}};
const std::vector<OptionRow> kTable = {
    {"flag", "a_flag", OptionKind::kFlag},
    {"count", "a_count", OptionKind::kNumber, 1, 5},
    {"bytes", "some_bytes", OptionKind::kNumber, 1},
    {"speed", "a_speed", OptionKind::kChoice, 0, 0, kSpeeds},
    {"file", "a_file", OptionKind::kText},
    {"ours", "", OptionKind::kFlag},
};

KeyValues Translated(const KeyValues& typed) {
  KeyValues out;
  const Status status = TranslateOptions("test", kTable, typed, out);
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

std::string Refusal(const std::string& name, const std::string& value) {
  KeyValues out;
  const Status status = TranslateOptions("test", kTable, {{name, value}}, out);
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << name << '=' << value;
  return status.message();
}

TEST(TranslateOptions, GivesEachKindItsKeyAndValue) {
  EXPECT_EQ(Translated({{"flag", "true"},
                        {"count", "5"},
                        {"bytes", "9000000000"},
                        {"speed", "quick"},
                        {"file", "x.bin"},
                        {"ours", "false"}}),
            (KeyValues{{"a_flag", "1"},
                       {"a_count", "5"},
                       {"some_bytes", "9000000000"},
                       {"a_speed", "QUICK"},
                       {"a_file", "x.bin"},
                       {"ours", "0"}}));
}

TEST(TranslateOptions, SaysWhatAValueMayBe) {
  EXPECT_NE(Refusal("flag", "1").find("expected true or false"), std::string::npos);
  EXPECT_NE(Refusal("count", "6").find("from 1 to 5"), std::string::npos);
  EXPECT_NE(Refusal("count", "2.5").find("whole number"), std::string::npos);
  EXPECT_NE(Refusal("bytes", "0").find("at least 1"), std::string::npos);
  EXPECT_NE(Refusal("bytes", "99999999999999999999").find("at least 1"), std::string::npos);
  EXPECT_NE(Refusal("speed", "SLOW").find("slow or quick"), std::string::npos);
  EXPECT_NE(Refusal("file", "").find("a text"), std::string::npos);
  EXPECT_EQ(Refusal("a_flag", "true"),
            "Device 'test' has no option 'a_flag': it takes flag, count, bytes, speed, file, ours");
}

TEST(FindValue, TheLastOneCounts) {
  const KeyValues values = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(*FindValue(values, "a"), "3");
  EXPECT_EQ(FindValue(values, "c"), nullptr);
}

// A value that fits the row.
std::string Example(const OptionRow& row) {
  switch (row.kind) {
    case OptionKind::kFlag:
      return "true";
    case OptionKind::kNumber:
      return std::to_string(std::max<int64_t>(row.min, 1));
    case OptionKind::kChoice:
      return std::string(row.choices.front().name);
    case OptionKind::kText:
      break;
  }
  return "text";
}

TEST(ProviderOptions, EveryOneIsNamedOnceAndTranslates) {
  for (const Provider* provider : {&CudaProvider(), &TensorRtProvider()}) {
    std::set<std::string_view> names;
    std::set<std::string_view> keys;
    const std::vector<OptionRow> rows = provider->options();
    for (const OptionRow& row : rows) {
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      EXPECT_TRUE(row.key.empty() || keys.insert(row.key).second) << row.key;
      KeyValues out;
      EXPECT_TRUE(
          TranslateOptions("x", rows, {{std::string(row.name), Example(row)}}, out).ok())
          << row.name;
    }
    EXPECT_STREQ(provider->memory(), "Cuda");
  }
  EXPECT_TRUE(CpuProvider().options().empty());
  EXPECT_EQ(CpuProvider().memory(), nullptr);
}

TEST(ProviderOptions, EachKindHasItsProvider) {
  EXPECT_EQ(&ProviderFor(DeviceKind::kCpu), &CpuProvider());
  EXPECT_EQ(&ProviderFor(DeviceKind::kCuda), &CudaProvider());
  EXPECT_EQ(&ProviderFor(DeviceKind::kTensorRt), &TensorRtProvider());
  EXPECT_FALSE(CudaProvider().builds_tensorrt_engines());
  EXPECT_TRUE(TensorRtProvider().builds_tensorrt_engines());
}

TEST(ReadBehaviour, HasDefaultsOfItsProvider) {
  const DeviceBehaviour cuda = ReadBehaviour(CudaProvider(), {});
  EXPECT_TRUE(cuda.graphs && cuda.own_stream && cuda.placement && !cuda.forbid_cpu_nodes);
  EXPECT_EQ(cuda.slots, 2);
  EXPECT_FALSE(ReadBehaviour(TensorRtProvider(), {}).graphs);
}

TEST(ReadBehaviour, TakesWhatIsSet) {
  const DeviceBehaviour set =
      ReadBehaviour(CudaProvider(), {{"graphs", "0"},
                                     {"ownStream", "0"},
                                     {"placement", "0"},
                                     {"forbidCpuNodes", "1"},
                                     {"slots", "3"}});
  EXPECT_FALSE(set.graphs || set.own_stream || set.placement);
  EXPECT_TRUE(set.forbid_cpu_nodes);
  EXPECT_EQ(set.slots, 3);
}

}  // namespace
}  // namespace millrace

#include "codec/json_cursor.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/codec.h"

namespace millrace {
namespace {

using test::ExactText;

struct Outcome {
  bool ok = false;
  std::string text;
  std::string error;
  size_t position = 0;
};

Outcome ReadString(std::string_view json) {
  const ExactText exact(json);
  JsonCursor cursor(exact.view());
  std::string_view text;
  Outcome outcome;
  outcome.ok = cursor.ReadString(text);
  outcome.text = text;
  outcome.error = cursor.error();
  outcome.position = cursor.position();
  return outcome;
}

Outcome SkipValue(std::string_view json, NonFinite non_finite = NonFinite::kError) {
  const ExactText exact(json);
  JsonCursor cursor(exact.view());
  Outcome outcome;
  outcome.ok = cursor.SkipValue(non_finite);
  outcome.error = cursor.error();
  outcome.position = cursor.position();
  return outcome;
}

TEST(JsonCursor, ReadsStrings) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("")", ""},
      {R"(  "plain" )", "plain"},
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
      {R"("\u0041\u00e9\u20AC\u20ac")", "Aé€€"},
      {R"("\ud83d\ude00 \uD83D\uDE00")", "😀 😀"},
      {R"("é € 😀")", "é € 😀"},
      {R"("a\nb\nc")", "a\nb\nc"},
      {"\"\x7f\"", "\x7f"},
  };
  for (const auto& [json, text] : cases) {
    const Outcome outcome = ReadString(json);
    EXPECT_TRUE(outcome.ok) << json << ": " << outcome.error;
    EXPECT_EQ(outcome.text, text);
  }
  EXPECT_EQ(ReadString(R"("\u0000")").text, std::string(1, '\0'));
}

TEST(JsonCursor, ALoneSurrogateBecomesTheReplacementCharacter) {
  EXPECT_EQ(ReadString(R"("\ud83d")").text, "\uFFFD");
  EXPECT_EQ(ReadString(R"("\ude00")").text, "\uFFFD");
  EXPECT_EQ(ReadString(R"("\ud83dx")").text, "\uFFFDx");
  EXPECT_EQ(ReadString(R"("\ud83d\n")").text, "\uFFFD\n");
  EXPECT_EQ(ReadString(R"("\ud83d\u0041")").text, "\uFFFDA");
  EXPECT_EQ(ReadString(R"("\ud83d\ud83d\ude00")").text, "\uFFFD😀");
  EXPECT_EQ(ReadString(R"("\ude00\ud83d")").text, "\uFFFD\uFFFD");
}

TEST(JsonCursor, RefusesTextThatIsNotAStringWithItsPosition) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "expected a string, but the text ends at byte 0"},
      {"x", "expected a string at byte 0"},
      {R"("abc)", "expected the end of a string, but the text ends at byte 4"},
      {"\"a\nb\"", "a control character that must be escaped at byte 2"},
      {R"("a\qb")", "an unknown escape at byte 2"},
      {R"("\)", "expected an escape, but the text ends at byte 2"},
      {R"("\u12)", "expected four hexadecimal digits, but the text ends at byte 5"},
      {R"("\u12g4")", "expected four hexadecimal digits at byte 5"},
      {R"("\u+123")", "expected four hexadecimal digits at byte 3"},
      {R"("\ud83d\u00")", "expected four hexadecimal digits at byte 11"},
  };
  for (const auto& [json, error] : cases) {
    const Outcome outcome = ReadString(json);
    EXPECT_FALSE(outcome.ok) << json;
    EXPECT_EQ(outcome.error, error);
  }
}

TEST(JsonCursor, BytesThatAreNotUtf8AreRefused) {
  for (const std::string bytes : {
           "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
           "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
           "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    const Outcome closed = ReadString("\"a" + bytes + "\"");
    EXPECT_FALSE(closed.ok);
    EXPECT_EQ(closed.error, "a byte that is not UTF-8 at byte 2");
    EXPECT_FALSE(ReadString("\"" + bytes).ok) << "read past the end of the text";
  }
  for (const std::string bytes : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                  "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(ReadString("\"" + bytes + "\"").text, bytes);
  }
}

TEST(JsonCursor, SkipsValuesOfEveryKind) {
  for (const std::string json : {
           "0", "-1.5e3", "true", "false", "null", R"("text")", "[]", "{}", "[1,2,3]", "[[],[[]]]",
           R"({"a":1})", R"({"a":{"b":[1,{"c":null}]},"d":[]})", " [ 1 , 2 ] ", R"( { "a" : 1 } )",
           "[\n\t1,\r\n2]", R"([{"a":[]},{"b":{}}])"}) {
    const Outcome outcome = SkipValue(json);
    EXPECT_TRUE(outcome.ok) << json << ": " << outcome.error;
    EXPECT_GE(outcome.position + 1, json.size()) << json;
  }
}

TEST(JsonCursor, SkipsStringsAndNamesAsItReadsThem) {
  for (const std::string string : {
           R"("")", R"("\"\\\/\b\f\n\r\t")", R"("\u0041\ud83d\ude00")", R"("\ud83d\ud83dx")", R"("é😀")",
           R"("abc)", "\"a\nb\"", R"("a\qb")", R"("\)", R"("\u12)", R"("\u12g4")", "\"\x80\""}) {
    const Outcome read = ReadString(string);
    const Outcome skipped = SkipValue(string);
    EXPECT_EQ(skipped.ok, read.ok) << string;
    EXPECT_EQ(skipped.error, read.error) << string;
    EXPECT_EQ(skipped.position, read.position) << string;
    EXPECT_EQ(SkipValue("{" + string + ":1}").ok, read.ok) << string;
  }
}

// The most memory that the process has used so far, bytes.
size_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  }
  return 0;
}

TEST(JsonCursor, SkippingTakesNoMemory) {
  // The kernel counts resident pages in lots of 64, so that a quarter of a megabyte may appear that nobody has taken just
  // now. It must be little compared with the text.
  constexpr size_t kBytes = size_t{16} << 20;
  for (const std::string_view escape : {R"(\u00e9)", R"(\ud83d)"}) {
    for (const std::string_view tail : {R"("})", R"(":0})"}) {
      std::string json = tail.size() == 2 ? R"({"x":")" : R"({")";
      json.reserve(kBytes + 16);
      while (json.size() < kBytes) json += escape;
      json += tail;
      JsonCursor cursor(json);
      const size_t before = PeakMemory();
      ASSERT_TRUE(cursor.SkipValue()) << cursor.error();
      EXPECT_LT(PeakMemory() - before, kBytes / 16) << escape << tail;
    }
  }
}

TEST(JsonCursor, RefusesTextThatIsNotAValue) {
  for (const std::string json :
       {"", " ", "x", "tru", "nul", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", R"({"a")", R"({"a":)",
        R"({"a":1)", R"({"a":1,})", R"({a:1})", R"({"a" 1})", R"({"a":1 "b":2})", R"({1:2})", "[1}", R"({"a":1])",
        "]", "}", "'a'", "+1", "01x]", "NaN", "Infinity", "-", "\xef\xbb\xbf[]"}) {
    // A number that is not all of the text ends where it ends.
    if (json == "01x]") continue;
    EXPECT_FALSE(SkipValue(json).ok) << json;
  }
}

TEST(JsonCursor, SkipsNonFiniteWordsOnlyIfTheOptionAllowsThem) {
  for (const std::string json : {"NaN", "Infinity", "-Infinity", "[NaN,-Infinity]"}) {
    EXPECT_TRUE(SkipValue(json, NonFinite::kLiteral).ok) << json;
    EXPECT_TRUE(SkipValue(json, NonFinite::kAny).ok) << json;
    EXPECT_FALSE(SkipValue(json, NonFinite::kNull).ok) << json;
    EXPECT_FALSE(SkipValue(json, NonFinite::kError).ok) << json;
  }
}

TEST(JsonCursor, RefusesNestingBeyondTheLimitWithoutUsingStack) {
  const auto nested = [](size_t depth, const char* open, const char* close) {
    std::string json;
    for (size_t i = 0; i < depth; ++i) json += open;
    json += "1";
    for (size_t i = 0; i < depth; ++i) json += close;
    return json;
  };
  EXPECT_TRUE(SkipValue(nested(kMaxDepth, "[", "]")).ok);
  EXPECT_TRUE(SkipValue(nested(kMaxDepth, R"({"a":)", "}")).ok);
  for (const size_t depth : {kMaxDepth + 1, size_t{2'000'000}}) {
    const Outcome outcome = SkipValue(nested(depth, "[", "]"));
    EXPECT_FALSE(outcome.ok);
    EXPECT_EQ(outcome.error, "nesting of more than 100 levels at byte 101");
  }
}

}  // namespace
}  // namespace millrace

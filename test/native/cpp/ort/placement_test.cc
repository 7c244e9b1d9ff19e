// Where nodes ran, and where TensorRT engines are kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "ort/engine_cache.h"
#include "ort/placement.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// As the profiler writes it.
constexpr const char* kProfile = R"([
{"cat" : "Session","pid" :1,"tid" :1,"dur" :5,"ts" :1,"ph" : "X","name" :"model_loading_uri","args" : {}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :2,"ts" :1,"ph" : "X","name" :"/conv/Conv_kernel_time","args" : {"op_name" : "Conv","provider" : "CUDAExecutionProvider","node_index" : "0","input_type_shape" : [{"float":[1,3]}]}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :2,"ts" :1,"ph" : "X","name" :"odd \"{name}_kernel_time","args" : {"op_name" : "NonZero","provider" : "CPUExecutionProvider"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :2,"ts" :1,"ph" : "X","name" :"/conv/Conv_kernel_time","args" : {"op_name" : "Conv","provider" : "CUDAExecutionProvider"}},
{"cat" : "Node","pid" :1,"tid" :1,"dur" :2,"ts" :1,"ph" : "X","name" :"/conv/Conv_fence_before","args" : {"op_name" : "Conv","provider" : ""}}
])";

TEST(ParseProfile, HasEachNodeOnceInOrder) {
  const std::vector<NodePlacement> nodes = ParseProfile(kProfile);
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].name, "/conv/Conv");
  EXPECT_EQ(nodes[0].op, "Conv");
  EXPECT_EQ(nodes[0].provider, "CUDAExecutionProvider");
  EXPECT_EQ(nodes[1].name, "odd \"{name}");
  EXPECT_EQ(CpuNodes(nodes), std::vector<std::string>{"odd \"{name} (NonZero)"});
}

TEST(ParseProfile, BearsWithAnything) {
  for (const char* text : {"", "[", "}{", "[{\"name\":", "{\"name\" : 5}", "\\", "{{{\"", "[{\"name\":\"a_kernel_time\",\"provider\":"}) {
    EXPECT_TRUE(ParseProfile(text).empty()) << text;
  }
}

TEST(ReadProfile, ReadsAFileInAFolderThatIsRemoved) {
  ProfileFolder folder;
  EXPECT_EQ(folder.prefix(), "");
  folder.Make();
  const std::string file = folder.prefix() + "_now.json";
  std::ofstream(file) << kProfile;
  std::vector<NodePlacement> nodes;
  ASSERT_TRUE(ReadProfile(file, nodes).ok());
  EXPECT_EQ(nodes.size(), 2u);
  const fs::path made = fs::path(file).parent_path();
  EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all);
  folder.Remove();
  EXPECT_FALSE(fs::exists(made));
  EXPECT_EQ(ReadProfile(file, nodes).code(), Code::kInternal);
}

TensorRtEngineKey Key() { return {"abc", "1.30.0", "10.13.2", "NVIDIA H100", 90, {{"fp16", "1"}}}; }

TEST(TensorRtEngineFolder, ChangesWithEverythingThatMakesAnEngineUnusable) {
  std::set<std::string> folders = {TensorRtEngineFolder(Key())};
  const auto changed = [&folders](auto change) {
    TensorRtEngineKey key = Key();
    change(key);
    return folders.insert(TensorRtEngineFolder(key)).second;
  };
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.digest = "abd"; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.ort_version = "1.31.0"; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.tensorrt_version = "10.13.3"; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.gpu = "NVIDIA H200"; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.capability = 89; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.options[0].second = "0"; }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.options.emplace_back("int8", "1"); }));
  EXPECT_TRUE(changed([](TensorRtEngineKey& key) { key.options = {{"fp1", "61"}}; }));
}

TEST(TensorRtEngineFolder, DoesNotDependOnTheOrderOfOptions) {
  TensorRtEngineKey one = Key();
  TensorRtEngineKey other = Key();
  one.options = {{"a", "1"}, {"b", "2"}};
  other.options = {{"b", "2"}, {"a", "1"}};
  EXPECT_EQ(TensorRtEngineFolder(one), TensorRtEngineFolder(other));
}

TEST(TensorRtEngineFolder, NamesAreSafe) {
  TensorRtEngineKey key = Key();
  key.gpu = "../../etc \"x\"\n";
  key.digest = "/a/b";
  EXPECT_EQ(TensorRtEngineFolder(key).find_first_not_of(
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"),
            std::string::npos);
  EXPECT_EQ(TensorRtEngineFolder(key).find("/.."), std::string::npos);
  EXPECT_EQ(std::ranges::count(TensorRtEngineFolder(key), '/'), 1);
}

TEST(TimingFolder, IsOneForAllModelsOnAKindOfGpu) {
  TensorRtEngineKey other = Key();
  other.digest = "other";
  other.options.clear();
  EXPECT_EQ(TimingFolder(other), TimingFolder(Key()));
}

TEST(MakeCacheFolders, KeepsOthersOut) {
  const fs::path root = fs::temp_directory_path() / ("cache-" + std::to_string(getpid()));
  std::string engines;
  std::string timings;
  ASSERT_TRUE(MakeCacheFolders(root.string(), Key(), engines, timings).ok());
  EXPECT_TRUE(fs::is_directory(engines));
  EXPECT_EQ(fs::path(engines).parent_path(), fs::path(timings));
  EXPECT_EQ(fs::status(timings).permissions(), fs::perms::owner_all);
  ASSERT_TRUE(MakeCacheFolders(root.string(), Key(), engines, timings).ok()) << "again";
  fs::remove_all(root);
}

TEST(MakeCacheFolders, SaysThatTheFolderCannotBeMade) {
  const fs::path file = fs::temp_directory_path() / ("file-" + std::to_string(getpid()));
  std::ofstream(file) << "in the way";
  std::string engines;
  const Status status = MakeCacheFolders(file.string(), Key(), engines, engines);
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("name one that this user may write"), std::string::npos);
  fs::remove(file);
}

}  // namespace
}  // namespace millrace

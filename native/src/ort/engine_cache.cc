#include "ort/engine_cache.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>

namespace millrace {
namespace {

std::string Clean(const std::string& text) {
  std::string clean;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    clean += plain ? c : '-';
  }
  return clean;
}

// Computes FNV-1a. The names need no cryptographic hash, because only someone who sets the options could make two
// collide.
uint64_t Hash(const KeyValues& options) {
  KeyValues sorted = options;
  std::ranges::sort(sorted);
  uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](const std::string& text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  };
  for (const auto& [key, value] : sorted) {
    mix(key);
    mix(value);
  }
  return hash;
}

std::string Hex(uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) text[i] = kDigits[number & 15];
  return text;
}

}  // namespace

std::string TimingFolder(const TensorRtEngineKey& key) {
  return "ort-" + Clean(key.ort_version) + "_trt-" + Clean(key.tensorrt_version) + '_' +
         Clean(key.gpu) + "_sm" + std::to_string(key.capability);
}

std::string TensorRtEngineFolder(const TensorRtEngineKey& key) {
  return TimingFolder(key) + '/' + Clean(key.digest) + '_' + Hex(Hash(key.options));
}

std::string TensorRtVersion() {
  void* const library = dlopen("libnvinfer.so.10", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return {};
  const auto get = reinterpret_cast<int (*)()>(dlsym(library, "getInferLibVersion"));
  if (get == nullptr) return {};
  // Since version 10, this is major * 10000 + minor * 100 + patch.
  const int version = get();
  return std::to_string(version / 10000) + '.' + std::to_string(version / 100 % 100) + '.' +
         std::to_string(version % 100);
}

Status MakeCacheFolders(const std::string& root, const TensorRtEngineKey& key, std::string& engines,
                        std::string& timings) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(root) / TensorRtEngineFolder(key);
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) {
    fs::permissions(fs::path(root) / TimingFolder(key), fs::perms::owner_all, error);
  }
  if (error) {
    return {Code::kFailedPrecondition,
            "The folder for TensorRT engines cannot be made (" + error.message() +
                "): name one that this user may write"};
  }
  engines = folder.string();
  timings = (fs::path(root) / TimingFolder(key)).string();
  return {};
}

}  // namespace millrace

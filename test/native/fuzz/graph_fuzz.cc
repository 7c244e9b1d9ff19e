// Any bytes as a model's file: reading what it holds, replacing its ZipMaps, and reading it again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ort/messages.h"
#include "ort/model_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const millrace::GraphFacts facts = millrace::ReadGraph(input);
  if (facts.valid && !facts.zip_maps.empty()) {
    const std::string edited = millrace::WithoutZipMaps(input, facts.zip_maps);
    if (!millrace::ReadGraph(edited).zip_maps.empty()) std::abort();
  }
  static_cast<void>(millrace::PlainMessage(input));
  return 0;
}

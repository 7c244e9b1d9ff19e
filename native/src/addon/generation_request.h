// Reads the options of generative models and of generations from JavaScript, which native/generation-options.ts has
// checked.
#pragma once

#include "addon/generation_calls.h"
#include "addon/loaded_generator.h"
#include "addon/node_addon_api.h"

namespace millrace {

// Reads a NativeGeneratorOptions of native/binding.ts.
GeneratorLoadRequest ReadGeneratorLoadRequest(const Napi::Object& options);

// Fills a record from an Int32Array of token ids and a NativeGenerateOptions of native/binding.ts.
void ReadGeneration(const Napi::Value& input_ids, const Napi::Object& options, GenerationCall& call);

}  // namespace millrace

#include "addon/generation_request.h"

#include <memory>

#include "addon/convert.h"
#include "addon/read_options.h"

namespace millrace {
namespace {

GeneratorLoadRequest::File ReadFile(const Napi::Value& value) {
  if (!value.IsObject()) return {};
  const auto file = value.As<Napi::Object>();
  return {StringOr(file, "path"), StringOr(file, "digest")};
}

// Reads an Int32Array; anything else has no elements.
std::vector<int32_t> ReadIds(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto ids = value.As<Napi::Int32Array>();
  return {ids.Data(), ids.Data() + ids.ElementLength()};
}

GenerationOptions ReadOptions(const Napi::Object& options) {
  GenerationOptions result;
  const auto number = [&](const char* name) { return NumberOr(options, name, 0); };
  const auto whole = [&](const char* name) { return static_cast<int64_t>(number(name)); };
  const auto real = [&](const char* name) { return static_cast<float>(number(name)); };
  const auto id = [&](const char* name) { return static_cast<int32_t>(number(name)); };
  result.max_new_tokens = whole("maxNewTokens");
  result.min_new_tokens = whole("minNewTokens");
  result.num_beams = id("numBeams");
  result.length_penalty = real("lengthPenalty");
  result.early_stopping = static_cast<EarlyStopping>(id("earlyStopping"));
  result.do_sample = options.Get("doSample").ToBoolean();
  result.temperature = real("temperature");
  result.top_k = whole("topK");
  result.top_p = real("topP");
  if (const double seed = NumberOr(options, "seed", -1); seed >= 0) {
    result.seed = static_cast<uint64_t>(seed);
  }
  result.repetition_penalty = real("repetitionPenalty");
  result.no_repeat_ngram_size = whole("noRepeatNgramSize");
  result.encoder_no_repeat_ngram_size = whole("encoderNoRepeatNgramSize");
  result.eos_token_ids = ReadIds(options.Get("eosTokenIds"));
  result.pad_token_id = id("padTokenId");
  result.decoder_start_token_id = id("decoderStartTokenId");
  result.forced_bos_token_id = id("forcedBosTokenId");
  result.forced_eos_token_id = id("forcedEosTokenId");
  result.suppress_tokens = ReadIds(options.Get("suppressTokens"));
  result.begin_suppress_tokens = ReadIds(options.Get("beginSuppressTokens"));
  const auto words = options.Get("badWordsIds").As<Napi::Array>();
  for (uint32_t i = 0; i < words.Length(); ++i) {
    result.bad_words_ids.push_back(ReadIds(words.Get(i)));
  }
  return result;
}

}  // namespace

GeneratorLoadRequest ReadGeneratorLoadRequest(const Napi::Object& options) {
  GeneratorLoadRequest request;
  request.key = StringOr(options, "key");
  request.decoder = ReadFile(options.Get("decoder"));
  request.decoder_with_past = ReadFile(options.Get("decoderWithPast"));
  request.encoder = ReadFile(options.Get("encoder"));
  request.copy_folder = StringOr(options, "copyFolder");
  request.device.device = StringOr(options, "device");
  request.device.options = ReadKeyValues(options.Get("deviceOptions"));
  request.device.provider_options = ReadKeyValues(options.Get("providerOptions"));
  const auto whole = [&](const char* name) {
    return static_cast<int64_t>(NumberOr(options, name, 0));
  };
  request.intra_op_threads = static_cast<int>(whole("intraOpThreads"));
  request.max_positions = whole("maxPositions");
  request.max_encoder_positions = whole("maxEncoderPositions");
  request.generator.max_rows = static_cast<uint32_t>(whole("maxRows"));
  request.generator.max_prefill_tokens = whole("maxPrefillTokens");
  request.generator.cache_bytes = whole("cacheBytes");
  request.generator.max_queue = static_cast<uint32_t>(whole("maxQueue"));
  request.generator.run_limit = static_cast<Nanos>(NumberOr(options, "runLimitMs", 0) * 1e6);
  request.generator.weight = NumberOr(options, "weight", 1);
  return request;
}

void ReadGeneration(const Napi::Value& input_ids, const Napi::Object& options, GenerationCall& call) {
  call.prompt = ReadIds(input_ids);
  call.options = ReadOptions(options);
  call.priority = static_cast<uint8_t>(NumberOr(options, "priority", 0));
  call.stream = options.Get("stream").ToBoolean();
  call.deadline = DeadlineAfter(NumberOr(options, "timeoutNs", -1));
  const int64_t most = call.options.max_new_tokens;
  const bool tells = call.stream && call.options.num_beams == 1;
  if (tells && most > 0 && most <= GenerationOptions::kMostNewTokens) {
    // The memory is not touched, so that it costs nothing as long as it is not used.
    call.news = std::make_unique_for_overwrite<GenerationNews[]>(static_cast<size_t>(most));
  }
}

}  // namespace millrace

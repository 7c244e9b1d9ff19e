// Greedy generation with caches: a bare loop around ONNX Runtime, and millrace's decoder and generator on the same
// graphs.
//
//   millrace-bench-generation --library F --folder F [--rows N] [--prompt N] [--tokens N] [--threads N]
//     [--spin 1] [--edit 0] [--rounds N]
//
// The ways run in turn in each round, so that other work on the machine disturbs all of them alike. It prints a line of
// JSON with the median tokens per second of each way, and the medians over the rounds of one way's rate divided by
// another's, of tokens per second and per second of CPU time: `bare` and `decoder` continue one row, `…_rows` all rows,
// `alone` submits one request after another to the generator, `together` all at once, and `clients` are as many clients
// that each submit their next request of another length when the last one has finished.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "bare_generation.h"
#include "generator_way.h"
#include "trial.h"

namespace millrace::bench {
namespace {

struct Arguments {
  std::string library;
  std::string folder;
  Generation generation;
  int threads = 1;
  bool spin = false;
  bool edit = true;
  int64_t rounds = 5;
};

Status ReadArguments(int argc, char** argv, Arguments& arguments) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  const auto number = [&flags](const char* name, int64_t otherwise) {
    return flags.contains(name) ? std::atoll(flags[name].c_str()) : otherwise;
  };
  arguments.library = flags["--library"];
  arguments.folder = flags["--folder"];
  arguments.generation = {number("--rows", 8), number("--prompt", 16), number("--tokens", 64)};
  arguments.threads = static_cast<int>(number("--threads", 1));
  arguments.spin = number("--spin", 0) != 0;
  arguments.edit = number("--edit", 1) != 0;
  arguments.rounds = number("--rounds", 5);
  if (arguments.library.empty() || arguments.folder.empty()) {
    return {Code::kInvalidArgument, "--library and --folder are needed"};
  }
  const Generation& generation = arguments.generation;
  const int64_t least = std::min({generation.rows, generation.prompt, generation.tokens, arguments.rounds});
  if (least < 1 || arguments.threads < 1) {
    return {Code::kInvalidArgument, "Every count must be at least 1"};
  }
  return {};
}

// Finds the graphs of a folder as exporters name them.
DecoderOptions OptionsOf(const Arguments& arguments) {
  const auto path = [&](const char* name) {
    const std::filesystem::path file = std::filesystem::path(arguments.folder) / name;
    return std::filesystem::exists(file) ? file.string() : std::string();
  };
  DecoderOptions options;
  options.intra_op_threads = arguments.threads;
  options.edit = arguments.edit;
  options.encoder.path = path("encoder_model.onnx");
  options.decoder.path = path("decoder_model_merged.onnx");
  if (options.decoder.path.empty()) options.decoder.path = path("model.onnx");
  if (options.decoder.path.empty()) {
    options.decoder.path = path("decoder_model.onnx");
    options.decoder_with_past.path = path("decoder_with_past_model.onnx");
  }
  return options;
}

using Tokens = std::vector<std::vector<int32_t>>;

// The same with millrace's decoder.
Status RunDecoder(Decoder& decoder, const Generation& generation, Tokens& tokens) {
  const bool encoder = decoder.facts().encoder_decoder;
  const auto prompts = PromptsOf(generation, decoder.facts().vocabulary);
  const std::unique_ptr<RunHandle> handle = decoder.NewHandle();
  tokens.assign(prompts.size(), {});
  std::vector<std::span<const int32_t>> texts(prompts.begin(), prompts.end());
  std::vector<EncodedRow> encoded(prompts.size());
  if (encoder) MILLRACE_RETURN_IF_ERROR(decoder.Encode(texts, *handle, encoded));
  const int32_t start = 0;
  std::vector<DecoderRow> rows(prompts.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    rows[row] = {encoder ? std::span(&start, 1) : texts[row], {}, std::move(encoded[row])};
    tokens[row].reserve(static_cast<size_t>(generation.tokens));
  }
  for (int64_t step = 0; step < generation.tokens; ++step) {
    std::span<const float> logits;
    MILLRACE_RETURN_IF_ERROR(decoder.Step(rows, *handle, logits));
    const size_t width = logits.size() / rows.size();
    for (size_t row = 0; row < rows.size(); ++row) {
      const auto own = logits.subspan(row * width, width);
      tokens[row].push_back(static_cast<int32_t>(std::max_element(own.begin(), own.end()) - own.begin()));
      rows[row].tokens = {&tokens[row].back(), 1};
    }
  }
  return {};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Way {
  const char* name;
  Generation generation;
  std::function<Status(const Generation&, Tokens&)> run;
  // Tokens per second, and per second of CPU time, of each round.
  std::vector<double> rates = {};
  std::vector<double> cpu_rates = {};
  Tokens tokens = {};
};

Status RunWay(Way& way) {
  const Instant start = Now();
  MILLRACE_RETURN_IF_ERROR(way.run(way.generation, way.tokens));
  const Instant end = Now();
  size_t tokens = 0;
  for (const auto& row : way.tokens) tokens += row.size();
  way.rates.push_back(static_cast<double>(tokens) / (end.wall - start.wall));
  way.cpu_rates.push_back(static_cast<double>(tokens) / (end.cpu - start.cpu));
  return {};
}

double RatioOf(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return Median(ratios);
}

// Prints the medians of the rounds' ratios, under names with a prefix.
void PrintRatios(const char* prefix, const std::vector<Way>& ways, std::vector<double> Way::* rates) {
  const auto print = [&](const char* name, size_t a, size_t b) {
    std::printf(",\"%s%s\":%.3f", prefix, name, RatioOf(ways[a].*rates, ways[b].*rates));
  };
  print("decoder_to_bare", 1, 0);
  print("decoder_rows_to_bare_rows", 3, 2);
  print("alone_to_bare", 4, 0);
  print("together_to_bare_rows", 5, 2);
  print("together_to_alone", 5, 4);
  print("clients_to_alone", 6, 4);
}

Status Measure(const Arguments& arguments) {
  const OrtLibrary* library = nullptr;
  MILLRACE_RETURN_IF_ERROR(OpenOrtLibrary(arguments.library, library));
  const DecoderOptions options = OptionsOf(arguments);
  BareGeneration bare;
  std::unique_ptr<LoadedDecoder> decoder;
  MILLRACE_RETURN_IF_ERROR(bare.Open(*library, options, arguments.spin));
  MILLRACE_RETURN_IF_ERROR(LoadDecoder(*library, options, decoder));

  const auto run_bare = [&](const Generation& generation, Tokens& tokens) { return bare.Run(generation, tokens); };
  const auto run_decoder = [&](const Generation& generation, Tokens& tokens) {
    return RunDecoder(*decoder, generation, tokens);
  };
  Generation alone = arguments.generation;
  alone.rows = 1;
  std::vector<Way> ways;
  ways.push_back({"bare", alone, run_bare});
  ways.push_back({"decoder", alone, run_decoder});
  ways.push_back({"bare_rows", arguments.generation, run_bare});
  ways.push_back({"decoder_rows", arguments.generation, run_decoder});
  const SteadyClock clock;
  Generator generator(*decoder, clock, {});
  // One request after another, and all of them together.
  ways.push_back({"alone", arguments.generation, [&](const Generation& generation, Tokens& tokens) {
                    return RunGenerator(generator, generation, false, tokens);
                  }});
  ways.push_back({"together", arguments.generation, [&](const Generation& generation, Tokens& tokens) {
                    return RunGenerator(generator, generation, true, tokens);
                  }});
  ways.push_back({"clients", arguments.generation, [&](const Generation& generation, Tokens& tokens) {
                    return RunClients(generator, generation, tokens);
                  }});
  for (int64_t round = 0; round <= arguments.rounds; ++round) {
    for (Way& way : ways) {
      MILLRACE_RETURN_IF_ERROR(RunWay(way));
      // The first round warms up.
      if (round > 0) continue;
      way.rates.clear();
      way.cpu_rates.clear();
    }
  }
  if (ways[0].tokens != ways[1].tokens || ways[2].tokens != ways[3].tokens || ways[2].tokens != ways[4].tokens ||
      ways[2].tokens != ways[5].tokens) {
    return {Code::kInternal, "The tokens of the ways differ"};
  }
  std::printf("{\"rows\":%ld,\"prompt\":%ld,\"tokens\":%ld,\"threads\":%d",
              static_cast<long>(arguments.generation.rows), static_cast<long>(alone.prompt),
              static_cast<long>(alone.tokens), arguments.threads);
  for (const Way& way : ways) {
    std::printf(",\"%s\":%.1f,\"cpu_%s\":%.1f", way.name, Median(way.rates), way.name, Median(way.cpu_rates));
  }
  PrintRatios("", ways, &Way::rates);
  PrintRatios("cpu_", ways, &Way::cpu_rates);
  std::printf("}\n");
  return {};
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Arguments arguments;
  millrace::Status status = millrace::bench::ReadArguments(argc, argv, arguments);
  if (status.ok()) status = millrace::bench::Measure(arguments);
  if (!status.ok()) std::fprintf(stderr, "%s: %s\n", argv[0], status.message().c_str());
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

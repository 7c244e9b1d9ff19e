// The references of the text fixtures: what transformers answers with the same weights.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "codec/json_cursor.h"

namespace millrace::test {

inline std::string TextFolder(const std::string& model) { return MILLRACE_TEST_TEXT + model + "/"; }

// What a `reference.json` says about greedy search.
struct TextReference {
  // The ids of each text, as the model reads them.
  std::vector<std::vector<int32_t>> texts;
  // For some of the texts, the logits after the first step.
  struct First {
    size_t text = 0;
    std::vector<float> logits;
  };
  std::vector<First> first;
  // For each text, the tokens of greedy search with the end of the sequence. Empty if they hang on rounding.
  std::vector<std::vector<int32_t>> greedy;
};

// What a `generation_config.json` says.
struct GenerationSettings {
  int32_t start = 0;
  int32_t end = 0;
  // Whether there are no rules beside the end.
  bool plain = true;
};

class TextReferenceReader {
 public:
  static TextReference Read(const std::string& model) {
    const std::string text = Text(model, "reference.json");
    TextReferenceReader reader(text);
    reader.Root();
    return std::move(reader.reference_);
  }
  static GenerationSettings ReadSettings(const std::string& model) {
    const std::string text = Text(model, "generation_config.json");
    TextReferenceReader reader(text);
    GenerationSettings settings;
    reader.Object([&](const std::string& key) {
      for (const char* rule : {"num_beams", "forced_bos_token_id", "bad_words_ids", "no_repeat_ngram_size"}) {
        settings.plain = settings.plain && key != rule;
      }
      if (key == "decoder_start_token_id") {
        settings.start = static_cast<int32_t>(reader.Number());
      } else if (key == "eos_token_id") {
        settings.end = static_cast<int32_t>(reader.Number());
      } else {
        reader.Skip();
      }
    });
    return settings;
  }

 private:
  static std::string Text(const std::string& model, const char* name) {
    std::ifstream file(TextFolder(model) + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  explicit TextReferenceReader(const std::string& text) : json_(text) {}

  void Check(bool done) {
    if (!done) throw std::runtime_error("reference.json: " + json_.error());
  }
  template <class Body>
  void Object(const Body& body) {
    Check(json_.Expect('{'));
    for (bool more = !json_.Take('}'); more; Check(json_.NextOrClose('}', more))) {
      std::string_view key;
      Check(json_.ReadKey(key));
      body(std::string(key));
    }
  }
  template <class Body>
  void Array(const Body& body) {
    Check(json_.Expect('['));
    for (bool more = !json_.Take(']'); more; Check(json_.NextOrClose(']', more))) body();
  }
  void Skip() { Check(json_.SkipValue()); }
  double Number() {
    json_.SkipSpace();
    const char* const start = json_.at;
    Skip();
    return std::strtod(std::string(start, json_.at).c_str(), nullptr);
  }
  template <class T>
  std::vector<T> Numbers() {
    std::vector<T> numbers;
    Array([&] { numbers.push_back(static_cast<T>(Number())); });
    return numbers;
  }

  void Root() {
    Object([&](const std::string& key) {
      if (key == "texts") {
        Array([&] { Object([&](const std::string& member) { OneText(member); }); });
      } else if (key == "logits") {
        Array([&] {
          TextReference::First& first = reference_.first.emplace_back();
          Object([&](const std::string& member) {
            if (member == "index") {
              first.text = static_cast<size_t>(Number());
            } else {
              first.logits = Numbers<float>();
            }
          });
        });
      } else if (key == "generations") {
        Array([&] { Generation(); });
      } else {
        Skip();
      }
    });
  }
  void OneText(const std::string& member) {
    if (member == "ids") {
      reference_.texts.push_back(Numbers<int32_t>());
    } else {
      Skip();
    }
  }
  // One way of generating, of which only the plain greedy one is read.
  void Generation() {
    bool greedy = false;
    Object([&](const std::string& key) {
      if (key == "name") {
        std::string_view name;
        Check(json_.ReadString(name));
        greedy = name == "greedy";
      } else if (key == "results" && greedy) {
        Array([&] { Results(); });
      } else {
        Skip();
      }
    });
  }
  // The sequences for one text, or null.
  void Results() {
    std::vector<int32_t>& tokens = reference_.greedy.emplace_back();
    json_.SkipSpace();
    if (*json_.at == 'n') return Skip();
    Array([&] {
      Object([&](const std::string& key) {
        if (key == "ids") {
          tokens = Numbers<int32_t>();
        } else {
          Skip();
        }
      });
    });
  }

  JsonCursor json_;
  TextReference reference_;
};

}  // namespace millrace::test

// The files of a model: what they hold, and copies of them that nobody can change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "batching/status.h"
#include "ort/model_graph.h"

namespace millrace {

struct ModelFacts {
  // SHA-256, hexadecimal: of the model's bytes, or, where it has external data, of those and of every file
  // that it names.
  std::string digest;
  GraphFacts graph;
};

// Reads a model's file and the files it names.
//
// kNotFound: the file cannot be read, and why. kInvalidArgument: external data that are missing or lie
// outside the model's folder.
Status InspectFile(const std::string& path, ModelFacts& facts);
// The same of bytes, which have no files beside them.
Status InspectBytes(std::string_view bytes, ModelFacts& facts);

// What a session is made of: bytes in memory, or files in a folder of our own. Either is taken once, so that
// a session never depends on a file that somebody may change or cut short while it is mapped.
// Why: .github/decisions/0019-a-session-is-made-of-private-copies.md
class ModelSnapshot {
 public:
  ModelSnapshot() = default;
  ModelSnapshot(const ModelSnapshot&) = delete;
  ModelSnapshot& operator=(const ModelSnapshot&) = delete;
  // Removes the folder. Sessions keep what they have mapped.
  ~ModelSnapshot();

  // `folder` is where copies of external data are made; empty: the system's folder for temporary files.
  // Copies that a process left there when it was killed are removed.
  // kUnavailable if the files are not those of `digest` any more: inspect them again.
  // kFailedPrecondition if there is no room for copies.
  Status Take(const std::string& path, const std::string& digest, const std::string& folder);
  // Refers to `bytes`, which outlive it.
  Status Take(std::string_view bytes);

  // Where the model is a file of ours; else empty.
  const std::string& path() const noexcept { return path_; }
  std::string_view bytes() const noexcept { return bytes_; }
  const GraphFacts& graph() const noexcept { return graph_; }

 private:
  Status Copy(const std::string& model, const std::vector<std::string>& sources,
              const std::string& folder, std::string& digest);
  void ReplaceZipMaps();

  std::string owned_;
  std::string_view bytes_;
  std::string path_;
  std::string copies_;
  // Keeps other processes from taking the folder for a leftover.
  int lock_ = -1;
  GraphFacts graph_;
};

}  // namespace millrace

// The files of a model: facts about their contents, and private copies that no one else changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "batching/status.h"
#include "ort/model_graph.h"

namespace millrace {

struct ModelFacts {
  // The SHA-256, in hexadecimal, of the model's bytes or, if it has external data, of its bytes and every file that it
  // names.
  std::string digest;
  GraphFacts graph;
};

// Reads a model's file and the files that it names.
//
// Returns kNotFound with the reason if the file cannot be read, and kInvalidArgument if external data are missing or
// lie outside the model's folder.
Status InspectFile(const std::string& path, ModelFacts& facts);
// Does the same for a model in memory. Returns kInvalidArgument if it has external data, since there are no files
// beside it.
Status InspectBytes(std::string_view bytes, ModelFacts& facts);

// The model of which sessions are made: bytes in memory, or files in a private folder. They are copied once, so that a
// session never depends on a file that someone may change or truncate while it is mapped.
// Why: .github/decisions/0019-a-session-is-made-of-private-copies.md
class ModelSnapshot {
 public:
  ModelSnapshot() = default;
  ModelSnapshot(const ModelSnapshot&) = delete;
  ModelSnapshot& operator=(const ModelSnapshot&) = delete;
  // Removes the folder. Sessions keep what they have mapped.
  ~ModelSnapshot();

  // Reads the model at `path`. Copies of external data are made in `folder` or, if that is empty, in the system's
  // folder for temporary files. Copies that a killed process left there are removed.
  // Returns kUnavailable if the files do not have `digest` any more and must be inspected again, and
  // kFailedPrecondition if there is no room for copies.
  Status Take(const std::string& path, const std::string& digest, const std::string& folder);
  // Refers to `bytes`, which must outlive the snapshot.
  Status Take(std::string_view bytes);

  // Returns the path of the private copy of the model, or "" if the model is in bytes().
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
  // Holds a lock that keeps other processes from removing the folder as a leftover.
  int lock_ = -1;
  GraphFacts graph_;
};

}  // namespace millrace

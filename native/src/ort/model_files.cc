#include "ort/model_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

#include "ort/sha256.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunk = 1 << 20;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }

 private:
  const int descriptor_;
};

std::string Reason(int error) { return std::strerror(error); }

// Reads a regular file in chunks, and passes them to `take`, which returns an error or "". Returns why the file cannot
// be read, or "".
std::string ReadFile(const std::string& path, const std::function<std::string(std::string_view)>& take) {
  // Without O_NONBLOCK, to open a pipe would block.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Reason(errno);
  struct stat about {};
  if (fstat(file.get(), &about) != 0) return Reason(errno);
  if (!S_ISREG(about.st_mode)) return "it is no file";
  posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string chunk(kChunk, '\0');
  for (;;) {
    const ssize_t size = read(file.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Reason(errno);
    if (size == 0) return {};
    if (std::string error = take({chunk.data(), static_cast<size_t>(size)}); !error.empty()) {
      return error;
    }
  }
}

Status ReadModel(const std::string& path, std::string& bytes) {
  std::error_code ignored;
  const auto size = fs::file_size(path, ignored);
  if (!ignored) bytes.reserve(static_cast<size_t>(size));
  const std::string error = ReadFile(path, [&bytes](std::string_view chunk) {
    bytes += chunk;
    return std::string();
  });
  if (error.empty()) return {};
  return {Code::kNotFound, error};
}

// Returns whether `path` lies in `folder`. Neither may contain symbolic links.
bool LiesIn(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && rest != path.end();
}

// Finds a file of external data, and follows its symbolic links. The file has to be in the model's folder or, if the
// model is a symbolic link, as in the cache of Hugging Face, in the folder of the link's target.
Status Locate(const std::string& model, const std::string& location, std::string& source) {
  const fs::path name(location);
  const auto wrong = [&location](const std::string& what) {
    return Status(Code::kInvalidArgument, "External data '" + location + "' " + what);
  };
  const bool leaves = name.is_absolute() || std::ranges::find(name, "..") != name.end();
  if (location.empty() || leaves || location.find('\0') != std::string::npos) {
    return wrong("of the model are named outside of its folder: expected a file beside it");
  }
  std::error_code error;
  const fs::path found = fs::canonical(fs::path(model).parent_path() / name, error);
  if (error) return wrong("of the model are missing: expected them beside it");
  const fs::path folder = fs::canonical(fs::path(model).parent_path(), error);
  const fs::path home = fs::canonical(model, error).parent_path();
  if (error || !(LiesIn(found, folder) || LiesIn(found, home))) {
    return wrong("of the model are a link out of its folder: put the file itself there");
  }
  source = found.string();
  return {};
}

Status LocateAll(const std::string& model, const std::vector<std::string>& locations,
                 std::vector<std::string>& sources) {
  for (const std::string& location : locations) {
    MILLRACE_RETURN_IF_ERROR(Locate(model, location, sources.emplace_back()));
  }
  return {};
}

// Computes the digest of a model, whose file has the digest `own`, and its external data. Calls `add` for each file of
// external data, which adds the contents to a hash.
Status DigestOf(const std::string& own, const std::vector<std::string>& locations,
                const std::function<Status(size_t, Sha256&)>& add, std::string& digest) {
  digest = own;
  if (locations.empty()) return {};
  Sha256 all;
  all.Add(own);
  for (size_t i = 0; i < locations.size(); ++i) {
    Sha256 file;
    MILLRACE_RETURN_IF_ERROR(add(i, file));
    all.Add('\0' + locations[i] + '\0');
    all.Add(file.Digest());
  }
  digest = all.Digest();
  return {};
}

std::string OwnDigest(std::string_view bytes) {
  Sha256 hash;
  hash.Add(std::as_bytes(std::span(bytes)));
  return hash.Digest();
}

Status Unreadable(const std::string& location, const std::string& error) {
  return {Code::kInvalidArgument, "External data '" + location + "' cannot be read: " + error};
}

constexpr char kPrefix[] = "millrace-model-";

// Removes the folders of processes that were killed while they loaded a model.
void RemoveLeftovers(const fs::path& root) {
  const auto old = fs::file_time_type::clock::now() - std::chrono::minutes(1);
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path path = entry->path();
    std::error_code ignored;
    const bool ours = path.filename().string().starts_with(kPrefix) && entry->is_directory(ignored);
    // A process that has just made a folder may not have locked it yet.
    if (!ours || fs::last_write_time(path, ignored) > old) continue;
    const File folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.get() < 0 || flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
    fs::remove_all(path, ignored);
  }
}

std::string WriteAll(int target, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(target, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Reason(errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Status InspectBytes(std::string_view bytes, ModelFacts& facts) {
  facts.graph = ReadGraph(bytes);
  facts.digest = OwnDigest(bytes);
  if (!facts.graph.valid || facts.graph.external.empty()) return {};
  return {Code::kInvalidArgument, "The model has external data ('" + facts.graph.external.front() +
                                      "'), which bytes cannot bring: load it by its path"};
}

Status InspectFile(const std::string& path, ModelFacts& facts) {
  std::string bytes;
  MILLRACE_RETURN_IF_ERROR(ReadModel(path, bytes));
  facts.graph = ReadGraph(bytes);
  const std::string own = OwnDigest(bytes);
  bytes = {};
  if (!facts.graph.valid) facts.graph.external.clear();
  const std::vector<std::string>& locations = facts.graph.external;
  std::vector<std::string> sources;
  MILLRACE_RETURN_IF_ERROR(LocateAll(path, locations, sources));
  const auto add = [&](size_t i, Sha256& hash) {
    const std::string error = ReadFile(sources[i], [&hash](std::string_view chunk) {
      hash.Add(std::as_bytes(std::span(chunk)));
      return std::string();
    });
    return error.empty() ? Status() : Unreadable(locations[i], error);
  };
  return DigestOf(own, locations, add, facts.digest);
}

ModelSnapshot::~ModelSnapshot() {
  if (copies_.empty()) return;
  std::error_code ignored;
  fs::remove_all(copies_, ignored);
  if (lock_ >= 0) close(lock_);
}

Status ModelSnapshot::Take(std::string_view bytes) {
  if (bytes.empty()) return {Code::kInvalidArgument, "The model is empty"};
  bytes_ = bytes;
  graph_ = ReadGraph(bytes);
  ReplaceZipMaps();
  return {};
}

Status ModelSnapshot::Take(const std::string& path, const std::string& digest,
                           const std::string& folder) {
  MILLRACE_RETURN_IF_ERROR(ReadModel(path, owned_));
  if (owned_.empty()) return {Code::kInvalidArgument, "The model file is empty"};
  bytes_ = owned_;
  graph_ = ReadGraph(bytes_);
  std::string taken = OwnDigest(bytes_);
  ReplaceZipMaps();
  if (graph_.valid && !graph_.external.empty()) {
    std::vector<std::string> sources;
    MILLRACE_RETURN_IF_ERROR(LocateAll(path, graph_.external, sources));
    const Status copied = Copy(fs::path(path).filename().string(), sources, folder, taken);
    if (!copied.ok()) return copied;
  }
  if (taken == digest) return {};
  return {Code::kUnavailable, "Its files changed while they were read: load it again"};
}

// Copies the model, as it is after ReplaceZipMaps, and its external data into a folder that no other process knows.
Status ModelSnapshot::Copy(const std::string& model, const std::vector<std::string>& sources,
                           const std::string& folder, std::string& digest) {
  std::error_code error;
  const fs::path root = folder.empty() ? fs::temp_directory_path(error) : fs::path(folder);
  fs::create_directories(root, error);
  const auto no_room = [](const std::string& reason) {
    return Status(Code::kFailedPrecondition,
                  "The model's external data cannot be copied (" + reason +
                      "): name a cache folder with room for them");
  };
  RemoveLeftovers(root);
  std::string made = (root / (std::string(kPrefix) + "XXXXXX")).string();
  if (mkdtemp(made.data()) == nullptr) return no_room(Reason(errno));
  copies_ = made;
  lock_ = open(made.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0 || flock(lock_, LOCK_SH) != 0) return no_room(Reason(errno));
  const auto create = [&](const std::string& name) {
    const fs::path target = fs::path(copies_) / name;
    fs::create_directories(target.parent_path(), error);
    return open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  };
  const auto add = [&](size_t i, Sha256& hash) {
    const File target(create(graph_.external[i]));
    if (target.get() < 0) return no_room(Reason(errno));
    bool full = false;
    const std::string failure = ReadFile(sources[i], [&](std::string_view chunk) {
      hash.Add(std::as_bytes(std::span(chunk)));
      std::string reason = WriteAll(target.get(), chunk);
      full = full || !reason.empty();
      return reason;
    });
    if (full) return no_room(failure);
    return failure.empty() ? Status() : Unreadable(graph_.external[i], failure);
  };
  MILLRACE_RETURN_IF_ERROR(DigestOf(std::exchange(digest, {}), graph_.external, add, digest));
  const File target(create(model));
  if (target.get() < 0) return no_room(Reason(errno));
  if (const std::string reason = WriteAll(target.get(), bytes_); !reason.empty()) return no_room(reason);
  path_ = (fs::path(copies_) / model).string();
  bytes_ = owned_ = {};
  return {};
}

// Replaces each ZipMap by the probabilities that are its input, so that the classifier can be served.
void ModelSnapshot::ReplaceZipMaps() {
  if (!graph_.valid || graph_.zip_maps.empty()) return;
  owned_ = WithoutZipMaps(bytes_, graph_.zip_maps);
  bytes_ = owned_;
}

}  // namespace millrace

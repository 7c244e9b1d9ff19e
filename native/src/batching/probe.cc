#include "batching/probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <utility>

#include "batching/half.h"
#include "batching/probe_rows.h"
#include "batching/row_names.h"

namespace millrace {
namespace {

// The time that rows may take alone, after which the probe uses few of them.
constexpr Nanos kPatience = 100'000'000;
// The longest expected run of the largest batch.
constexpr Nanos kLongestRun = 500'000'000;
// The time for batches beyond the largest that is formed.
constexpr Nanos kSpare = 25'000'000;
// The time for batches of every number of rows.
constexpr Nanos kCounting = 100'000'000;
// The rows that run alone in any case.
constexpr size_t kFewRows = 3;
// The rows of the batches that contain one row of large numbers.
constexpr size_t kManyRows = 32;
// The rows of the batch that is compared in place of a large request, whose parts run in several batches. It is odd, so
// that it is no multiple of the rows of a part.
constexpr size_t kRequestRows = 513;

std::string StaticDimension(const std::vector<TensorSpec>& specs, const char* kind) {
  for (const TensorSpec& spec : specs) {
    if (!spec.dims.empty() && spec.dims[0] == -1) continue;
    return std::string("Dimension 0 of ") + kind + " '" + spec.name + "' is not dynamic";
  }
  return {};
}

template <class T>
T At(const TensorView& view, size_t i) {
  T value;
  std::memcpy(&value, view.data + i * sizeof(T), sizeof(T));
  return value;
}

double RealAt(const TensorView& view, size_t i) {
  switch (view.type) {
    case ElementType::kFloat32:
      return At<float>(view, i);
    case ElementType::kFloat64:
      return At<double>(view, i);
    case ElementType::kFloat16:
      return HalfToFloat(At<uint16_t>(view, i));
    default:
      return BfloatToFloat(At<uint16_t>(view, i));
  }
}

// How much a number may differ, relative to itself and to the largest of its row, because kernels add in another order
// in a larger batch.
double RoundingOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat16:
      return 4e-3;
    case ElementType::kBfloat16:
      return 3e-2;
    default:
      return 1e-3;
  }
}

// Returns whether `elements` floating-point numbers of two rows are equal except for rounding.
bool AlmostEqual(const TensorView& a, size_t first, const TensorView& alone, size_t elements,
                 double relative) {
  double largest = 0;
  for (size_t i = 0; i < elements; ++i) {
    const double y = std::abs(RealAt(alone, i));
    if (std::isfinite(y)) largest = std::max(largest, y);
  }
  const double absolute = 1e-4 + relative / 5 * largest;
  for (size_t i = 0; i < elements; ++i) {
    const double x = RealAt(a, first + i);
    const double y = RealAt(alone, i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!(std::abs(x - y) <= absolute + relative * std::abs(y))) return false;
  }
  return true;
}

// Runs batches of made-up rows and compares their outputs with those of each row alone.
class RowProbe {
 public:
  RowProbe(const Signature& signature, Executor& executor, const Clock& clock)
      : signature_(signature), executor_(executor), clock_(clock), handle_(executor.NewHandle()) {}

  Status Prepare(const ShapePlan& plan, bool indices) {
    return ProbeRows::Make(signature_, plan, indices, rows_);
  }

  // Runs rows alone, as many as there is time for. Returns false if too few of them run.
  bool RunAlone() {
    const Nanos began = clock_.Now();
    for (size_t row = 0; row < ProbeRows::kCount; ++row) {
      const Nanos elapsed = clock_.Now() - began;
      if (known_.size() >= kFewRows && elapsed > kPatience) break;
      // The first run also allocates memory.
      const Nanos before = clock_.Now();
      if (!executor_.Run(rows_.Batch({&row, 1}), *handle_, alone_[row]).ok()) continue;
      known_.push_back(row);
      row_cost_ = std::min(row_cost_, clock_.Now() - before);
    }
    return known_.size() >= 2;
  }

  // Runs a batch of these rows, which are indices of rows that run alone. Returns why the model cannot be batched, or an
  // empty string. With `may_fail`, a failed run proves nothing.
  std::string Compare(std::span<const size_t> order, bool may_fail = false) {
    std::vector<size_t> rows;
    for (const size_t index : order) rows.push_back(known_[index % known_.size()]);
    OutputRef together;
    const Nanos before = clock_.Now();
    const Status status = executor_.Run(rows_.Batch(rows), *handle_, together);
    if (!status.ok()) return may_fail ? "" : CountOf(rows) + " together fail, which run alone";
    if (rows.size() >= kFewRows) {
      row_cost_ = (clock_.Now() - before) / static_cast<Nanos>(rows.size());
    }
    for (size_t output = 0; output < signature_.outputs.size(); ++output) {
      if (SameRows(together->tensors[output], output, rows)) continue;
      return "Output '" + signature_.outputs[output].name + "' of " + CountOf(rows) +
             " together differs from their outputs alone";
    }
    compared_.insert(static_cast<int64_t>(rows.size()));
    return {};
  }

  // Compares a batch of `count` rows of all kinds except NaN, which would hide the effect of other numbers.
  std::string CompareMany(size_t count, bool may_fail = false) {
    const auto nan = std::ranges::find(known_, ProbeRows::kCount - 1);
    return Compare(Draw(count, static_cast<size_t>(nan - known_.begin())), may_fail);
  }

  // Compares a batch of ordinary rows, whose tolerance is the smallest.
  std::string CompareOrdinary(size_t count) { return Compare(Draw(count, Ordinary())); }

  // Compares a batch of ordinary rows and one other, because the deviation of a single row among many is the largest.
  std::string CompareBeside(size_t index, size_t count) {
    std::vector<size_t> order = Draw(count, Ordinary());
    order[count / 2] = index;
    return Compare(order);
  }

  // Returns whether a row that runs alone has large numbers or NaN.
  bool IsLarge(size_t index) const noexcept { return known_[index] >= ProbeRows::kTame; }

  // The numbers of rows of the batches whose outputs were equal to those of their rows alone.
  const std::set<int64_t>& compared() const noexcept { return compared_; }

  Nanos Now() const noexcept { return clock_.Now(); }
  size_t known() const noexcept { return known_.size(); }
  size_t most() const noexcept { return rows_.most(); }
  Nanos CostOf(size_t rows) const noexcept { return row_cost_ * static_cast<Nanos>(rows); }

 private:
  static std::string CountOf(std::span<const size_t> rows) {
    return rows.size() == 2 ? "two rows" : std::to_string(rows.size()) + " rows";
  }

  // Returns how many of the rows that run are ordinary ones, which come first.
  size_t Ordinary() const noexcept {
    return static_cast<size_t>(std::ranges::lower_bound(known_, ProbeRows::kTame) - known_.begin());
  }

  // Returns `count` of the first `kinds` rows in an order without a short period.
  static std::vector<size_t> Draw(size_t count, size_t kinds) {
    std::vector<size_t> order(count);
    auto state = static_cast<uint32_t>(count);
    for (size_t& index : order) {
      state = state * 1664525 + 1013904223;
      index = (state >> 16) % std::max<size_t>(kinds, 1);
    }
    return order;
  }

  bool SameRows(const TensorView& together, size_t output, std::span<const size_t> rows) const {
    if (together.shape.rank == 0 || together.shape.dims[0] != static_cast<int64_t>(rows.size())) {
      return false;
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      const TensorView& alone = alone_[rows[i]]->tensors[output];
      const auto same_size = [&](size_t axis) {
        return together.shape.dims[axis] == alone.shape.dims[axis];
      };
      if (alone.shape.rank != together.shape.rank || alone.shape.dims[0] != 1) return false;
      for (size_t axis = 1; axis < alone.shape.rank; ++axis) {
        if (!same_size(axis)) return false;
      }
      if (!SameRow(together, i, alone, rows[i])) return false;
    }
    return true;
  }

  static bool SameRow(const TensorView& together, size_t at, const TensorView& alone, size_t row) {
    const auto elements = static_cast<size_t>(alone.shape.Elements(1).value_or(0));
    const size_t first = at * elements;
    const bool large = row >= ProbeRows::kTame;
    if (IsFloatingPoint(alone.type)) {
      // The result of a kernel for NaN may depend on its place in a vector register.
      if (row >= ProbeRows::kTame + ProbeRows::kLarge) return true;
      return AlmostEqual(together, first, alone, elements, large ? 5e-2 : RoundingOf(alone.type));
    }
    // Large numbers have large rounding errors, which may change a decision of the model.
    if (large) return true;
    if (alone.type == ElementType::kString) {
      return std::equal(alone.strings, alone.strings + elements, together.strings + first);
    }
    const size_t size = ElementSize(alone.type);
    return elements == 0 ||
           std::memcmp(together.data + first * size, alone.data, elements * size) == 0;
  }

  const Signature& signature_;
  Executor& executor_;
  const Clock& clock_;
  const std::unique_ptr<RunHandle> handle_;
  ProbeRows rows_;
  std::array<OutputRef, ProbeRows::kCount> alone_;
  std::vector<size_t> known_;  // the rows that run alone
  std::set<int64_t> compared_;
  Nanos row_cost_ = kNever / 4096;
};

// Compares small batches: a pair, the same in another order with equal rows, and then rows of all kinds in windows of
// three, five and eight rows.
std::string CompareSmall(RowProbe& probe) {
  constexpr size_t kPair[] = {0, 1};
  std::string reason = probe.Compare(kPair);
  constexpr size_t kMixed[] = {1, 0, 0, 2, 0};
  if (reason.empty()) reason = probe.Compare(kMixed);
  if (probe.known() <= kFewRows) return reason;
  constexpr size_t kEqual[] = {0, 0, 0};
  if (reason.empty()) reason = probe.Compare(kEqual);
  std::vector<size_t> window(8);
  for (size_t first = 0; reason.empty() && first < probe.known(); first += 3) {
    // Later rows come first, so that values that a window leaves in memory would be large.
    for (size_t i = 0; i < window.size(); ++i) window[i] = 2 * probe.known() - first - i;
    reason = probe.Compare(window);
  }
  return reason;
}

// Compares each row of large numbers, and that of NaN, among many others.
std::string CompareOutliers(RowProbe& probe) {
  if (probe.CostOf(4 * kManyRows) > kPatience) return {};
  std::string reason;
  for (size_t index = 0; reason.empty() && index < probe.known(); ++index) {
    if (probe.IsLarge(index)) reason = probe.CompareBeside(index, kManyRows);
  }
  return reason;
}

// Compares large batches, halved until one is expected to be quick enough. Sets the rows of the largest that ran.
std::string CompareLarge(RowProbe& probe, int64_t max_rows, int64_t& verified) {
  verified = probe.known() <= kFewRows ? 5 : 8;
  auto rows = static_cast<size_t>(std::clamp<int64_t>(max_rows, 1, INT32_MAX));
  while (rows > static_cast<size_t>(verified) &&
         (rows > probe.most() || probe.CostOf(rows) > kLongestRun)) {
    rows /= 2;
  }
  if (rows <= static_cast<size_t>(verified)) return {};
  verified = static_cast<int64_t>(rows);
  return probe.CompareMany(rows);
}

// Compares a batch larger than any that is formed, of the most rows for which there is time, because a request of more
// rows than a batch runs in parts, whose outputs must be those of the whole: a convolution along dimension 0 may combine
// rows that are hundreds of rows apart. The model may refuse as many rows at once, since it is never given them.
std::string CompareRequest(RowProbe& probe, size_t verified) {
  for (size_t rows = std::max(2 * verified + 1, kRequestRows); rows > verified; rows = (rows + 1) / 2) {
    if (rows <= probe.most() && probe.CostOf(rows) <= kSpare) return probe.CompareMany(rows, true);
  }
  return {};
}

// Compares batches of every number of rows up to `most` for which there is time, because a model may treat one number, or
// every second one, differently. Powers of two come first, then the numbers between them, so that those that were
// compared for a slow model are close to any that is needed.
std::string CompareCounts(RowProbe& probe, int64_t most) {
  std::vector<int64_t> counts;
  for (const int64_t first : {2, 3}) {
    for (int64_t count = first; count <= most; count *= 2) counts.push_back(count);
  }
  for (int64_t count = 2; count <= most; ++count) counts.push_back(count);
  const Nanos end = probe.Now() + kCounting;
  std::string reason;
  for (const int64_t count : counts) {
    const auto rows = static_cast<size_t>(count);
    if (probe.compared().contains(count) || probe.Now() + probe.CostOf(rows) > end) continue;
    reason = probe.CompareOrdinary(rows);
    if (!reason.empty()) break;
  }
  return reason;
}

// Returns the numbers of rows up to `most` that were compared, or an empty list if all of them were.
std::vector<int64_t> ComparedRows(const std::set<int64_t>& compared, int64_t most) {
  std::vector<int64_t> counts(compared.begin(), compared.upper_bound(most));
  // All were compared except 1, which is not a batch.
  if (static_cast<int64_t>(counts.size()) == most - 1) counts.clear();
  return counts;
}

}  // namespace

Batchability ProbeBatching(const Signature& signature, Executor& executor, const Clock& clock,
                           const ProbeOptions& options) {
  if (signature.inputs.empty()) return {false, "The model has no inputs"};
  const ShapePlan& plan = ShapePlan::OrNone(options.shapes);
  if (const std::string axis = plan.AxisOfRows(); !axis.empty()) {
    return {false, "Axis '" + axis + "' is along dimension 0, which then cannot count rows"};
  }
  const std::string fixed = StaticDimension(signature.inputs, "input");
  if (!fixed.empty()) return {false, fixed};

  RowProbe probe(signature, executor, clock);
  const Status made = probe.Prepare(plan, options.indices);
  if (!made.ok()) return {false, made.message()};
  if (!probe.RunAlone()) {
    return {false, "The load-time probe could not run the model on made-up rows: declare maxRows to "
                   "batch anyway"};
  }
  int64_t verified = 1;
  std::string reason = CompareSmall(probe);
  if (reason.empty()) reason = CompareOutliers(probe);
  if (reason.empty()) reason = CompareLarge(probe, options.max_rows, verified);
  if (reason.empty()) reason = CompareRequest(probe, static_cast<size_t>(verified));
  const int64_t most = std::min(options.max_rows, verified);
  if (reason.empty()) reason = CompareCounts(probe, most);
  if (!reason.empty()) {
    // If the output has the size that the file fixes, that is the better reason.
    const std::string declared = StaticDimension(signature.outputs, "output");
    return {false, declared.empty() ? reason : declared};
  }
  reason = OtherNameOfRows(signature, options.data_sized);
  if (!reason.empty()) return {false, reason + ": declare maxRows to batch anyway"};
  std::vector<int64_t> compared = ComparedRows(probe.compared(), most);
  if (most == options.max_rows) return {true, "", most, std::move(compared)};
  return {true, "Batches have at most " + std::to_string(most) +
                    " rows, since larger ones take too long to be checked while loading: declare "
                    "maxRows for more",
          most, std::move(compared)};
}

bool OutputsCountRows(const Signature& signature, Executor& executor, const ShapePlan& plan) {
  constexpr size_t kRows = 2;
  Samples samples;
  if (!Samples::Make(signature, kRows, plan, plan.Lengths(0), samples).ok()) return true;
  const std::unique_ptr<RunHandle> handle = executor.NewHandle();
  OutputRef outputs;
  if (!executor.Run(samples.Rows(0, kRows), *handle, outputs).ok()) return true;
  return std::ranges::all_of(outputs->tensors, [](const TensorView& view) {
    return view.shape.rank > 0 && view.shape.dims[0] == kRows;
  });
}

}  // namespace millrace

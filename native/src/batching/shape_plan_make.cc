// Finds the dimensions of declared axes in a model's signature.
#include <algorithm>
#include <charconv>

#include "batching/shape_plan.h"

namespace millrace {
namespace {

Status Invalid(std::string sentence) { return {Code::kInvalidArgument, std::move(sentence)}; }

// A place as `tensor:dimension`. The name of a tensor may contain colons.
bool ParseDimension(const std::string& text, std::string& tensor, size_t& dimension) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, dimension);
  tensor = text.substr(0, colon);
  return error == std::errc() && rest == end;
}

// Returns the possible names of axes in this model for a message.
std::string KnownNames(const Signature& signature) {
  std::string names;
  std::vector<std::string> seen;
  for (const TensorSpec& spec : signature.inputs) {
    for (size_t dimension = 0; dimension < spec.dims.size(); ++dimension) {
      if (spec.dims[dimension] != -1) continue;
      std::string name = dimension < spec.symbols.size() ? spec.symbols[dimension] : "";
      if (name.empty()) name = spec.name + ':' + std::to_string(dimension);
      if (std::ranges::find(seen, name) != seen.end()) continue;
      names += (seen.empty() ? "'" : ", '") + name + "'";
      seen.push_back(std::move(name));
    }
  }
  return seen.empty() ? "none" : names;
}

}  // namespace

class ShapePlan::Maker {
 public:
  Maker(const Signature& signature, ShapePlan& plan) : signature_(signature), plan_(plan) {
    for (const TensorSpec& spec : signature.inputs) {
      plan_.inputs_.push_back({Follows(spec.dims.size(), kNone), {}, false, false});
    }
    for (const TensorSpec& spec : signature.outputs) {
      plan_.outputs_.emplace_back(spec.dims.size(), kNone);
    }
  }

  Status Add(const AxisSpec& spec) {
    if (plan_.axes_.size() == kMaxAxes) {
      return Invalid("At most " + std::to_string(kMaxAxes) + " axes can be declared");
    }
    const int axis = static_cast<int>(plan_.axes_.size());
    plan_.axes_.push_back(spec);
    MILLRACE_RETURN_IF_ERROR(CheckLengths(spec));
    MILLRACE_RETURN_IF_ERROR(FollowSymbol(spec.name, axis));
    std::vector<std::string> dimensions = spec.dimensions;
    if (!found_) dimensions.push_back(spec.name);
    for (const std::string& dimension : dimensions) {
      MILLRACE_RETURN_IF_ERROR(FollowDimension(dimension, spec, axis));
    }
    MILLRACE_RETURN_IF_ERROR(SetMask(spec, axis));
    return SetPads(spec, axis);
  }

  // Once all axes are known, this finds where each length is read.
  Status Finish() {
    for (size_t axis = 0; axis < plan_.axes_.size(); ++axis) {
      std::optional<Source> source;
      for (size_t input = 0; input < plan_.inputs_.size() && !source; ++input) {
        const InputPlan& known = plan_.inputs_[input];
        const auto at = std::ranges::find(known.follows, static_cast<int>(axis));
        if (known.mask || at == known.follows.end()) continue;
        source = Source{input, static_cast<size_t>(at - known.follows.begin())};
      }
      const std::string& name = plan_.axes_[axis].name;
      if (!source) {
        return Invalid("Axis '" + name + "' is along no input but its mask, and clients may leave that out");
      }
      plan_.sources_.push_back(*source);
    }
    return CheckMasks();
  }

 private:
  Status CheckLengths(const AxisSpec& spec) {
    const bool ascending =
        std::ranges::adjacent_find(spec.lengths, std::ranges::greater_equal{}) == spec.lengths.end();
    if (spec.lengths.empty() || !ascending || spec.lengths.front() < 1 ||
        spec.lengths.back() > kMaxElements) {
      return Invalid("Axis '" + spec.name + "' needs buckets: ascending lengths, each at least 1");
    }
    plan_.buckets_ *= spec.lengths.size();
    if (spec.lengths.size() > kMaxBuckets || plan_.buckets_ > kMaxBuckets) {
      return Invalid("The axes have too many combinations of buckets: at most " +
                     std::to_string(kMaxBuckets) + " are possible, so declare fewer lengths");
    }
    return {};
  }

  Status FollowSymbol(const std::string& name, int axis) {
    found_ = false;
    if (name.empty()) return {};  // dimensions without a name have nothing in common
    const auto follow = [&](const TensorSpec& spec, Follows& follows) -> Status {
      for (size_t i = 0; i < std::min(spec.dims.size(), spec.symbols.size()); ++i) {
        if (spec.dims[i] != -1 || spec.symbols[i] != name) continue;
        MILLRACE_RETURN_IF_ERROR(Follow(spec.name, i, axis, follows));
        found_ = true;
      }
      return {};
    };
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(follow(signature_.inputs[i], plan_.inputs_[i].follows));
    }
    if (!found_) return {};  // a name that only outputs have cannot be that of an axis
    for (size_t i = 0; i < signature_.outputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(follow(signature_.outputs[i], plan_.outputs_[i]));
    }
    return {};
  }

  static Status Follow(const std::string& tensor, size_t dimension, int axis, Follows& follows) {
    if (follows[dimension] != kNone && follows[dimension] != axis) {
      return Invalid("Dimension '" + tensor + ':' + std::to_string(dimension) +
                     "' is declared for two axes");
    }
    follows[dimension] = axis;
    return {};
  }

  Status FollowDimension(const std::string& text, const AxisSpec& spec, int axis) {
    std::string tensor;
    size_t dimension = 0;
    if (!ParseDimension(text, tensor, dimension)) {
      return Invalid(text == spec.name
                         ? "No input has a dimension named '" + text + "': it can be " +
                               KnownNames(signature_)
                         : "'" + text + "' of axis '" + spec.name +
                               "' is no dimension: expected tensor:dimension, such as 'x:1'");
    }
    bool known = false;
    const auto follow = [&](const TensorSpec& other, Follows& follows) -> Status {
      if (other.name != tensor) return {};
      known = true;
      if (dimension >= other.dims.size() || other.dims[dimension] != -1) {
        return Invalid("'" + text + "' of axis '" + spec.name +
                       "' is no dynamic dimension of the model");
      }
      return Follow(tensor, dimension, axis, follows);
    };
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(follow(signature_.inputs[i], plan_.inputs_[i].follows));
    }
    for (size_t i = 0; i < signature_.outputs.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(follow(signature_.outputs[i], plan_.outputs_[i]));
    }
    if (known) return {};
    return Invalid("The model has no input or output '" + tensor + "', which axis '" + spec.name +
                   "' names");
  }

  std::optional<size_t> InputNamed(const std::string& name) const {
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      if (signature_.inputs[i].name == name) return i;
    }
    return {};
  }

  bool Along(size_t input, int axis) const {
    const Follows& follows = plan_.inputs_[input].follows;
    return std::ranges::find(follows, axis) != follows.end();
  }

  Status SetMask(const AxisSpec& spec, int axis) {
    if (spec.mask.empty()) return {};
    const auto input = InputNamed(spec.mask);
    if (!input || !Along(*input, axis)) {
      return Invalid("The mask '" + spec.mask + "' is no input that has a dimension of axis '" +
                     spec.name + "'");
    }
    if (signature_.inputs[*input].type == ElementType::kString) {
      return Invalid("The mask '" + spec.mask + "' holds strings: expected numbers or bool");
    }
    plan_.inputs_[*input].mask = true;
    return {};
  }

  Status SetPads(const AxisSpec& spec, int axis) {
    for (const auto& [name, pad] : spec.pads) {
      if (const auto input = InputNamed(name); input && Along(*input, axis)) continue;
      return Invalid("Axis '" + spec.name + "' has a pad value for '" + name +
                     "', which is no input that has a dimension of it");
    }
    for (size_t input = 0; input < plan_.inputs_.size(); ++input) {
      InputPlan& known = plan_.inputs_[input];
      if (!Along(input, axis)) continue;
      Element pad;
      const TensorSpec& tensor = signature_.inputs[input];
      const auto own = spec.pads.find(tensor.name);
      // The common value of all inputs is not that of a mask, whose padding is always zero.
      const bool common = spec.pad.has_value() && !known.mask && tensor.name != spec.mask;
      if (own != spec.pads.end() || common) {
        const Status status =
            Encode(own != spec.pads.end() ? own->second : *spec.pad, tensor.type, pad);
        if (!status.ok()) {
          return Invalid("The pad value of input '" + tensor.name + "' " + status.message());
        }
      }
      if (known.padded && known.pad != pad) {
        return Invalid("Input '" + tensor.name + "' has two pad values, of different axes");
      }
      known.pad = pad;
      known.padded = true;
    }
    return {};
  }

  Status CheckMasks() const {
    for (size_t input = 0; input < plan_.inputs_.size(); ++input) {
      const InputPlan& known = plan_.inputs_[input];
      const TensorSpec& spec = signature_.inputs[input];
      if (!known.mask) continue;
      if (known.pad != Element{}) {
        return Invalid("The mask '" + spec.name + "' is padded with 0: leave its pad value out");
      }
      for (size_t dimension = 1; dimension < spec.dims.size(); ++dimension) {
        if (spec.dims[dimension] != -1 || known.follows[dimension] != kNone) continue;
        return Invalid("Dimension " + std::to_string(dimension) + " of the mask '" + spec.name +
                       "' follows no axis, so that it cannot be made: declare the axis");
      }
    }
    return {};
  }

  const Signature& signature_;
  ShapePlan& plan_;
  bool found_ = false;
};

Status ShapePlan::Make(const Signature& signature, std::span<const AxisSpec> specs,
                       ShapePlan& plan) {
  plan = {};
  if (specs.empty()) return {};
  Maker maker(signature, plan);
  for (const AxisSpec& spec : specs) MILLRACE_RETURN_IF_ERROR(maker.Add(spec));
  MILLRACE_RETURN_IF_ERROR(maker.Finish());
  for (const Follows& follows : plan.outputs_) {
    plan.cuts_ = plan.cuts_ || std::ranges::any_of(follows, [](int axis) { return axis != kNone; });
  }
  return {};
}

}  // namespace millrace

#pragma once

#include "workloads/shared/measure.hpp"
#include "workloads/shared/params.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::work {

/// One workload with its parameters, ready to be set and run.
struct workload_run {
    param_set params;
    std::function<outcome()> run; ///< throws `usage_error`, or what made the work fail
};

/// Fixed work with a checksum: a name, its purpose, and how to get a run of it that has the
/// defaults.
struct workload {
    std::string name;
    std::string purpose;
    std::function<workload_run()> prepare;
};

/// All workloads of a program, in the order in which they were added.
class registry {
public:
    /// `Options` has `void declare(param_set&)` and `outcome run() const`.
    template <class Options>
    void add(std::string name, std::string purpose) {
        all_.push_back({std::move(name), std::move(purpose), [] {
                            auto options = std::make_shared<Options>();
                            workload_run one;
                            options->declare(one.params);
                            one.run = [options] {
                                return options->run();
                            };
                            return one;
                        }});
    }

    const std::vector<workload>& all() const { return all_; }
    /// Null if there is none of that name.
    const workload* find(std::string_view name) const;

private:
    std::vector<workload> all_;
};

} // namespace muster::work

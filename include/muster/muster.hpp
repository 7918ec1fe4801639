#pragma once

/// Everything that muster offers. Programs that want only a part include that part.
///
/// Left out is what the runtime is made of and a program has no use for: `checkpoint/prompter.hpp`,
/// `checkpoint/scheduler.hpp`, `metrics/counters.hpp`.

#include <muster/backend/backend.hpp>
#include <muster/backend/process.hpp>
#include <muster/backend/protocol.hpp>
#include <muster/backend/script.hpp>
#include <muster/checkpoint/policy.hpp>
#include <muster/error.hpp>
#include <muster/fanout/broadcast.hpp>
#include <muster/metrics/report.hpp>
#include <muster/metrics/snapshot.hpp>
#include <muster/metrics/write_file.hpp>
#include <muster/runtime.hpp>
#include <muster/sync/light_strand.hpp>
#include <muster/sync/shared_mutex.hpp>
#include <muster/time/interval.hpp>
#include <muster/time/wheel_timer.hpp>

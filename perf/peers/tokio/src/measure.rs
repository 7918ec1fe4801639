//! Wall time, process CPU time, memory and percentiles.

use std::time::Instant;

fn usage() -> libc::rusage {
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    usage
}

fn nanos(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}

/// User and system time of all threads.
pub fn process_cpu_ns() -> u64 {
    let usage = usage();
    nanos(usage.ru_utime) + nanos(usage.ru_stime)
}

pub fn peak_rss_bytes() -> u64 {
    usage().ru_maxrss as u64 * 1024
}

/// Voluntary context switches so far: how often the process went to sleep.
pub fn sleeps() -> u64 {
    usage().ru_nvcsw as u64
}

pub fn rss_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

#[derive(Clone, Copy, Default)]
pub struct Span {
    pub wall_ns: u64,
    pub cpu_ns: u64,
}

pub struct Stopwatch {
    wall: Instant,
    cpu_ns: u64,
}

impl Stopwatch {
    pub fn start() -> Self {
        let cpu_ns = process_cpu_ns();
        Stopwatch { wall: Instant::now(), cpu_ns }
    }

    pub fn stop(self) -> Span {
        let wall_ns = self.wall.elapsed().as_nanos() as u64;
        Span { wall_ns, cpu_ns: process_cpu_ns() - self.cpu_ns }
    }
}

/// Nanoseconds, every one kept; percentiles by nearest rank.
#[derive(Default)]
pub struct Samples {
    sorted: Vec<u64>,
}

impl Samples {
    pub fn new(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        Samples { sorted: values }
    }

    pub fn at(&self, share: f64) -> Option<u64> {
        let rank = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied()
    }

    pub fn len(&self) -> u64 {
        self.sorted.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    pub fn sum(&self) -> u64 {
        self.sorted.iter().sum()
    }
}

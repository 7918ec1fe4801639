//! One run's result as one JSON line.

use crate::args::{Params, Value};
use crate::measure::{peak_rss_bytes, Samples, Span};

pub struct Outcome {
    pub operations: u64,
    pub checksum: u64,
    pub span: Span,
    figures: Vec<(String, String)>,
}

impl Outcome {
    pub fn new(operations: u64, checksum: u64, span: Span) -> Self {
        Outcome { operations, checksum, span, figures: Vec::new() }
    }

    pub fn count(mut self, name: &str, value: u64) -> Self {
        self.figures.push((name.into(), value.to_string()));
        self
    }

    /// A quotient; `null` where nothing was counted.
    pub fn ratio(mut self, name: &str, total: u64, by: u64) -> Self {
        let text = if by == 0 { "null".into() } else { format!("{:.3}", total as f64 / by as f64) };
        self.figures.push((name.into(), text));
        self
    }

    /// `<stem>_p50_ns`, `_p99_ns`, `_p999_ns`, `_max_ns`; `null` where there was no sample.
    pub fn percentiles(mut self, stem: &str, samples: &Samples) -> Self {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
            let text = samples.at(share).map_or("null".into(), |value| value.to_string());
            self.figures.push((format!("{stem}_{name}_ns"), text));
        }
        self
    }

    /// Unlike wall time, blind to what else the machine does.
    pub fn cpu_per_operation(self, name: &str) -> Self {
        let (cpu, operations) = (self.span.cpu_ns, self.operations);
        self.ratio(name, cpu, operations)
    }

    pub fn wall_per_operation(self, name: &str) -> Self {
        let (wall, operations) = (self.span.wall_ns, self.operations);
        self.ratio(name, wall, operations)
    }
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> = entries.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn value_text(value: Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Choice(text) => format!("\"{text}\""),
    }
}

/// The line of perf/peers/WORKLOADS.md, "What a peer prints".
pub fn line(peer: &str, workload: &str, params: &Params, outcome: &Outcome) -> String {
    let params = object(params.0.iter().map(|(name, value)| (*name, value_text(*value))));
    let figures = object(outcome.figures.iter().map(|(name, text)| (name.as_str(), text.clone())));
    let entries = [
        ("schema", "\"muster-peer\"".to_string()),
        ("schema_version", "1".to_string()),
        ("peer", format!("\"{peer}\"")),
        ("workload", format!("\"{workload}\"")),
        ("params", params),
        ("operations", outcome.operations.to_string()),
        ("checksum", format!("\"{}\"", outcome.checksum)),
        ("wall_ns", outcome.span.wall_ns.to_string()),
        ("cpu_ns", outcome.span.cpu_ns.to_string()),
        ("peak_rss_bytes", peak_rss_bytes().to_string()),
        ("figures", figures),
    ];
    object(entries.into_iter())
}

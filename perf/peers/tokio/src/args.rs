//! The command line of a peer: `<workload> [--name value]...`, `--list`, `--help`.
//! Exit codes: 0 done, 1 the workload failed, 2 the arguments are wrong.

use crate::report::{self, Outcome};
use std::process::exit;

pub enum Kind {
    Number { default: u64, min: u64, max: u64 },
    Choice { values: &'static [&'static str] },
}

pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// A whole number within [min, max].
pub const fn number(
    name: &'static str,
    default: u64,
    min: u64,
    max: u64,
    help: &'static str,
) -> Param {
    Param { name, kind: Kind::Number { default, min, max }, help }
}

/// One of `values`; the first is the default.
pub const fn choice(
    name: &'static str,
    values: &'static [&'static str],
    help: &'static str,
) -> Param {
    Param { name, kind: Kind::Choice { values }, help }
}

#[derive(Clone, Copy)]
pub enum Value {
    Number(u64),
    Choice(&'static str),
}

/// The parameters of one run, complete with defaults, in the order of their declaration.
pub struct Params(pub Vec<(&'static str, Value)>);

impl Params {
    fn get(&self, name: &str) -> Value {
        self.0.iter().find(|entry| entry.0 == name).expect("a declared parameter").1
    }

    pub fn number(&self, name: &str) -> u64 {
        match self.get(name) {
            Value::Number(value) => value,
            Value::Choice(_) => panic!("{name} is not a number"),
        }
    }

    pub fn choice(&self, name: &str) -> &'static str {
        match self.get(name) {
            Value::Choice(value) => value,
            Value::Number(_) => panic!("{name} is not a choice"),
        }
    }

    /// `events` as whole bursts.
    pub fn rounds(&self) -> Result<u64, Failure> {
        let (events, burst) = (self.number("events"), self.number("burst"));
        if events % burst != 0 {
            return Err(Failure::Usage(format!(
                "--events {events} must be a multiple of --burst {burst}"
            )));
        }
        Ok(events / burst)
    }
}

pub enum Failure {
    Usage(String),
    Run(String),
}

pub struct Workload {
    pub name: &'static str,
    pub about: &'static str,
    pub params: &'static [Param],
    pub run: fn(&Params) -> Result<Outcome, Failure>,
}

pub struct Peer {
    pub name: &'static str,
    pub about: &'static str,
    pub workloads: &'static [Workload],
}

impl Peer {
    pub fn main(&self) -> ! {
        let args: Vec<String> = std::env::args().skip(1).collect();
        if args.iter().any(|arg| arg == "--help" || arg == "-h") {
            self.print_help();
            exit(0);
        }
        if args == ["--list"] {
            self.workloads.iter().for_each(|workload| println!("{}", workload.name));
            exit(0);
        }
        let done = self.select(&args).and_then(|(workload, params)| {
            (workload.run)(&params).map(|outcome| (workload.name, params, outcome))
        });
        match done {
            Ok((workload, params, outcome)) => {
                println!("{}", report::line(self.name, workload, &params, &outcome));
                exit(0)
            }
            Err(Failure::Run(why)) => self.fail(&why, 1),
            Err(Failure::Usage(why)) => self.fail(&format!("{why}; see {} --help", self.name), 2),
        }
    }

    fn fail(&self, why: &str, code: i32) -> ! {
        eprintln!("{}: {why}", self.name);
        exit(code)
    }

    fn select(&self, args: &[String]) -> Result<(&Workload, Params), Failure> {
        let name = args.first().ok_or_else(|| Failure::Usage("a workload is needed".into()))?;
        let workload = self
            .workloads
            .iter()
            .find(|workload| workload.name == name)
            .ok_or_else(|| Failure::Usage(format!("unknown workload '{name}'")))?;
        Ok((workload, parse(workload, &args[1..])?))
    }

    fn print_help(&self) {
        println!("usage: {} <workload> [--name value]...\n\n{}\n", self.name, self.about);
        println!("Prints one JSON line. --list prints the workloads' names.\n");
        for workload in self.workloads {
            println!("{}: {}", workload.name, workload.about);
            workload.params.iter().for_each(print_param);
            println!();
        }
    }
}

fn print_param(param: &Param) {
    let range = match param.kind {
        Kind::Number { default, min, max } => format!("{min}..{max}, default {default}"),
        Kind::Choice { values } => values.join(" | "),
    };
    println!("  --{:<18} {} [{range}]", param.name, param.help);
}

fn default_of(param: &Param) -> (&'static str, Value) {
    match param.kind {
        Kind::Number { default, .. } => (param.name, Value::Number(default)),
        Kind::Choice { values } => (param.name, Value::Choice(values[0])),
    }
}

fn parse(workload: &Workload, args: &[String]) -> Result<Params, Failure> {
    let mut params = Params(workload.params.iter().map(default_of).collect());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (arg.as_str(), None),
        };
        let index = workload
            .params
            .iter()
            .position(|param| name.strip_prefix("--") == Some(param.name))
            .ok_or_else(|| {
                Failure::Usage(format!("{} has no parameter '{name}'", workload.name))
            })?;
        let text = inline
            .or_else(|| rest.next().cloned())
            .ok_or_else(|| Failure::Usage(format!("{name} needs a value")))?;
        params.0[index].1 = value_of(&workload.params[index], &text)?;
    }
    Ok(params)
}

fn value_of(param: &Param, text: &str) -> Result<Value, Failure> {
    match param.kind {
        Kind::Number { min, max, .. } => match text.parse::<u64>() {
            Ok(value) if (min..=max).contains(&value) => Ok(Value::Number(value)),
            _ => Err(Failure::Usage(format!("--{} takes {min}..{max}, not '{text}'", param.name))),
        },
        Kind::Choice { values } => match values.iter().find(|value| **value == text) {
            Some(value) => Ok(Value::Choice(value)),
            None => Err(Failure::Usage(format!(
                "--{} takes {}, not '{text}'",
                param.name,
                values.join(" | ")
            ))),
        },
    }
}

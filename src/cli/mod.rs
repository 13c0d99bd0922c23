//! The command line: what is typed ([`Arguments`]) becomes what is done, and every failure an
//! exit code. Progress goes to stderr and only to a terminal; results go to stdout and to files.

mod adequacy;
mod args;
mod calibrate;
mod check;
mod explain;
mod failure;
mod frontier;
mod init;
mod manual;
mod progress;
mod run;
mod simulate;
mod size;
mod sweep;
mod typed;
mod validate;
mod worth;

pub use args::{
    AdequacyArguments, AdequacyBy, Arguments, CheckArguments, Command, CompletionsArguments,
    ExplainArguments, InitArguments, ManArguments, RunArguments, Source, SweepArguments, Threads,
};
pub use calibrate::{CalibrateArguments, LimitArguments, VariantArguments};
pub use failure::Failure;
pub use frontier::{FrontierArguments, Per};
pub use simulate::{CallLengths, DeploymentArguments, SimulateArguments, TrafficArguments};
pub use size::SizeArguments;
pub use validate::ValidateArguments;
pub use worth::WorthArguments;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

/// Parses the command line, runs it and says how it went: 0 done, 1 internal or I/O error,
/// 2 usage or scenario error, 3 a check that failed, 130 interrupted.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
            typed::refuse(&error, &words.collect::<Vec<_>>())
        }
    };
    let done = match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Run(run)) => run::run(&run),
        Some(Command::Check(check)) => check::check(&check),
        Some(Command::Explain(path)) => explain::explain(&path),
        Some(Command::Sweep(sweep)) => sweep::sweep(&sweep),
        Some(Command::Simulate(simulate)) => simulate::simulate(&simulate),
        Some(Command::Frontier(frontier)) => frontier::run(&frontier),
        Some(Command::Validate(arguments)) => validate::validate(&arguments),
        Some(Command::Size(size)) => size::size_load(&size),
        Some(Command::Calibrate(calibrate)) => calibrate::calibrate(&calibrate),
        Some(Command::Adequacy(adequacy)) => adequacy::adequacy(&adequacy),
        Some(Command::Worth(arguments)) => worth::value(&arguments),
        Some(Command::Init(init)) => init::init(&init),
        Some(Command::Completions(completions)) => manual::completions(&completions),
        Some(Command::Man(man)) => manual::man(&man),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            say_error(failure.render(colour).trim_end());
            ExitCode::from(failure.code())
        }
    }
}

/// Writes results to stdout; a reader that has gone away is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Print(error)),
        _ => Ok(()),
    }
}

/// Writes a line to stderr; where nobody reads it, there is nobody to tell.
fn say_error(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Sets the number of threads; all cores when none is given.
fn use_threads(threads: Threads) -> Result<(), Failure> {
    let count = threads.count.unwrap_or(0) as usize;
    rayon::ThreadPoolBuilder::new().num_threads(count).build_global().map_err(Failure::Threads)
}

//! The `sparkgap` program: everything is in the library, see [`sparkgap::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    sparkgap::cli::main()
}

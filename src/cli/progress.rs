//! Progress on stderr with rate and time left, on a terminal only; and Ctrl-C.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Failure, say_error};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Set while results are put in place.
static WRITING: AtomicBool = AtomicBool::new(false);
/// What a run is given after Ctrl-C to end by itself.
const GRACE: Duration = Duration::from_millis(700);

/// Installs the Ctrl-C handler: it asks the run to stop, and ends the program where a long piece of
/// work does not look up in time. Files are written aside, so that nothing half-written is left
/// under its name. `failure` is what it then says. Returns the flag that the run must watch.
pub(super) fn watch_interrupt(failure: Failure) -> &'static AtomicBool {
    // A second call in one process finds a handler installed already, which is the same one.
    let _ = ctrlc::set_handler(move || {
        STOP.store(true, Ordering::Relaxed);
        std::thread::sleep(GRACE);
        while WRITING.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        say_error(&failure.to_string());
        std::process::exit(i32::from(failure.code()));
    });
    &STOP
}

/// Writes results; Ctrl-C waits until that is done.
pub(super) fn writing<T>(write: impl FnOnce() -> T) -> T {
    WRITING.store(true, Ordering::Relaxed);
    let written = write();
    WRITING.store(false, Ordering::Relaxed);
    written
}

/// A progress bar over `total` things, invisible unless stderr is a terminal.
pub(super) fn bar(total: u64, what: &str, quiet: bool) -> ProgressBar {
    let visible = !quiet && std::io::stderr().is_terminal();
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = "  {msg:<22} [{bar:30}] {pos}/{len}  {per_sec}  ETA {eta}";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("#>-");
    let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
    bar.set_message(what.to_owned());
    bar.tick();
    bar
}

/// A line on stderr, unless quiet.
pub(super) fn say(quiet: bool, line: &str) {
    if !quiet {
        say_error(line);
    }
}

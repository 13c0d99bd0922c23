//! Progress on stderr with rate and time left, on a terminal only; and Ctrl-C.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the Ctrl-C handler: the first one asks the run to stop, a second one ends at once.
/// Returns the flag that the run must watch.
pub(super) fn watch_interrupt() -> &'static AtomicBool {
    // A second call in one process finds a handler installed already, which is the same one.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    &STOP
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
        eprintln!("{line}");
    }
}

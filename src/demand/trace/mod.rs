//! Recorded requests: readers of public and own traces, one request a line, plain or gzip.
//!
//! A trace is streamed: whatever its length, one line is held, and the blocks of the prefix cache
//! where one is asked for. What a format looks like is in the file of its name.

mod azure;
mod fault;
mod mooncake;
mod row;
mod vllm;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use self::azure::Columns;
use self::fault::shown;
use self::mooncake::PrefixCache;
use self::row::Row;
use crate::time::EngineTime;

pub use self::fault::{TraceError, TraceFault};
pub use self::mooncake::PrefixHits;
pub use self::vllm::ServedTimes;

/// Longest line, bytes: a prompt of 2^24 tokens has 32,768 blocks of 512.
const LONGEST_LINE: u64 = 4 << 20;
/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The last arrival, picoseconds: 106 days, so that what is served after it still has a time.
const LAST: i128 = 1 << 63;

/// The known formats of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceFormat {
    /// Azure LLM inference traces of 2023 and 2024: CSV.
    Azure,
    /// Mooncake: JSON lines with the blocks of prompts.
    Mooncake,
    /// vLLM request logs: JSON lines.
    Vllm,
}

impl TraceFormat {
    /// The format that a first line is of.
    fn of(line: &str) -> Option<Self> {
        if Columns::are_in(line) {
            return Some(Self::Azure);
        }
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
        let has = |names: &[&str]| names.iter().all(|name| object.contains_key(*name));
        match () {
            () if has(&["timestamp", "input_length", "output_length"]) => Some(Self::Mooncake),
            () if has(&["arrival_time", "input_toks", "output_toks"]) => Some(Self::Vllm),
            () => None,
        }
    }

    /// What a fault of the time is told of.
    fn time_name(self) -> &'static str {
        match self {
            Self::Azure => "TIMESTAMP",
            Self::Mooncake => "timestamp",
            Self::Vllm => "arrival_time",
        }
    }
}

/// One recorded request, of at least one token of prompt and of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceRow {
    /// When it arrives: 0 for the first, never earlier than the one before.
    pub arrival: EngineTime,
    /// Prompt tokens, cached ones included, 1 to 2^24.
    pub prompt: u32,
    /// Prompt tokens found in the prefix cache, fewer than the prompt has.
    pub cached: u32,
    /// Output tokens, 1 to 2^24.
    pub output: u32,
}

/// What has been read of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceCounts {
    /// Requests.
    pub rows: u64,
    /// Rows without a token of prompt or of output, which are no requests of an engine.
    pub skipped_empty: u64,
}

/// What a format keeps from row to row.
#[derive(Debug)]
enum Format {
    Azure(Columns),
    Mooncake(PrefixCache),
    Vllm,
}

/// A trace that is being read: an iterator over its requests that ends at the first fault.
pub struct Trace {
    file: String,
    input: BufReader<Box<dyn Read + Send>>,
    compressed: bool,
    line: Vec<u8>,
    /// Number of the line that was read last, from 1.
    number: u64,
    /// The line in hand is the first row, read to find the format.
    pending: bool,
    ended: bool,
    kind: TraceFormat,
    format: Format,
    speed: f64,
    first: Option<i128>,
    latest: i128,
    counts: TraceCounts,
    served: ServedTimes,
}

impl Trace {
    /// Opens a file, plain or gzip (by its first bytes, whatever its name). The format is that of
    /// the first line unless one is given; only Mooncake traces have prefix hits.
    ///
    /// # Errors
    /// [`TraceError`] where the file cannot be read, is empty or of no known format, or its header
    /// lacks a column.
    pub fn open(
        path: impl AsRef<Path>,
        format: Option<TraceFormat>,
        hits: PrefixHits,
    ) -> Result<Self, TraceError> {
        let file = path.as_ref().display().to_string();
        match File::open(path) {
            Ok(input) => Self::from_reader(&file, input, format, hits),
            Err(cause) => Err(TraceError { file, line: None, fault: cause.into() }),
        }
    }

    /// Reads a trace from anywhere; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`Trace::open`].
    pub fn from_reader(
        name: &str,
        mut input: impl Read + Send + 'static,
        format: Option<TraceFormat>,
        hits: PrefixHits,
    ) -> Result<Self, TraceError> {
        let mut magic = Vec::new();
        let read = input.by_ref().take(2).read_to_end(&mut magic);
        let compressed = magic == GZIP;
        let whole = Cursor::new(magic).chain(input);
        let input: Box<dyn Read + Send> =
            if compressed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let mut trace = Self {
            file: name.to_owned(),
            input: BufReader::with_capacity(1 << 16, input),
            compressed,
            line: Vec::new(),
            number: 0,
            pending: false,
            ended: false,
            kind: TraceFormat::Vllm,
            format: Format::Vllm,
            speed: 1.0,
            first: None,
            latest: i128::MIN,
            counts: TraceCounts::default(),
            served: ServedTimes::default(),
        };
        match read.map_err(TraceFault::from).and_then(|_| trace.begin(format, hits)) {
            Ok(()) => Ok(trace),
            Err(fault) => Err(trace.error(fault)),
        }
    }

    /// Plays the trace faster (2: in half the time) or slower.
    ///
    /// # Errors
    /// [`TraceFault::Speed`] outside 1e-6 to 1e6.
    pub fn at_speed(mut self, speed: f64) -> Result<Self, TraceError> {
        if !(1e-6..=1e6).contains(&speed) {
            self.number = 0;
            return Err(self.error(TraceFault::Speed(speed)));
        }
        self.speed = speed;
        Ok(self)
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> TraceFormat {
        self.kind
    }

    /// What has been read so far.
    #[must_use]
    pub fn counts(&self) -> TraceCounts {
        self.counts
    }

    /// When the request that was read last was really served; vLLM logs alone say it.
    #[must_use]
    pub fn served(&self) -> ServedTimes {
        self.served
    }

    /// Time of the first request on the clock of the file, seconds (Unix time in logs of vLLM);
    /// `None` until one has been read.
    #[must_use]
    pub fn first_time(&self) -> Option<f64> {
        self.first.map(|picoseconds| picoseconds as f64 * 1e-12)
    }

    fn error(&self, fault: TraceFault) -> TraceError {
        let line = Some(self.number).filter(|line| *line > 0);
        TraceError { file: self.file.clone(), line, fault }
    }

    /// Reads the first line and finds the format.
    fn begin(&mut self, format: Option<TraceFormat>, hits: PrefixHits) -> Result<(), TraceFault> {
        if !self.advance()? {
            self.number = 0;
            return Err(TraceFault::Empty);
        }
        let line = text(&self.line)?;
        let found = format.or_else(|| TraceFormat::of(line));
        self.kind = found.ok_or_else(|| TraceFault::UnknownFormat(shown(line)))?;
        self.format = match self.kind {
            TraceFormat::Azure => Format::Azure(Columns::find(line)?),
            TraceFormat::Mooncake => Format::Mooncake(PrefixCache::new(hits)),
            TraceFormat::Vllm => Format::Vllm,
        };
        self.pending = self.kind != TraceFormat::Azure;
        Ok(())
    }

    /// Reads the next line that is not blank; false at the end.
    fn advance(&mut self) -> Result<bool, TraceFault> {
        loop {
            self.line.clear();
            let mut limited = self.input.by_ref().take(LONGEST_LINE + 1);
            let read = limited.read_until(b'\n', &mut self.line);
            let length = read.map_err(|cause| match self.compressed {
                true => TraceFault::Broken(cause),
                false => TraceFault::Io(cause),
            })?;
            if length == 0 {
                return Ok(false);
            }
            self.number += 1;
            if length as u64 > LONGEST_LINE {
                return Err(TraceFault::TooLong);
            }
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3); // the byte-order mark of some editors
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The next request, `None` at the end.
    fn read(&mut self) -> Result<Option<TraceRow>, TraceFault> {
        loop {
            if !std::mem::take(&mut self.pending) && !self.advance()? {
                return Ok(None);
            }
            let line = text(&self.line)?;
            let row = match &mut self.format {
                Format::Azure(columns) => columns.read(line)?,
                Format::Mooncake(cache) => cache.read(line)?,
                Format::Vllm => {
                    let (row, served) = vllm::read(line)?;
                    self.served = served;
                    row
                }
            };
            let name = self.kind.time_name();
            if row.time < self.latest {
                return Err(TraceFault::Disorder { name, row: shown(line) });
            }
            self.latest = row.time;
            if row.prompt == 0 || row.output == 0 {
                self.counts.skipped_empty += 1;
                continue;
            }
            let first = *self.first.get_or_insert(row.time);
            let arrival = played(row.time - first, self.speed);
            if arrival > LAST {
                return Err(TraceFault::TooLate { name, row: shown(line) });
            }
            self.counts.rows += 1;
            let Row { prompt, cached, output, .. } = row;
            let arrival = EngineTime(arrival as u64);
            return Ok(Some(TraceRow { arrival, prompt, cached, output }));
        }
    }
}

fn text(line: &[u8]) -> Result<&str, TraceFault> {
    std::str::from_utf8(line).map_err(|_| TraceFault::NotUtf8)
}

/// A time at another speed; exact at that of the trace.
fn played(elapsed: i128, speed: f64) -> i128 {
    if speed == 1.0 { elapsed } else { (elapsed as f64 / speed).round() as i128 }
}

impl Iterator for Trace {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.read();
        self.ended = !matches!(row, Ok(Some(_)));
        row.map_err(|fault| self.error(fault)).transpose()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (&self.file, self.kind, self.number, self.counts);
        to.debug_tuple("Trace").field(&shown).finish()
    }
}

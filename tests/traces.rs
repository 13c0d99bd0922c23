//! Readers of recorded traces: what they read, and what they say of files that are not as they
//! should be.

use std::io::{Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sparkgap::demand::{
    PrefixHits, Trace, TraceCounts, TraceError, TraceFault, TraceFormat, TraceRow,
};
use sparkgap::time::EngineTime;

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n\
    2023-11-16 18:15:46.6805900,374,44\r\n\
    2023-11-16 18:15:50.9951690,396,109\r\n\
    2023-11-16 18:15:50.9951690,879,55";
const MOONCAKE: &str = "\
{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 5, \"hash_ids\": [7, 8, 9]}
{\"timestamp\": 40, \"input_length\": 1100, \"output_length\": 6, \"hash_ids\": [7, 8, 10]}
{\"timestamp\": 41.5, \"input_length\": 1100, \"output_length\": 6, \"hash_ids\": [7, 8, 9]}
";
const VLLM: &str = "\
{\"request_id\": \"a\", \"input_toks\": 2358, \"output_toks\": 531, \
\"arrival_time\": 1787267980.5, \"queued_ts\": 27536.5, \"scheduled_ts\": 27536.75, \
\"first_token_ts\": 27537.0}
{\"input_toks\": 10, \"output_toks\": 1, \"arrival_time\": 1787267980.75}
";

fn open(bytes: impl Into<Vec<u8>>) -> Result<Trace, TraceError> {
    Trace::from_reader("trace", Cursor::new(bytes.into()), None, PrefixHits::None)
}

fn with_hits(hits: PrefixHits) -> Vec<u32> {
    let input = Cursor::new(MOONCAKE.as_bytes());
    let trace = Trace::from_reader("trace", input, None, hits).expect("a trace");
    trace.map(|row| row.expect("a row").cached).collect()
}

fn rows(bytes: impl Into<Vec<u8>>) -> Vec<TraceRow> {
    let trace = open(bytes).expect("a trace");
    trace.map(|row| row.expect("a row")).collect()
}

/// The first fault of a trace, wherever it is found, and how many rows come before it.
fn fault(bytes: impl Into<Vec<u8>>) -> (usize, TraceError) {
    let mut trace = match open(bytes) {
        Ok(trace) => trace,
        Err(error) => return (0, error),
    };
    for before in 0.. {
        if let Err(error) = trace.next().expect("a fault before the end") {
            assert!(trace.next().is_none(), "a trace ends at its first fault");
            return (before, error);
        }
    }
    unreachable!("traces end")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn row(picoseconds: u64, prompt: u32, cached: u32, output: u32) -> TraceRow {
    TraceRow { arrival: EngineTime(picoseconds), prompt, cached, output }
}

#[test]
fn the_three_formats_are_known_by_their_first_line() {
    let seconds = 1_000_000_000_000;
    let apart = 4_314_579_000_000; // 50.9951690 - 46.6805900 s
    let azure = [row(0, 374, 0, 44), row(apart, 396, 0, 109), row(apart, 879, 0, 55)];
    assert_eq!(rows(AZURE), azure);
    let later = AZURE.replace(",374", "+00:00,374").replace(",396", "+00:00,396");
    assert_eq!(rows(later.replace(",879", "+00:00,879")), azure);
    let quoted = format!("\u{feff}{}", AZURE.replace("TIMESTAMP", "\"id\",\"TIMESTAMP\""));
    assert_eq!(rows(quoted.replace("2023", "x,2023")), azure);
    let mooncake =
        [row(0, 1100, 0, 5), row(40_000_000_000, 1100, 0, 6), row(41_500_000_000, 1100, 0, 6)];
    assert_eq!(rows(MOONCAKE), mooncake);
    assert_eq!(rows(VLLM), [row(0, 2358, 0, 531), row(seconds / 4, 10, 0, 1)]);
    for (text, format) in
        [(AZURE, TraceFormat::Azure), (MOONCAKE, TraceFormat::Mooncake), (VLLM, TraceFormat::Vllm)]
    {
        assert_eq!(open(text).expect("a trace").format(), format);
    }
    // Blank lines are no rows.
    assert_eq!(rows(MOONCAKE.replace('\n', "\n\n \r\n")), mooncake);
}

#[test]
fn a_log_says_when_its_requests_were_served() {
    let mut trace = open(VLLM).expect("a trace");
    assert!(trace.next().is_some());
    let served = trace.served();
    let times = [served.queued, served.scheduled, served.first_token, served.last_token];
    assert_eq!(times, [Some(27536.5), Some(27536.75), Some(27537.0), None]);
    assert!(trace.next().is_some());
    assert_eq!(trace.served().queued, None);
}

#[test]
fn cached_tokens_are_the_leading_blocks_that_a_cache_holds() {
    assert_eq!(with_hits(PrefixHits::None), [0, 0, 0]);
    // All blocks of the third prompt are known, but its last token is computed.
    assert_eq!(with_hits(PrefixHits::Unlimited), [0, 1024, 1099]);
    // Four blocks hold 7, 8, 9, 10; three lose 9 to 10; one keeps 7; less than one nothing.
    assert_eq!(with_hits(PrefixHits::Tokens(4 * 512)), [0, 1024, 1099]);
    assert_eq!(with_hits(PrefixHits::Tokens(3 * 512)), [0, 1024, 1024]);
    assert_eq!(with_hits(PrefixHits::Tokens(2 * 512 - 1)), [0, 512, 512]);
    assert_eq!(with_hits(PrefixHits::Tokens(511)), [0, 0, 0]);
    // A row that is skipped leaves nothing in the cache.
    let text = MOONCAKE.replacen("\"output_length\": 5", "\"output_length\": 0", 1);
    let input = Cursor::new(text);
    let trace = Trace::from_reader("trace", input, None, PrefixHits::Unlimited).expect("a trace");
    let cached: Vec<u32> = trace.map(|row| row.expect("a row").cached).collect();
    assert_eq!(cached, [0, 1024]);
}

#[test]
fn compressed_traces_are_known_by_their_bytes_and_may_have_members() {
    assert_eq!(rows(gzip(AZURE.as_bytes())), rows(AZURE));
    let (first, second) = AZURE.split_at(70);
    let members = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    assert_eq!(rows(members), rows(AZURE));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("misnamed.csv");
    std::fs::write(&path, gzip(VLLM.as_bytes())).expect("it is written");
    let trace = Trace::open(&path, Some(TraceFormat::Vllm), PrefixHits::None).expect("a trace");
    assert_eq!(trace.map(|row| row.expect("a row")).collect::<Vec<_>>(), rows(VLLM));
}

#[test]
fn rows_without_tokens_are_skipped_and_counted() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00+00:00,0,1\n\
                2024-05-10 00:00:01+00:00,5,0\n2024-05-10 00:00:02+00:00,5,1.0\n";
    let mut trace = open(text).expect("a trace");
    assert_eq!(
        trace.by_ref().map(|row| row.expect("a row")).collect::<Vec<_>>(),
        [row(0, 5, 0, 1)]
    );
    assert_eq!(trace.counts(), TraceCounts { rows: 1, skipped_empty: 2 });
}

#[test]
fn a_trace_is_played_at_another_speed() {
    let at = |speed: f64| open(VLLM).expect("a trace").at_speed(speed);
    let last = |speed: f64| {
        let trace = at(speed).expect("a legal speed");
        trace.last().expect("two rows").expect("a row").arrival.0
    };
    assert_eq!([1.0, 2.0, 0.1].map(last), [250_000_000_000, 125_000_000_000, 2_500_000_000_000]);
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = at(speed).expect_err("no speed");
        assert!(matches!(error.fault, TraceFault::Speed(_)), "{error}");
    }
}

#[test]
fn faults_name_the_file_the_line_the_value_and_the_fix() {
    let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    let csv =
        |row: &str| format!("{header}2024-05-10 00:00:01,5,5\n{row}\n2024-05-10 00:00:09,5,5");
    let json = |row: &str| format!("{VLLM}{row}");
    let log = |output: &str, time: &str| {
        json(&format!("{{\"input_toks\": 3, {output}\"arrival_time\": {time}}}"))
    };
    let block = |time: &str, hash: &str| {
        let lengths = "\"input_length\": 1, \"output_length\": 1";
        format!("{MOONCAKE}{{\"timestamp\": {time}, {lengths}, \"hash_ids\": [{hash}]}}")
    };
    let cases: [(String, &[&str]); 18] = [
        (csv("2024-05-10 0:00:02,5,5"), &["line 3", "`TIMESTAMP` is `2024-05-10 0:00:02`"]),
        (csv("2024-05-10 00:00:00,5,5"), &["line 3", "`2024-05-10 00:00:00,5,5`", "sort the"]),
        (csv("2024-05-10 00:00:02,-5,5"), &["line 3", "`ContextTokens` is `-5`", "16,777,216"]),
        (csv("2024-05-10 00:00:02,5,16777217"), &["line 3", "`GeneratedTokens` is `16777217`"]),
        (csv("2024-05-10 00:00:02,5,5.5"), &["line 3", "`GeneratedTokens` is `5.5`"]),
        (csv("2024-05-10 00:00:02,5,NaN"), &["line 3", "`GeneratedTokens` is `NaN`"]),
        (csv("2024-05-10 00:00:02,5"), &["line 3", "`GeneratedTokens` is missing", "leave it"]),
        (csv("2024-09-01 00:00:02,5,5"), &["line 3", "`TIMESTAMP`", "over 106 days", "split"]),
        (json("{\"input_toks\": 3"), &["line 3", "EOF while parsing", "column 16"]),
        (json("[5, 5, 1787267990]"), &["line 3", "not an object"]),
        (log("", "1787267990"), &["line 3", "`output_toks` is missing"]),
        (log("\"output_toks\": -1, ", "1787267990"), &["line 3", "`output_toks` is `-1`"]),
        (log("\"output_toks\": 1, ", "5.25"), &["line 3", "`arrival_time`", "5.25", "earlier"]),
        (block("-1", ""), &["line 4", "`timestamp` is `-1`", "from 0"]),
        (block("\"50\"", ""), &["line 4", "`timestamp` is `\"50\"`"]),
        (block("50", "-3"), &["line 4", "`-3`", "column"]),
        ("a,b,c\n1,2,3\n".to_owned(), &["line 1", "`a,b,c`", "TIMESTAMP,Con", "input_toks"]),
        ("{\"a\": 1}\n".to_owned(), &["line 1", "no known trace"]),
    ];
    for (text, words) in cases {
        let (_, error) = fault(text.clone());
        let said = error.to_string();
        assert!(said.starts_with("trace, line "), "{said}");
        for word in words {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    }
}

#[test]
fn files_that_are_no_traces_say_so() {
    for nothing in ["", "\n\n", "\u{feff}"] {
        let (_, error) = fault(nothing);
        assert!(matches!(error.fault, TraceFault::Empty) && error.line.is_none(), "{error}");
        assert!(error.to_string().starts_with("trace: an empty file"), "{error}");
    }
    assert!(matches!(fault(gzip(b"")).1.fault, TraceFault::Empty));
    let (before, error) = fault([AZURE.as_bytes(), b"\n\xff\xfe"].concat());
    assert!(matches!(error.fault, TraceFault::NotUtf8) && before == 3, "{error}");
    assert_eq!(error.line, Some(5));
    let long = [VLLM.as_bytes(), &vec![b' '; (4 << 20) + 1]].concat();
    let (before, error) = fault(long);
    assert!(matches!(error.fault, TraceFault::TooLong) && before == 2, "{error}");
    let error = Trace::open("no/such/trace", None, PrefixHits::None).expect_err("no file");
    assert!(error.to_string().starts_with("no/such/trace: cannot be read: "), "{error}");
    assert!(Trace::open(".", None, PrefixHits::None).is_err());
    let azure = Some(TraceFormat::Azure);
    let error = Trace::from_reader("t", VLLM.as_bytes(), azure, PrefixHits::None);
    let error = error.expect_err("no header").to_string();
    assert!(error.contains("`TIMESTAMP` is missing") && error.contains("must name"), "{error}");
    let plain = "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 5}";
    assert_eq!(rows(plain), [row(0, 5, 0, 5)]);
    let unlimited = PrefixHits::Unlimited;
    let mut trace = Trace::from_reader("t", plain.as_bytes(), None, unlimited).expect("a trace");
    let error = trace.next().expect("a row").expect_err("no blocks").to_string();
    assert!(error.contains("`hash_ids` is missing") && error.contains("no prefix hits"), "{error}");
}

#[test]
fn a_cut_gzip_file_says_after_which_line() {
    let many: String = VLLM
        .lines()
        .chain(std::iter::repeat_n(VLLM.lines().nth(1).unwrap(), 5_000))
        .flat_map(|line| [line, "\n"])
        .collect();
    let whole = gzip(many.as_bytes());
    let (before, error) = fault(&whole[..whole.len() / 2]);
    assert!(matches!(error.fault, TraceFault::Broken(_)), "{error}");
    assert!(before > 0 && before < 5_002);
    assert_eq!(error.line, Some(before as u64));
    assert!(error.to_string().contains("copy the file again"));
    let mut broken = whole.clone();
    let end = broken.len();
    broken[end - 8] ^= 1; // the checksum
    assert!(matches!(fault(broken).1.fault, TraceFault::Broken(_)));
}

/// Rows made as they are read, and no more than one of them at a time.
struct Endless {
    row: u64,
    rows: u64,
    line: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() && self.row < self.rows {
            self.row += 1;
            let (row, prompt, output) = (self.row, self.row % 1_000 + 1, self.row % 7);
            let line = format!(
                "{{\"timestamp\": {row}, \"input_length\": {prompt}, \"output_length\": {output}, \
                 \"hash_ids\": [{}, {row}]}}\n",
                row % 50
            );
            self.line = line.into_bytes();
        }
        let count = self.line.len().min(into.len());
        into[..count].copy_from_slice(&self.line[..count]);
        self.line.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_long_trace_is_streamed() {
    let input = Endless { row: 0, rows: 300_000, line: Vec::new() };
    let hits = PrefixHits::Tokens(200 * 512);
    let mut trace = Trace::from_reader("endless", input, None, hits).expect("a trace");
    let (mut prompt, mut cached) = (0_u64, 0_u64);
    for row in trace.by_ref() {
        let row = row.expect("a row");
        prompt += u64::from(row.prompt);
        cached += u64::from(row.cached);
        assert!(row.cached < row.prompt);
    }
    // Every seventh row has no output and leaves the cache alone: a first block comes up again
    // after at most 100 rows, of 50 first and 86 last blocks, so that all but the first are hits.
    let kept = |row: &u64| !row.is_multiple_of(7);
    let exact = |row: u64| row % 1_000 + 1;
    assert_eq!(prompt, (1..=300_000).filter(kept).map(exact).sum::<u64>());
    let hits: u64 = (51..=300_000).filter(kept).map(|row| (exact(row) - 1).min(512)).sum();
    let slack = 50 * 512;
    assert!(cached.abs_diff(hits) <= slack, "{cached} {hits}");
    let skipped = 300_000 / 7;
    assert_eq!(trace.counts(), TraceCounts { rows: 300_000 - skipped, skipped_empty: skipped });
}

/// Reads to the end; only a panic is wrong.
fn drain(bytes: Vec<u8>, format: Option<TraceFormat>) {
    let input = Cursor::new(bytes);
    let trace = Trace::from_reader("fuzz", input, format, PrefixHits::Tokens(1024));
    let mut before = EngineTime(0);
    for row in trace.into_iter().flatten() {
        match row {
            Ok(row) => {
                assert!(row.arrival >= before && row.cached < row.prompt && row.output > 0);
                before = row.arrival;
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        format in select(vec![
            None,
            Some(TraceFormat::Azure),
            Some(TraceFormat::Mooncake),
            Some(TraceFormat::Vllm),
        ]),
        compressed in any::<bool>(),
    ) {
        drain(if compressed { gzip(&bytes) } else { bytes }, format);
    }

    #[test]
    fn no_damage_to_a_trace_makes_a_reader_panic(
        text in select(vec![AZURE, MOONCAKE, VLLM]),
        damage in proptest::collection::vec((any::<Index>(), 0..3_u8, any::<u8>()), 1..6),
        pieces in select(vec!["", "-", "1e300", "9", "\u{e9}", "+00:00", "{", "null", ",", "\n"]),
        compressed in select(vec![0_u8, 1, 2]),
    ) {
        let mut bytes = if compressed == 1 { gzip(text.as_bytes()) } else { text.into() };
        for (at, kind, byte) in damage {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => { bytes.splice(at..at, pieces.bytes()); }
            }
        }
        drain(if compressed == 2 { gzip(&bytes) } else { bytes }, None);
    }
}

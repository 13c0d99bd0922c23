//! Requests drawn from named streams: lengths by quantile tables, one uniform number each, so that
//! every load of a search sees the same requests (common random numbers). Nothing is stored:
//! drawing a request again costs less than fetching it from memory.

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::load::{CallShape, ImageTokens};
use super::request::Request;
use crate::demand::{ArrivalTimes, Gaps, Interarrival, LengthTable};
use crate::rng::StreamKey;

/// Cells of the table of quantiles that lengths are drawn from, straight inside a cell.
const CELLS: usize = 1 << 9;
/// The last cells hold the tail, which is not straight inside a cell.
const TAIL: usize = 16;

#[derive(Debug, Clone, PartialEq)]
struct LengthSampler {
    cells: Vec<f64>,
    tail: LengthTable,
}

impl LengthSampler {
    fn new(table: &LengthTable) -> Self {
        let cells = (0..=CELLS).map(|cell| table.at(cell as f64 / CELLS as f64)).collect();
        Self { cells, tail: table.clone() }
    }

    #[inline]
    fn at(&self, u: f64) -> f64 {
        let place = u * CELLS as f64;
        // By way of 32 bits: the wider conversion is several instructions.
        let cell = place as i32 as usize;
        if cell >= CELLS - TAIL {
            return self.tail.at(u);
        }
        let part = place - cell as f64;
        self.cells[cell] + (self.cells[cell + 1] - self.cells[cell]) * part
    }
}

/// The nearest whole number; `f64::round` is a slow call on targets without the instruction.
#[inline]
fn rounded(tokens: f64) -> u32 {
    (tokens + 0.5) as i32 as u32
}

/// A uniform number in the open interval (0, 1), in the middle of one of 2^52 cells.
#[inline]
fn unit(stream: &mut ChaCha8Rng) -> f64 {
    ((stream.next_u64() >> 12) as i64 as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// The laws of the lengths of a workload's calls, ready to be drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct CallLaws {
    prompt: LengthSampler,
    output: LengthSampler,
    thinking: Option<LengthSampler>,
    images: Option<ImageTokens>,
    cached: f64,
}

/// Lengths of one call, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Prompt, cached tokens and images included; at least 1.
    pub prompt: u32,
    /// Cached tokens, fewer than the prompt.
    pub cached: u32,
    /// Output, thinking included; at least 1.
    pub output: u32,
}

impl CallLaws {
    /// The laws of a shape.
    #[must_use]
    pub fn new(calls: &CallShape) -> Self {
        Self {
            prompt: LengthSampler::new(&calls.prompt),
            output: LengthSampler::new(&calls.output),
            thinking: calls.thinking.as_ref().map(LengthSampler::new),
            images: calls.images,
            cached: calls.cached,
        }
    }
}

/// The streams that the lengths of one workload's calls are drawn from.
#[derive(Debug)]
pub struct CallStreams {
    prompts: ChaCha8Rng,
    outputs: ChaCha8Rng,
    thoughts: ChaCha8Rng,
    pictures: ChaCha8Rng,
}

impl CallStreams {
    /// The streams at a place of a run, for the calls that `whose` says.
    #[must_use]
    pub fn new(key: StreamKey, whose: &str) -> Self {
        let stream = |purpose: &str| key.stream(&format!("{purpose}{whose}"));
        Self {
            prompts: stream("prompt lengths"),
            outputs: stream("output lengths"),
            thoughts: stream("thinking lengths"),
            pictures: stream("images"),
        }
    }

    /// The lengths of the next call.
    #[inline]
    pub fn next(&mut self, laws: &CallLaws) -> Lengths {
        let text = rounded(laws.prompt.at(unit(&mut self.prompts))).max(1);
        let mut prompt = text;
        if let Some(images) = laws.images
            && unit(&mut self.pictures) < images.share
        {
            prompt = text.saturating_add(rounded(images.tokens));
        }
        let mut made = laws.output.at(unit(&mut self.outputs));
        if let Some(thinking) = &laws.thinking {
            made += thinking.at(unit(&mut self.thoughts));
        }
        let cached = (f64::from(text) * laws.cached) as u32;
        Lengths { prompt, cached: cached.min(prompt - 1), output: rounded(made).max(1) }
    }
}

/// Poisson requests of one shape, drawn anew for every load from the same streams.
#[derive(Debug, Clone)]
pub struct Draws {
    laws: CallLaws,
    gaps: Gaps,
    count: u32,
    counted: (u32, u32),
    key: StreamKey,
}

impl Draws {
    /// `count` requests from the streams of `key`; those from `counted.0` on and before
    /// `counted.1` have their latencies counted.
    #[must_use]
    pub fn new(calls: &CallShape, count: u32, counted: (u32, u32), key: StreamKey) -> Self {
        let gaps = Gaps::new(&Interarrival::Poisson);
        Self { laws: CallLaws::new(calls), gaps, count, counted, key }
    }

    /// The requests at a rate, in order of arrival.
    pub fn at_rate(&self, calls_per_second: f64) -> impl Iterator<Item = Request> {
        let gaps = self.gaps.clone();
        let times = ArrivalTimes::new(calls_per_second, gaps, None, self.key.stream("arrivals"));
        let mut streams = CallStreams::new(self.key, "");
        (0..self.count).zip(times).map(move |(index, arrival)| {
            let Lengths { prompt, cached, output } = streams.next(&self.laws);
            let counted = (self.counted.0..self.counted.1).contains(&index);
            Request { cached, counted, ..Request::new(arrival, prompt, output) }
        })
    }

    /// How many requests have their latencies counted.
    pub(super) fn counted(&self) -> u64 {
        u64::from(self.counted.1.min(self.count).saturating_sub(self.counted.0))
    }

    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Shape;
    use crate::engine::scaled_table;

    #[test]
    fn draws_follow_their_law_and_stretch_to_a_rate() {
        let prompt = scaled_table(&Shape::Lognormal(1.0), 1000.0).unwrap();
        let calls = CallShape { prompt, cached: 0.25, ..CallShape::fixed(1, 0.0, 7) };
        let count = 100_000;
        let draws = Draws::new(&calls, count, (10, 20), StreamKey::world(1, 0));
        let slow: Vec<Request> = draws.at_rate(2.0).collect();
        let fast: Vec<Request> = draws.at_rate(4.0).collect();
        let mean = slow.iter().map(|r| f64::from(r.prompt)).sum::<f64>() / f64::from(count);
        // Standard error: sqrt((e - 1) / n) of the mean.
        let error = 1000.0 * ((std::f64::consts::E - 1.0) / f64::from(count)).sqrt();
        assert!((mean - 1000.0).abs() < 4.0 * error, "{mean}");
        assert_eq!(slow.iter().filter(|request| request.counted).count(), 10);
        let span = slow[slow.len() - 1].arrival.seconds();
        assert!((span - 50_000.0).abs() < 4.0 * 50_000.0 / f64::from(count).sqrt());
        assert!((fast[fast.len() - 1].arrival.seconds() * 2.0 - span).abs() < 1e-6);
        assert!(slow.iter().all(|r| r.output == 7 && r.cached == r.prompt / 4));
    }
}

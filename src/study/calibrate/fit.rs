//! The fit: the coefficients whose replay is closest to what was recorded, found by a simplex
//! search (Nelder and Mead 1965) over their logarithms, with a deterministic start.

use super::replay::{ReplayedCall, quantile, recorded, replay};
use super::{COEFFICIENTS, EngineLimits, Fitted, ServedCall, StepCoefficients};

/// Shares of the stated memory that are tried: an engine that reserves block by block holds
/// slightly more sequences than one that reserves whole prompts.
const MEMORY_SHARES: [f64; 7] = [1.0, 1.0025, 1.005, 1.0075, 1.01, 1.0125, 1.015];
/// Latency below which a first token is as good as at once, seconds: start-up and clocks.
const TTFT_FLOOR: f64 = 1.0;
/// Replays of a search at most, and searches from where the last one ended.
const REPLAYS: usize = 600;
const RESTARTS: usize = 4;
/// Base and floor at which searches start, parts of the median time per token: they trade against
/// each other, and a search alone may end at the wrong one.
const STARTS: [(f64, f64); 3] = [(0.15, 0.4), (0.05, 0.45), (0.3, 0.2)];
/// Groups of the jackknife: blocks of requests that follow each other, since neighbours in a line
/// wait for the same things and are not independent.
const GROUPS: usize = 5;

/// A point of the search: logarithms of the coefficients.
type Point = [f64; COEFFICIENTS];

/// The requests that count, and what they experienced.
struct Problem<'a> {
    calls: &'a [ServedCall],
    /// By request: its latencies, `None` where it does not count.
    wanted: Vec<Option<ReplayedCall>>,
    limits: &'a EngineLimits,
    kv_tokens: u64,
}

impl Problem<'_> {
    fn coefficients(&self, point: &Point) -> StepCoefficients {
        StepCoefficients { seconds: point.map(libm::exp), kv_tokens: self.kv_tokens }
    }

    /// Mean absolute logarithm of simulated over recorded TTFT (plus a second), TPOT and E2E: no
    /// single request that took another way through the line can carry it away.
    fn loss(&self, point: &Point) -> f64 {
        let Some(ours) = replay(self.calls, &self.coefficients(point), self.limits) else {
            return f64::INFINITY;
        };
        let (mut sum, mut count) = (0.0, 0.0);
        let pairs = ours.iter().zip(&self.wanted);
        for (ours, theirs) in pairs.filter_map(|(ours, theirs)| Some((ours, (*theirs)?))) {
            let first = libm::log((ours.ttft + TTFT_FLOOR) / (theirs.ttft + TTFT_FLOOR));
            sum += first.abs() + libm::log(ours.e2e / theirs.e2e.max(1e-9)).abs();
            count += 2.0;
            if theirs.tpot > 0.0 {
                sum += libm::log(ours.tpot / theirs.tpot).abs();
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { f64::INFINITY }
    }
}

/// Fits on the first `count` requests; all are replayed.
pub(super) fn fit(calls: &[ServedCall], count: usize, limits: &EngineLimits) -> Fitted {
    let seen = recorded(calls);
    let wanted = |keep: &dyn Fn(usize) -> bool| -> Vec<Option<ReplayedCall>> {
        let counts =
            |(index, call): (usize, &ReplayedCall)| (index < count && keep(index)).then_some(*call);
        seen.iter().enumerate().map(counts).collect()
    };
    let (unlimited, shares): (u64, &[f64]) = match limits.kv_tokens {
        Some(kv_tokens) => (kv_tokens, &MEMORY_SHARES),
        None => (needed(calls, limits), &MEMORY_SHARES[..1]),
    };
    let starts = STARTS.map(|parts| start(&seen[..count], calls, unlimited, parts));
    let mut problem = Problem { calls, wanted: wanted(&|_| true), limits, kv_tokens: unlimited };
    let mut best: Option<(f64, Point, u64)> = None;
    for share in shares {
        problem.kv_tokens = (unlimited as f64 * share) as u64;
        for start in starts {
            let (loss, point) = search(&problem, start, RESTARTS);
            if best.is_none_or(|(least, ..)| loss < least) {
                best = Some((loss, point, problem.kv_tokens));
            }
        }
    }
    let (loss, point, kv_tokens) = best.unwrap_or((f64::INFINITY, starts[0], unlimited));
    problem.kv_tokens = kv_tokens;
    let mut left_out = Vec::with_capacity(GROUPS);
    for group in 0..GROUPS {
        problem.wanted = wanted(&|index| index * GROUPS / count != group);
        left_out.push(search(&problem, point, 1).1.map(libm::exp));
    }
    let mut errors = [0.0; COEFFICIENTS];
    for (index, error) in errors.iter_mut().enumerate() {
        let groups = GROUPS as f64;
        let mean = left_out.iter().map(|point| point[index]).sum::<f64>() / groups;
        let squares: f64 = left_out.iter().map(|point| (point[index] - mean).powi(2)).sum();
        *error = (squares * (groups - 1.0) / groups).sqrt();
    }
    Fitted { coefficients: problem.coefficients(&point), errors, loss }
}

/// Context that is never short: a full batch of the longest requests.
fn needed(calls: &[ServedCall], limits: &EngineLimits) -> u64 {
    let longest = calls.iter().map(|call| u64::from(call.prompt) + u64::from(call.output) + 64);
    longest.max().unwrap_or(64) * u64::from(limits.max_sequences).min(calls.len() as u64)
}

/// Where the search starts: parts of the median time per token.
fn start(
    seen: &[ReplayedCall],
    calls: &[ServedCall],
    kv_tokens: u64,
    (base, floor): (f64, f64),
) -> Point {
    let mut tpot: Vec<f64> = seen.iter().map(|call| call.tpot).filter(|tpot| *tpot > 0.0).collect();
    tpot.sort_by(f64::total_cmp);
    let step = quantile(&tpot, 0.5).max(1e-6);
    let longest: f64 = calls.iter().map(|call| f64::from(call.prompt + call.output)).sum();
    let context = longest.min(kv_tokens as f64).max(1.0);
    [base * step, floor * step, step / 300.0, step / 600.0, 0.15 * step / context].map(libm::log)
}

/// The best point that searches find, each from where the one before ended.
fn search(problem: &Problem<'_>, start: Point, searches: usize) -> (f64, Point) {
    let mut best = (problem.loss(&start), start);
    for _ in 0..searches {
        best = simplex(problem, best);
    }
    best
}

/// `from + factor (to - from)`.
fn towards(from: &Point, to: &Point, factor: f64) -> Point {
    std::array::from_fn(|index| from[index] + factor * (to[index] - from[index]))
}

fn simplex(problem: &Problem<'_>, start: (f64, Point)) -> (f64, Point) {
    let mut corners = vec![start];
    for index in 0..COEFFICIENTS {
        let mut point = start.1;
        point[index] += 0.2;
        corners.push((problem.loss(&point), point));
    }
    let mut replays = COEFFICIENTS;
    while replays < REPLAYS {
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, worst) = (corners[0], corners[COEFFICIENTS]);
        let width = |corner: &(f64, Point)| {
            corner.1.iter().zip(&best.1).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        if corners.iter().map(width).fold(0.0, f64::max) < 1e-4 {
            break;
        }
        let mut middle = [0.0; COEFFICIENTS];
        for corner in &corners[..COEFFICIENTS] {
            for (sum, part) in middle.iter_mut().zip(&corner.1) {
                *sum += part / COEFFICIENTS as f64;
            }
        }
        let mut at = |factor: f64| {
            replays += 1;
            let point = towards(&middle, &worst.1, factor);
            (problem.loss(&point), point)
        };
        let reflected = at(-1.0);
        let next = if reflected.0 < best.0 {
            let expanded = at(-2.0);
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < corners[COEFFICIENTS - 1].0 {
            reflected
        } else {
            let contracted = if reflected.0 < worst.0 { at(-0.5) } else { at(0.5) };
            if contracted.0 >= worst.0.min(reflected.0) {
                for corner in &mut corners[1..] {
                    corner.1 = towards(&best.1, &corner.1, 0.5);
                    corner.0 = problem.loss(&corner.1);
                }
                replays += COEFFICIENTS;
                continue;
            }
            contracted
        };
        corners[COEFFICIENTS] = next;
    }
    corners.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or(start)
}

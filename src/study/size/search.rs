//! The fewest replicas of a candidate at which the promises hold at the load, and the candidate
//! that needs the fewest GPUs.

use super::candidate::{Candidate, Counts, Pool, candidates};
use super::trial::{ALLOWED, Observed, trial};
use super::{Refusal, SizeLimit, SizeQuestion, SizedAccelerator, SizedDeployment};
use crate::engine::{CallClass, ClusterModel};
use crate::study::capacity::{Capacity, measured_capacity};

/// Highest share of the saturated throughput that a replica is given: closer to it a run of finite
/// length cannot tell a queue that stays from one that grows.
const SUSTAINABLE: f64 = 0.97;
/// Share of the throughput without promises up to which these, and not saturation, are the limit.
const PROMISED: f64 = 0.8;
/// Candidates of a mode that are simulated at most.
const MOST_TRIED: usize = 6;
/// Replicas beyond those of the closed form that are tried at most: factor and number.
const MOST_REPLICAS: (u64, u64) = (24, 8);
/// A size is found to one replica up to this many, and to one part in so many beyond.
const RESOLUTION: u64 = 200;
/// Independent runs that confirm a size: more where so many leave it open.
const CONFIRMING: [u32; 3] = [4, 16, 48];
/// Calls counted in the runs that confirm a size at most.
const MOST_CONFIRMING: u64 = 1_500_000;
/// Prefill replicas beyond those of the closed form that are tried at most, and how often replicas
/// that decode are added where they do not help.
const MOST_PREFILL: (u64, u64) = (4, 4);
const DECODE_RAISES: u32 = 3;
/// Times that a size that is not confirmed is raised.
const RAISES: u32 = 12;

/// Replicas up to which one fewer is looked at again.
const FEW: u64 = 64;

/// A size that holds, the next smaller numbers of prefill and of decode replicas that were tried,
/// and what its calls experience.
type Confirmed = (Counts, (Option<u64>, Option<u64>), Observed);

/// The search on one candidate.
struct Search<'a> {
    question: &'a SizeQuestion<'a>,
    candidate: &'a Candidate,
    /// Replicas that the load would saturate: no fewer.
    floor: Counts,
    /// Replicas that the closed form asks for.
    start: Counts,
}

/// A number of replicas that holds, and the next lower one tried that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fewest {
    held: u64,
    broken: Option<u64>,
}

/// The smallest number from `floor` to `most` that holds, sought around `start`; `None` where not
/// even `most` does. More replicas are taken to hold wherever fewer do.
fn fewest(
    (floor, start, most): (u64, u64, u64),
    mut holds: impl FnMut(u64) -> bool,
) -> Option<Fewest> {
    let step = |count: u64| (count / RESOLUTION).max(1);
    let start = start.clamp(floor, most);
    let mut broken = None;
    let mut held = start;
    if holds(start) {
        // The closed form asked for too many: downwards.
        let mut reach = (start / 50).max(1);
        while held > floor {
            let next = held.saturating_sub(reach).max(floor);
            if !holds(next) {
                broken = Some(next);
                break;
            }
            held = next;
            reach = reach.saturating_mul(2);
        }
    } else {
        broken = Some(start);
        let mut reach = (start / 10).max(1);
        loop {
            if broken == Some(most) {
                return None;
            }
            held = held.saturating_add(reach).min(most);
            if holds(held) {
                break;
            }
            broken = Some(held);
            reach = reach.saturating_mul(2);
        }
    }
    while let Some(low) = broken.filter(|low| held - low > step(held)) {
        let middle = u64::midpoint(low, held);
        if holds(middle) { held = middle } else { broken = Some(middle) }
    }
    Some(Fewest { held, broken })
}

/// Calls per second at which a replica would saturate, as measured on one rank that never runs out
/// of calls; by closed form where the promises end far below it.
fn saturated(pool: &Pool, class: &CallClass) -> f64 {
    let (most, batch) = pool.unpromised;
    if pool.calls_per_second < PROMISED * most {
        return most;
    }
    let alone = ClusterModel { replica: pool.model.clone(), replicas: 1, prefill: None };
    let class = CallClass { calls: pool.calls.clone(), ..class.clone() };
    let none =
        Capacity { calls_per_second: f64::INFINITY, batch, limit: "replicas", measured: false };
    measured_capacity(&alone, &[class], none).calls_per_second * pool.ranks as f64
}

fn least(rate: f64, calls_per_second: f64) -> u64 {
    (rate / calls_per_second).ceil().max(1.0) as u64
}

impl<'a> Search<'a> {
    /// `None` where the candidate cannot hold within `budget` GPUs, as one run shows.
    fn new(question: &'a SizeQuestion<'a>, candidate: &'a Candidate, budget: u64) -> Option<Self> {
        let rate = question.rate;
        let start = candidate.least(rate);
        let mut search = Self { question, candidate, floor: start, start };
        let largest = search.largest(budget);
        if largest.is_some_and(|largest| !search.holds(largest)) {
            return None;
        }
        let floor = |pool: &Pool| least(rate, SUSTAINABLE * saturated(pool, &question.class));
        let floor = Counts {
            decode: floor(&candidate.decode),
            prefill: candidate.prefill.as_ref().map_or(0, |(pool, _)| floor(pool)),
        };
        search.floor = floor;
        search.start = Counts {
            decode: start.decode.max(floor.decode),
            prefill: start.prefill.max(floor.prefill),
        };
        Some(search)
    }

    /// As many replicas of each kind as a budget allows beside as few of the other as the closed
    /// form asks for; none where the budget is far above what it asks for.
    fn largest(&self, budget: u64) -> Option<Counts> {
        let start = self.start;
        let gpus = |pool: &Pool| u64::from(pool.layout.gpus);
        let decode = &self.candidate.decode;
        let entry = self.candidate.prefill.as_ref().map(|(pool, _)| gpus(pool));
        let reserved = entry.map_or(0, |gpus| gpus * start.prefill);
        let most = budget.saturating_sub(reserved) / gpus(decode);
        let left = budget.saturating_sub(start.decode * gpus(decode));
        let prefill = entry.map_or(0, |gpus| left / gpus);
        let tight = most <= start.decode.saturating_mul(3);
        let some = most >= start.decode && prefill >= start.prefill;
        (tight && some).then_some(Counts { prefill, decode: most })
    }

    fn trial(&self, counts: Counts) -> Observed {
        trial(self.question, self.candidate, counts, (1, self.question.seed))
    }

    fn holds(&self, counts: Counts) -> bool {
        self.trial(counts).holds()
    }

    /// The size, if it takes at most `budget` GPUs.
    fn run(&self, budget: u64) -> Option<SizedDeployment> {
        let most = |start: u64| start.saturating_mul(MOST_REPLICAS.0) + MOST_REPLICAS.1;
        let gpus = |pool: &Pool| u64::from(pool.layout.gpus);
        let decode_gpus = gpus(&self.candidate.decode);
        let Some((entry, _)) = &self.candidate.prefill else {
            let room = (budget / decode_gpus).min(most(self.start.decode));
            let at = |decode| Counts { prefill: 0, decode };
            let found = self.within(self.floor.decode, self.start.decode, room, at)?;
            return self.confirmed(at(found.held), (None, found.broken), budget);
        };
        // As many prefill replicas as are never in the way of the time per output token.
        let generous = self.start.prefill.saturating_mul(2) + 1;
        let reserved = self.start.prefill * gpus(entry);
        let room = (budget.checked_sub(reserved)? / decode_gpus).min(most(self.start.decode));
        let (floor, start) = (self.floor.decode, self.start.decode);
        if room < floor {
            return None;
        }
        let decode = fewest((floor, start, room), |decode| {
            self.trial(Counts { prefill: generous, decode }).slow.mean <= ALLOWED
        })?;
        // Then as many as the time to first token needs.
        let (more, beyond) = MOST_PREFILL;
        let most = self.start.prefill.saturating_mul(more) + beyond;
        let mut replicas = decode.held;
        for _ in 0..DECODE_RAISES {
            let room = (budget.checked_sub(replicas * decode_gpus)? / gpus(entry)).min(most);
            let at = |prefill| Counts { prefill, decode: replicas };
            // What the most do not do is known by one run.
            if room >= self.floor.prefill && self.holds(at(room)) {
                let found = self.within(self.floor.prefill, self.start.prefill, room, at)?;
                let broken = (found.broken, decode.broken);
                return self.confirmed(at(found.held), broken, budget);
            }
            replicas += (replicas / 8).max(1);
        }
        None
    }

    fn within(
        &self,
        floor: u64,
        start: u64,
        room: u64,
        at: impl Fn(u64) -> Counts,
    ) -> Option<Fewest> {
        if room < floor {
            return None;
        }
        fewest((floor, start, room), |count| self.holds(at(count)))
    }

    /// Repeats the size on fresh seeds, and raises it until it holds beyond the sample's doubt.
    fn confirmed(
        &self,
        mut counts: Counts,
        broken: (Option<u64>, Option<u64>),
        budget: u64,
    ) -> Option<SizedDeployment> {
        let seed = self.question.seed.wrapping_add(1);
        let mut broken = broken;
        for _ in 0..RAISES {
            if self.candidate.gpus(counts) > budget {
                return None;
            }
            let seen = self.settled(counts, seed);
            if seen.holds_surely() {
                let (counts, broken, seen) = self.lowered((counts, broken, seen), seed);
                return Some(self.sized(counts, broken, seen));
            }
            let more = |count: u64| count + (count / RESOLUTION).max(1);
            // A late first token is for the prefill replicas to heal, where there are any.
            let late = seen.late.mean > seen.slow.mean && counts.prefill > 0;
            if late {
                broken.0 = Some(counts.prefill);
                counts.prefill = more(counts.prefill);
            } else {
                broken.1 = Some(counts.decode);
                counts.decode = more(counts.decode);
            }
        }
        None
    }

    /// A single run may have broken by chance what holds: where replicas are few the next smaller
    /// number is tried by as many runs as confirm a size.
    fn lowered(&self, mut found: Confirmed, seed: u64) -> Confirmed {
        for of_prefill in [false, true] {
            loop {
                let (counts, (no_prefill, no_decode), _) = found;
                let tried = if of_prefill { no_prefill } else { no_decode };
                let Some(fewer) = tried.filter(|fewer| *fewer <= FEW) else { break };
                let (now, floor, next) = if of_prefill {
                    let next = Counts { prefill: fewer, ..counts };
                    (counts.prefill, self.floor.prefill, next)
                } else {
                    (counts.decode, self.floor.decode, Counts { decode: fewer, ..counts })
                };
                if fewer >= now || fewer < floor {
                    break;
                }
                let seen = self.settled(next, seed);
                if !seen.holds_surely() {
                    break;
                }
                let below = (fewer > floor).then(|| fewer - 1);
                let broken = if of_prefill { (below, no_decode) } else { (no_prefill, below) };
                found = (next, broken, seen);
            }
        }
        found
    }

    /// As many runs as it takes to tell whether a size holds.
    fn settled(&self, counts: Counts, seed: u64) -> Observed {
        let mut seen = trial(self.question, self.candidate, counts, (CONFIRMING[0], seed));
        for runs in &CONFIRMING[1..] {
            let calls = seen.counted / u64::from(seen.runs) * u64::from(*runs);
            if !seen.open() || seen.known() || calls > MOST_CONFIRMING {
                break;
            }
            seen = trial(self.question, self.candidate, counts, (*runs, seed));
        }
        seen
    }

    fn sized(
        &self,
        counts: Counts,
        (no_prefill, no_decode): (Option<u64>, Option<u64>),
        seen: Observed,
    ) -> SizedDeployment {
        let Candidate { decode, prefill } = self.candidate;
        let rate = self.question.rate;
        let entry = prefill.as_ref().map(|(pool, _)| pool);
        let share = |pool: &Pool, count: u64| rate / (pool.calls_per_second * count as f64);
        let after = |prefill: Option<u64>, decode: Option<u64>| {
            let fewer = Counts {
                prefill: prefill.unwrap_or(counts.prefill),
                decode: decode.unwrap_or(counts.decode),
            };
            let seen = self.trial(fewer);
            if seen.late.mean > seen.slow.mean { SizeLimit::Ttft } else { SizeLimit::Tpot }
        };
        let limit = match no_decode {
            Some(_) => after(None, no_decode),
            None if counts.decode == 1 => SizeLimit::WholeReplica,
            None => decode.limit,
        };
        let prefill_limit = entry.map(|pool| match no_prefill {
            Some(_) => after(no_prefill, None),
            None if counts.prefill == 1 => SizeLimit::WholeReplica,
            None => pool.limit,
        });
        SizedDeployment {
            layout: decode.layout.clone(),
            ranks: decode.ranks as u32,
            replicas: counts.decode,
            prefill_layout: entry.map(|pool| pool.layout.clone()),
            prefill_ranks: entry.map_or(0, |pool| pool.ranks as u32),
            prefill_replicas: counts.prefill,
            gpus: self.candidate.gpus(counts),
            max_sequences: u64::from(decode.model.scheduler.max_sequences) * decode.ranks,
            limited_by_memory: decode.filled,
            eta: share(decode, counts.decode),
            eta_broken: no_decode.map(|count| share(decode, count)),
            prefill_load: entry.map_or(0.0, |pool| share(pool, counts.prefill)),
            limit,
            prefill_limit,
            seen,
            candidates: (0, 0),
            model: self.candidate.whole(counts),
        }
    }
}

/// The deployment on an accelerator that needs the fewest GPUs.
pub(super) fn best(
    question: &SizeQuestion<'_>,
    sized: &SizedAccelerator<'_>,
) -> Result<SizedDeployment, Refusal> {
    let candidates = candidates(question, sized)?;
    let mut best: Option<SizedDeployment> = None;
    let mut tried = [0; 2];
    for candidate in &candidates {
        let budget = best.as_ref().map_or(u64::MAX, |best| best.gpus - 1);
        let mode = usize::from(candidate.prefill.is_some());
        // What the closed form cannot do with fewer GPUs the simulation cannot either.
        let hopeless = candidate.gpus(candidate.least(question.rate)) > budget;
        if hopeless || tried[mode] == MOST_TRIED {
            continue;
        }
        tried[mode] += 1;
        let found = Search::new(question, candidate, budget).and_then(|search| search.run(budget));
        best = found.or(best);
    }
    let mut best = best.ok_or(Refusal::NoLoad)?;
    best.candidates = (candidates.len() as u32, tried.iter().sum::<usize>() as u32);
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_are_found_from_wherever_the_search_starts() {
        for wanted in [1, 2, 3, 10, 97, 150] {
            for start in [1, 2, 9, 100, 400] {
                let found = fewest((1, start, 1_000), |count| count >= wanted);
                let broken = (wanted > 1).then(|| wanted - 1);
                assert_eq!(found, Some(Fewest { held: wanted, broken }), "{wanted} {start}");
            }
        }
        // Nothing below the floor, nothing above the most.
        assert_eq!(fewest((5, 9, 50), |_| true), Some(Fewest { held: 5, broken: None }));
        assert_eq!(fewest((5, 9, 50), |_| false), None);
        assert_eq!(fewest((5, 60, 50), |count| count >= 50).map(|found| found.held), Some(50));
        // Large numbers to one part in 200.
        let found = fewest((1, 9_000, 100_000), |count| count >= 12_345).expect("it is there");
        assert!(found.held >= 12_345 && found.held <= 12_345 + 12_345 / 199, "{found:?}");
    }
}

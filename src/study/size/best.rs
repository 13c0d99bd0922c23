//! The deployment on an accelerator that needs the fewest GPUs: every candidate that may be it is
//! sized roughly, and those that come close are sized surely.

use super::candidate::{Candidate, Counts, candidates};
use super::search::{Found, Search};
use super::{Refusal, SizeQuestion, SizedAccelerator, SizedDeployment};

/// Candidates of a mode that are simulated at most.
const MOST_TRIED: usize = 6;
/// GPUs by which a rough size may be above the true one: one part in so many, and one replica.
const ROUGH: u64 = 8;

/// GPUs up to which a rough size leaves open that a candidate needs at most `gpus`.
fn near(gpus: u64, candidate: &Candidate) -> u64 {
    gpus.saturating_add((gpus / ROUGH).max(u64::from(candidate.decode.layout.gpus)))
}

/// Candidates in the order of their rough sizes, and how many were simulated.
fn rough<'a>(
    question: &'a SizeQuestion<'a>,
    candidates: &'a [Candidate],
) -> (Vec<(u64, Counts, &'a Candidate, Search<'a>)>, u32) {
    let mut tried = [0; 2];
    let mut least = u64::MAX;
    let mut list = Vec::new();
    for candidate in candidates {
        let budget = near(least, candidate);
        let mode = usize::from(candidate.prefill.is_some());
        // What the closed form cannot do with fewer GPUs the simulation cannot either.
        let hopeless = candidate.gpus(candidate.least(question.rate)) >= least;
        if hopeless || tried[mode] == MOST_TRIED {
            continue;
        }
        tried[mode] += 1;
        let Some(mut search) = Search::new(question, candidate, budget) else { continue };
        let Some(counts) = search.roughly(budget) else { continue };
        let gpus = candidate.gpus(counts);
        least = least.min(gpus);
        list.push((gpus, counts, candidate, search));
    }
    list.sort_by_key(|(gpus, ..)| *gpus);
    (list, tried.iter().sum::<usize>() as u32)
}

/// The deployment on an accelerator that needs the fewest GPUs; with `edges` also between which
/// sizes the sample leaves it open.
pub(super) fn best(
    question: &SizeQuestion<'_>,
    sized: &SizedAccelerator<'_>,
    edges: bool,
) -> Result<SizedDeployment, Refusal> {
    let candidates = candidates(question, sized)?;
    let (list, tried) = rough(question, &candidates);
    let mut best: Option<(Found, Search<'_>)> = None;
    let mut open = u64::MAX;
    for (gpus, counts, candidate, mut search) in list {
        let held = best.as_ref().map_or(u64::MAX, |(found, _)| found.gpus);
        if gpus > near(held, candidate) {
            continue;
        }
        let counts = search.within(counts, held - 1);
        match counts.map_or(Err(None), |counts| search.surely(counts, (held - 1, edges))) {
            Ok(found) => {
                open = open.min(found.between.0);
                best = Some((found, search));
            }
            Err(left) => open = open.min(left.unwrap_or(u64::MAX)),
        }
    }
    let (mut found, mut search) = best.ok_or(Refusal::NoLoad)?;
    found.between.0 = found.between.0.min(open);
    let mut sized = search.sized(&found);
    sized.candidates = (candidates.len() as u32, tried);
    Ok(sized)
}

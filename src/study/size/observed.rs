//! What the calls of a deployment experience, with the errors of the sample; and whether that is
//! enough to say that the promises hold.

use crate::stats::Estimate;

/// Share of the calls that may miss a promise on a 99th percentile.
pub(super) const ALLOWED: f64 = 0.01;
/// Standard errors by which a missed share lies below what is allowed where a size holds, and above
/// it where it breaks; in between the sample leaves it open.
pub(super) const MARGIN: f64 = 2.0;
/// Standard errors of a difference that two samples of the same hardly exceed.
const APART: f64 = 3.0;
/// Calls of a queue are late together: the variance of a missed share in a single run over that of
/// independent calls, at most of what was seen in runs of the catalogue (4 to 12).
const TOGETHER: f64 = 20.0;
/// Of a few runs the standard error is itself uncertain: this over the runs but one is added to a
/// margin, which follows Student's t at 95 % within 4 % from 4 runs on.
const FEW_RUNS: f64 = 1.6;

/// What a sample says of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The missed share lies below what is allowed by more than the sample's doubt.
    Holds,
    /// Within the doubt.
    Open,
    /// Above it by more than the doubt.
    Breaks,
}

/// What the calls of a deployment experience at a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Share of the calls beyond the promise for TTFT; calls that no memory holds are among them.
    pub late: Estimate,
    /// Share of the calls beyond the promise for TPOT.
    pub slow: Estimate,
    /// Share of the calls within both promises.
    pub attainment: Estimate,
    /// 99th percentile of the time to first token, seconds.
    pub ttft_p99: Estimate,
    /// 99th percentile of the time per output token, seconds.
    pub tpot_p99: Estimate,
    /// Sequences in a decode step of a replica or rank.
    pub batch: f64,
    /// Share of time in steps, of the replicas that decode (or do both).
    pub busy: f64,
    /// The same of the prefill replicas; 0 where there are none.
    pub prefill_busy: f64,
    /// Calls counted.
    pub counted: u64,
    /// Independent runs that the standard errors come from.
    pub runs: u32,
}

impl Observed {
    /// Whether both promises hold at the 99th percentile, at most 1 % of the calls missing each,
    /// by two standard errors.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.within(MARGIN)
    }

    /// The same by so many standard errors.
    pub(super) fn within(&self, margin: f64) -> Verdict {
        let [late, slow] = [self.late, self.slow].map(|share| self.of(share, margin));
        match (late, slow) {
            _ if self.counted == 0 => Verdict::Breaks,
            (Verdict::Breaks, _) | (_, Verdict::Breaks) => Verdict::Breaks,
            (Verdict::Holds, Verdict::Holds) => Verdict::Holds,
            _ => Verdict::Open,
        }
    }

    /// The same of the promise for TPOT alone.
    pub(super) fn pace_within(&self, margin: f64) -> Verdict {
        self.of(self.slow, margin)
    }

    /// Whether other samples that spend a whole budget, of which this one has spent a part, would
    /// find that both promises hold, nearly always.
    pub(super) fn repeats(&self, spent: f64) -> bool {
        let would = |share: Estimate| {
            let here = self.error(share);
            let there = here * spent.min(1.0).sqrt();
            share.mean + APART * here.hypot(there) + MARGIN * there <= ALLOWED
        };
        would(self.late) && would(self.slow)
    }

    /// Standard error of a missed share: from the spread of the runs, never below that of
    /// independent calls, with what few runs leave uncertain of it.
    fn error(&self, share: Estimate) -> f64 {
        let counted = self.counted.max(1) as f64;
        let likely = (share.mean + 1.0 / counted).min(1.0);
        let independent = likely * (1.0 - likely).max(0.0) / counted;
        if self.runs < 2 {
            return (TOGETHER * independent).sqrt();
        }
        let doubt = 1.0 + FEW_RUNS / f64::from(self.runs - 1);
        share.standard_error.max(independent.sqrt()) * doubt
    }

    fn of(&self, share: Estimate, margin: f64) -> Verdict {
        let doubt = margin * self.error(share);
        match share.mean {
            missed if missed + doubt <= ALLOWED => Verdict::Holds,
            missed if missed - doubt > ALLOWED => Verdict::Breaks,
            _ => Verdict::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(late: f64, standard_error: f64, counted: u64, runs: u32) -> Observed {
        let share = |mean: f64, standard_error: f64| Estimate { mean, standard_error };
        Observed {
            late: share(late, standard_error),
            slow: share(0.0, 0.0),
            attainment: share(1.0 - late, standard_error),
            ttft_p99: share(1.0, 0.0),
            tpot_p99: share(0.01, 0.0),
            batch: 1.0,
            busy: 0.5,
            prefill_busy: 0.0,
            counted,
            runs,
        }
    }

    #[test]
    fn two_standard_errors_decide() {
        let many = |late| seen(late, 0.0002, 10_000_000, 1_000).verdict();
        assert_eq!(many(0.009_5), Verdict::Holds);
        assert_eq!(many(0.009_7), Verdict::Open);
        assert_eq!(many(0.010_3), Verdict::Open);
        assert_eq!(many(0.010_5), Verdict::Breaks);
        // Four runs say less about their own spread: Student's t with 3 degrees is 3.18.
        let few = |late| seen(late, 0.0002, 10_000_000, 4).verdict();
        assert_eq!(few(0.009_5), Verdict::Open);
        assert_eq!(few(0.009_3), Verdict::Holds);
    }

    #[test]
    fn runs_that_agree_by_chance_are_not_believed() {
        // 10,000 calls know a share of 0.9 % to 0.09 % at best.
        assert_eq!(seen(0.009, 0.0, 10_000, 5).verdict(), Verdict::Open);
        assert_eq!(seen(0.0, 0.0, 100, 1).verdict(), Verdict::Open);
        assert_eq!(seen(0.0, 0.0, 0, 1).verdict(), Verdict::Breaks);
        // One run decides what is far away only.
        assert_eq!(seen(0.05, 0.0, 18_000, 1).within(3.0), Verdict::Breaks);
        assert_eq!(seen(0.013, 0.0, 18_000, 1).within(3.0), Verdict::Open);
    }
}

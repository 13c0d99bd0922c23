//! Exact sums over what a replica, or a cluster of them, has done.

use crate::hardware::KV_UNIT;

/// Sums over everything that a replica has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests that arrived.
    pub arrived: u64,
    /// Requests done.
    pub completed: u64,
    /// Requests whose users left before the first token.
    pub abandoned: u64,
    /// Requests that could never fit into memory.
    pub rejected: u64,
    /// Times that a sequence lost its memory and had to be computed again.
    pub preemptions: u64,
    /// Steps.
    pub steps: u64,
    /// Steps in which sequences decoded.
    pub decode_steps: u64,
    /// Sum of the batch over the decode steps.
    pub decoded: u64,
    /// Sum over the decode steps of the context that was read, in
    /// [`crate::hardware::KV_UNIT`] parts of a token.
    pub context_read: u128,
    /// Decode steps that the recomputing prefills stood in for.
    pub recomputed_steps: u64,
    /// Decode steps that the completed requests had to make.
    pub owed_steps: u64,
    /// Output tokens of completed requests.
    pub output_tokens: u64,
    /// Prompt tokens computed, recomputation included.
    pub prefilled: u64,
    /// Prompt tokens found in what earlier turns left, beyond those that are cached for everyone.
    pub found: u64,
    /// Prompt tokens of completed requests that were not cached for everyone.
    pub owed_prefill: u64,
    /// Tokens computed again after a preemption, or in vain before one or for a user who left.
    pub recomputed_prefill: u64,
    /// Most blocks that were in use by sequences at one time, on one replica.
    pub most_blocks: u64,
    /// Integral of the number of requests in the system, request-picoseconds.
    pub occupancy: u128,
    /// Sum of the sojourn times of the requests that left, done or not, picoseconds.
    pub sojourn: u128,
    /// Time in steps, picoseconds: of many replicas more than fits into the clock's 64 bits.
    pub busy: u128,
}

impl Totals {
    /// Adds another replica's sums.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.completed += other.completed;
        self.abandoned += other.abandoned;
        self.rejected += other.rejected;
        self.preemptions += other.preemptions;
        self.steps += other.steps;
        self.decode_steps += other.decode_steps;
        self.decoded += other.decoded;
        self.context_read += other.context_read;
        self.recomputed_steps += other.recomputed_steps;
        self.owed_steps += other.owed_steps;
        self.output_tokens += other.output_tokens;
        self.prefilled += other.prefilled;
        self.found += other.found;
        self.owed_prefill += other.owed_prefill;
        self.recomputed_prefill += other.recomputed_prefill;
        self.most_blocks = self.most_blocks.max(other.most_blocks);
        self.occupancy += other.occupancy;
        self.sojourn += other.sojourn;
        self.busy += other.busy;
    }

    /// Mean context that a decode step read, tokens; 0 when there was none.
    #[must_use]
    pub fn mean_context(&self) -> f64 {
        if self.decode_steps == 0 {
            return 0.0;
        }
        self.context_read as f64 / self.decode_steps as f64 / KV_UNIT as f64
    }

    /// Mean number of sequences in a decode step; 0 when there was none.
    #[must_use]
    pub fn mean_batch(&self) -> f64 {
        if self.decode_steps == 0 { 0.0 } else { self.decoded as f64 / self.decode_steps as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_time_go_beyond_64_bits() {
        // A replica may be busy for all of the clock's 213 days, with a million tokens of context
        // read a step and ten thousand calls waiting; many replicas and repetitions are added.
        let all = u128::from(u64::MAX);
        let one = Totals {
            busy: all,
            occupancy: all * 10_000,
            sojourn: all * 10_000,
            context_read: all << 20,
            most_blocks: 7,
            ..Totals::default()
        };
        let mut sum = Totals::default();
        for _ in 0..1_000 {
            sum.add(&one);
        }
        let thousand = |value: u128| value * 1_000;
        assert_eq!(sum.busy, thousand(one.busy));
        assert_eq!((sum.occupancy, sum.sojourn), (thousand(one.occupancy), thousand(one.sojourn)));
        assert_eq!(sum.context_read, thousand(one.context_read));
        assert_eq!(sum.most_blocks, 7);
    }
}

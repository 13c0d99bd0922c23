//! Blocks of context memory: how many a sequence holds, and how many the whole batch claims in a
//! step, counted in O(1).
//!
//! A sequence holds the blocks of its context when decode starts and claims one more whenever its
//! last one is full. Growth is counted in steps: a block lasts 16 tokens, or the whole steps of
//! speculative decoding that fit in 16 tokens.

use crate::hardware::KV_UNIT;

/// Tokens in a block.
pub const BLOCK: u64 = 16;

/// Blocks that hold `tokens` tokens.
#[must_use]
pub fn blocks_of(tokens: u64) -> u64 {
    tokens.div_ceil(BLOCK)
}

/// When sequences claim blocks, for a growth of `growth` / [`KV_UNIT`] tokens per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockGrowth {
    /// Steps from one claim of a sequence to its next.
    pub period: u64,
    growth: u64,
}

impl BlockGrowth {
    /// The claims of sequences that grow by `growth` parts of a token in a step.
    #[must_use]
    pub fn new(growth: u64) -> Self {
        Self { period: (BLOCK * KV_UNIT / growth).max(1), growth }
    }

    /// Decode steps of a sequence that starts with `context` tokens before its first claim.
    #[inline]
    #[must_use]
    pub fn free_steps(&self, context: u64) -> u64 {
        let free = blocks_of(context) * BLOCK - context;
        if self.growth == KV_UNIT {
            return free;
        }
        (free * KV_UNIT / self.growth).min(self.period - 1)
    }

    /// Blocks that a sequence claims in `steps` steps at least.
    #[inline]
    #[must_use]
    pub fn claims_within(&self, steps: u64) -> u64 {
        if self.growth == KV_UNIT { steps / BLOCK } else { steps / self.period }
    }

    /// Blocks held after `steps` decode steps by a sequence that started with `context` tokens.
    #[inline]
    #[must_use]
    pub fn held(&self, context: u64, steps: u64) -> u64 {
        if self.growth == KV_UNIT {
            return blocks_of(context + steps);
        }
        let beyond = (steps + self.period).saturating_sub(self.free_steps(context) + 1);
        blocks_of(context) + beyond / self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_per_step_fills_blocks_of_sixteen() {
        let growth = BlockGrowth::new(KV_UNIT);
        assert_eq!(growth.period, 16);
        for context in 1..100 {
            for steps in 0..100 {
                assert_eq!(growth.held(context, steps), (context + steps).div_ceil(16));
            }
        }
    }

    #[test]
    fn speculation_never_holds_less_than_its_tokens() {
        let step = 460; // 1.8 tokens
        let growth = BlockGrowth::new(step);
        for context in 1..100 {
            for steps in 0..200 {
                let tokens = context * KV_UNIT + steps * step;
                let exact = tokens.div_ceil(16 * KV_UNIT);
                let held = growth.held(context, steps);
                assert!(held >= exact && held <= exact + 2 + steps / 64, "{context} {steps}");
            }
        }
    }
}

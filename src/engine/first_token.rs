//! What clients wait for a first token beyond the steps of the engine: processes that hand requests
//! on, tokenising, batches that are put together steps ahead, the network. Fitted to recorded runs
//! with the step times (`docs/model.md`, section 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Completion;
use crate::time::EngineTime;
use crate::units::{Factor, Seconds};

/// Time to first token beyond the engine's: so many decode steps as the call itself has later, and
/// a time for each token of the prompt. Tokens after the first are as late as the first.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstToken {
    /// Decode steps: the mean time per output token of the call each. A call of one token has none.
    pub steps: Factor,
    /// For each token of the prompt, cached ones included.
    pub prompt_token: Seconds,
}

impl FirstToken {
    /// Nothing beyond the engine.
    pub const NONE: Self = Self { steps: Factor(0.0), prompt_token: Seconds(0.0) };

    /// Whether it is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Seconds for a prompt of so many tokens in front of a time per output token.
    #[must_use]
    pub fn seconds(&self, prompt: f64, tpot: f64) -> f64 {
        self.steps.0 * tpot + self.prompt_token.0 * prompt
    }

    /// Picoseconds for a prompt in front of a time per output token, picoseconds.
    #[inline]
    pub(super) fn beyond(&self, prompt: u32, tpot: f64) -> u64 {
        let prompt_token = self.prompt_token.0 * 1e12;
        (self.steps.0 * tpot + prompt_token * f64::from(prompt)) as u64
    }

    /// A call as its client sees it.
    #[inline]
    #[must_use]
    pub(super) fn seen(&self, done: &Completion) -> Completion {
        let tpot = done.tpot().map_or(0.0, |tpot| tpot.0 as f64);
        let beyond = self.beyond(done.prompt, tpot);
        let later = |at: EngineTime| EngineTime(at.0.saturating_add(beyond));
        Completion { first_token: later(done.first_token), finish: later(done.finish), ..*done }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Retained;
    use super::*;

    #[test]
    fn clients_see_the_first_token_later_and_the_pace_as_it_is() {
        let done = Completion {
            id: 0,
            class: 0,
            counted: true,
            arrival: EngineTime::from_seconds(1.0),
            first_token: EngineTime::from_seconds(1.5),
            finish: EngineTime::from_seconds(3.5),
            prompt: 1_000,
            output: 101,
            retained: Retained::NONE,
        };
        // 20 ms a token: six of them, and 10 us for each of 1,000 tokens.
        let stack = FirstToken { steps: Factor(6.0), prompt_token: Seconds(10e-6) };
        let seen = stack.seen(&done);
        assert!((seen.ttft().seconds() - 0.63).abs() < 1e-9, "{}", seen.ttft().seconds());
        assert_eq!(seen.tpot(), done.tpot());
        assert!((stack.seconds(1_000.0, 0.02) - 0.13).abs() < 1e-12);
        assert_eq!(FirstToken::NONE.seen(&done), done);
        // A single token has no pace.
        let single = Completion { output: 1, finish: done.first_token, ..done };
        assert!((stack.seen(&single).ttft().seconds() - 0.51).abs() < 1e-9);
    }
}

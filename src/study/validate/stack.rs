//! What clients wait for a first token beyond the engine, by serving stack, as fitted.

use super::coefficients::FittedCoefficients;
use crate::engine::FirstToken;
use crate::units::{Factor, Seconds};

/// A serving stack: what its clients wait for a first token beyond the engine's steps.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServingStack {
    /// Where prefill and decode share their GPUs.
    pub together: FirstToken,
    /// Where prefill is on replicas of its own. The recorded runs of this kind, of all stacks,
    /// share one coefficient.
    pub apart: FirstToken,
}

impl ServingStack {
    /// Names of the stacks that were recorded.
    pub const NAMES: [&'static str; 3] = ["sglang", "trtllm", "vllm"];

    /// A stack by its name; `None` for one that was not recorded.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if !Self::NAMES.contains(&name) {
            return None;
        }
        let fitted = &FittedCoefficients::shipped().coefficients;
        let value = |key: &str| fitted.get(key).map(|coefficient| coefficient.value);
        let prompt_token = Seconds(value("prompt_overhead")?);
        let of = |key: &str| {
            let steps = Factor(value(&format!("first_token_steps.{key}"))?);
            Some(FirstToken { steps, prompt_token })
        };
        Some(Self { together: of(name)?, apart: of("apart")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stack_is_in_the_fit() {
        for name in ServingStack::NAMES {
            let stack = ServingStack::named(name).expect("it was recorded");
            assert!(stack.together.steps.0 > 1.0 && stack.together.prompt_token.0 < 1e-4, "{name}");
            assert!(stack.apart.steps > stack.together.steps, "{name}");
        }
        assert_eq!(ServingStack::named("apart"), None);
    }
}

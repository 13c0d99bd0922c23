//! Which serving stack is on top of the engine's first tokens, in words.

use crate::engine::FirstToken;

/// Who says what clients wait for a first token beyond the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StackSource {
    /// Nobody: nothing is on top.
    #[default]
    None,
    /// A serving stack that was recorded, by its name.
    Recorded(String),
    /// The scenario's deployment.
    Scenario,
    /// The step time was measured with the stack in it, and nothing is on top.
    StepTime,
}

impl StackSource {
    /// The same for other programs.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Recorded(name) => name,
            Self::Scenario => "scenario",
            Self::StepTime => "step_time",
        }
    }

    /// A sentence: whose stack it is and what it adds.
    pub(super) fn sentence(&self, first_token: &FirstToken) -> String {
        if *self == Self::StepTime {
            return "TTFT is that of the measured step time: the serving stack of its log is in \
                    the step time, and none is on top."
                .to_owned();
        }
        if first_token.is_none() {
            return "TTFT is that of the engine: no serving stack is on top.".to_owned();
        }
        let whose = match self {
            Self::Recorded(name) => format!("what {} adds in recorded runs", label(name)),
            _ => "what the serving stack of the scenario adds".to_owned(),
        };
        format!(
            "TTFT is the engine's and {whose}: {:.1} decode steps and {:.1} us a prompt token.",
            first_token.steps.0,
            first_token.prompt_token.0 * 1e6,
        )
    }
}

/// How a stack writes its own name.
fn label(name: &str) -> &str {
    match name {
        "vllm" => "vLLM",
        "sglang" => "SGLang",
        "trtllm" => "TensorRT-LLM",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Factor, Seconds};

    #[test]
    fn the_sentence_names_whose_stack_it_is() {
        let adds = FirstToken { steps: Factor(22.1), prompt_token: Seconds(11e-6) };
        let recorded = StackSource::Recorded("sglang".to_owned());
        assert_eq!(
            recorded.sentence(&adds),
            "TTFT is the engine's and what SGLang adds in recorded runs: 22.1 decode steps and \
             11.0 us a prompt token."
        );
        assert!(StackSource::Scenario.sentence(&adds).contains("of the scenario"));
        let nothing = FirstToken::NONE;
        assert!(StackSource::None.sentence(&nothing).contains("no serving stack"));
        assert!(StackSource::Scenario.sentence(&nothing).contains("no serving stack"));
        assert!(StackSource::StepTime.sentence(&nothing).contains("is in the step time"));
    }
}

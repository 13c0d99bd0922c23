//! A step time that somebody measured on a deployment, in place of what the roofline computes from
//! a model and an accelerator. How it is fitted to a request log is not here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Roofline;
use crate::time::FleetTime;
use crate::units::Seconds;

/// Coefficients of a measured step time.
pub const COEFFICIENTS: usize = 5;
/// Their names, in the order of [`MeasuredStepTime::coefficients`].
pub const COEFFICIENT_NAMES: [&str; COEFFICIENTS] =
    ["base", "floor", "per_token", "per_sequence", "per_context_token"];

/// The step time of a replica as it was measured: `base + max(floor, per_token (D + P)) +
/// per_sequence D + per_context_token S` for D sequences that decode with S context tokens
/// together, and P prompt tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredStepTime {
    /// Time of every step.
    pub base: Seconds,
    /// What a step takes beyond that at least: reading the weights.
    pub floor: Seconds,
    /// Time of a decoding sequence and of a prompt token, where together they take longer than
    /// `floor`.
    pub per_token: Seconds,
    /// Time that each decoding sequence adds.
    pub per_sequence: Seconds,
    /// Time that each context token of the decoding sequences adds.
    pub per_context_token: Seconds,
    /// Context tokens that fit into a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_tokens: Option<u64>,
    /// Date of the measurement: software, work per token and releases count from then on.
    pub as_of: FleetTime,
    /// What was measured, and how.
    pub source: String,
}

impl MeasuredStepTime {
    /// The coefficients in seconds, in the order of [`COEFFICIENT_NAMES`].
    #[must_use]
    pub fn coefficients(&self) -> [f64; COEFFICIENTS] {
        [self.base, self.floor, self.per_token, self.per_sequence, self.per_context_token]
            .map(|coefficient| coefficient.0)
    }

    /// The step time as the engine takes it. `speed` divides every time: progress since the
    /// measurement.
    #[must_use]
    pub fn roofline(&self, speed: f64) -> Roofline {
        Roofline::measured(self.coefficients().map(|seconds| seconds / speed))
    }
}

impl Roofline {
    /// The roofline of a measured step time, coefficients in seconds and in the order of
    /// [`COEFFICIENT_NAMES`]. The context of decoding sequences is on both sides of the maximum,
    /// so that it always adds; what lies before a later chunk of a prompt counts as context where
    /// the floor binds. One token a sequence and step.
    #[must_use]
    pub fn measured(seconds: [f64; COEFFICIENTS]) -> Self {
        let [base, floor, token, sequence, context] = seconds;
        Self {
            dense_read: floor,
            kv_read: context,
            decode_network: sequence,
            ..Self::affine(base, token, context, token)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_step_by_hand() {
        let measured = MeasuredStepTime {
            base: Seconds(4e-3),
            floor: Seconds(9e-3),
            per_token: Seconds(80e-6),
            per_sequence: Seconds(20e-6),
            per_context_token: Seconds(0.3e-6),
            kv_tokens: None,
            as_of: FleetTime::start_of_year(2026),
            source: String::new(),
        };
        let seconds = |speed: f64, prompt: f64| {
            measured.roofline(speed).seconds(10.0, 5_000.0, prompt, 0.0, prompt * prompt)
        };
        // 10 sequences: 4 ms, the floor of 9 ms, 10 x 20 us, 5,000 x 0.3 us.
        assert!((seconds(1.0, 0.0) - 14.7e-3).abs() < 1e-12);
        // 490 prompt tokens more: 500 tokens of 80 us are above the floor; pairs cost nothing.
        assert!((seconds(1.0, 490.0) - 45.7e-3).abs() < 1e-12);
        // Progress shortens all of it.
        assert!((seconds(2.0, 490.0) - 22.85e-3).abs() < 1e-12);
    }

    #[test]
    fn the_names_are_those_of_the_fields() {
        let text = "(base: \"1 s\", floor: \"2 s\", per_token: \"3 s\", per_sequence: \"4 s\", \
                    per_context_token: \"5 ns\", as_of: \"2026-08\", source: \"log\")";
        let read: MeasuredStepTime = ron::from_str(text).expect("well formed");
        assert_eq!(read.coefficients(), [1.0, 2.0, 3.0, 4.0, 5.0 * 1e-9]);
        assert!(COEFFICIENT_NAMES.iter().all(|name| text.contains(&format!("{name}:"))));
    }
}

//! The coefficients of the step time that are fitted to recorded runs, and the efficiencies that
//! they make of an accelerator. The fit itself is in [`super::Fit`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::runs::MeasuredRun;
use crate::hardware::{Accelerator, Efficiency};
use crate::units::{Factor, Seconds, Share};

/// Names of the coefficients in their order. The first [`STEP_COEFFICIENTS`] enter the step time;
/// the others come on top of the time to first token that the engine says.
pub const EFFICIENCY_COEFFICIENTS: [&str; 22] = [
    "hopper.compute",
    "hopper.narrow_compute",
    "hopper.memory",
    "hopper.network",
    "hopper.layer_overhead",
    "blackwell.compute",
    "blackwell.memory",
    "blackwell.network",
    "blackwell.layer_overhead",
    "expert_overhead",
    "latent_overhead",
    "sparse_overhead",
    "hybrid_overhead",
    "collective_overhead",
    "sequence_overhead",
    "speculative_gain",
    "first_token_steps.sglang",
    "first_token_steps.vllm",
    "first_token_steps.trtllm",
    "first_token_steps.apart",
    "first_token_steps.undated",
    "prompt_overhead",
];

/// How many of them the engine sees.
pub const STEP_COEFFICIENTS: usize = 16;

/// Number of coefficients.
pub(super) const N: usize = EFFICIENCY_COEFFICIENTS.len();

/// Shares of a peak: never above one.
const SHARES: [&str; 4] = ["compute", "narrow_compute", "memory", "network"];

/// A coefficient that is at a roof is held there.
const ROOF: f64 = 0.95;

const SHIPPED: &str = include_str!("../../../configs/efficiencies.ron");

static FITTED: LazyLock<FittedCoefficients> = LazyLock::new(|| {
    ron::from_str(SHIPPED).expect("the embedded fit is well formed: a test reads it")
});

/// One coefficient as it ships.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedCoefficient {
    /// Its value: a share, seconds, steps, or a factor.
    pub value: f64,
    /// Its standard error, relative to the value: jackknife over cells.
    pub relative_error: f64,
}

/// A fit as it ships: `configs/efficiencies.ron`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedCoefficients {
    /// What it was fitted on.
    pub source: String,
    /// Number of runs.
    pub runs: u32,
    /// Number of cells: system, model, format, mode.
    pub cells: u32,
    /// The coefficients by name.
    pub coefficients: BTreeMap<String, FittedCoefficient>,
    /// Error of the throughput of a cell that the fit has not seen: standard deviation of the
    /// logarithm, by generation.
    pub cell_error: BTreeMap<String, f64>,
}

impl FittedCoefficients {
    /// The fit that ships with the program.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &FITTED
    }

    /// Logarithms of the values, where every coefficient is there.
    #[must_use]
    pub fn values(&self) -> Option<Coefficients> {
        let mut logs = [0.0; N];
        for (log, name) in logs.iter_mut().zip(EFFICIENCY_COEFFICIENTS) {
            *log = libm::log(self.coefficients.get(name)?.value);
        }
        Some(Coefficients(logs))
    }
}

/// Generation of an accelerator whose efficiencies are fitted or inherited.
#[must_use]
pub fn generation(accelerator: &str) -> &'static str {
    if matches!(accelerator, "h100" | "h200") { "hopper" } else { "blackwell" }
}

/// Logarithms of the coefficients, in the order of [`EFFICIENCY_COEFFICIENTS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients(pub [f64; N]);

impl Coefficients {
    /// Value of a coefficient.
    ///
    /// # Panics
    /// For a name that is not in [`EFFICIENCY_COEFFICIENTS`].
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        let index = EFFICIENCY_COEFFICIENTS.iter().position(|known| *known == name);
        libm::exp(self.0[index.expect("a name of the list")])
    }

    /// The accelerator with these efficiencies.
    #[must_use]
    pub fn apply(&self, name: &str, accelerator: &Accelerator) -> Accelerator {
        let generation = generation(name);
        let of = |field: &str| self.get(&format!("{generation}.{field}"));
        // What is common to the generations is stated for Hopper and goes with their overheads.
        let pace = of("layer_overhead") / self.get("hopper.layer_overhead");
        let shared = |field| Seconds(self.get(field) * pace);
        let narrow = if generation == "hopper" { "narrow_compute" } else { "compute" };
        let mut accelerator = accelerator.clone();
        accelerator.efficiency = Efficiency {
            compute: Share(of("compute")),
            narrow_compute: Share(of(narrow)),
            memory: Share(of("memory")),
            network: Share(of("network")),
            layer_overhead: Seconds(of("layer_overhead")),
            expert_overhead: shared("expert_overhead"),
            latent_overhead: shared("latent_overhead"),
            sparse_overhead: shared("sparse_overhead"),
            hybrid_overhead: shared("hybrid_overhead"),
            collective_overhead: shared("collective_overhead"),
            sequence_overhead: shared("sequence_overhead"),
            ..accelerator.efficiency
        };
        accelerator
    }

    /// What the first token of a run takes beyond what the engine says: so many of its steps, and
    /// a time for each token of the prompt. Seconds.
    #[must_use]
    pub fn first_token(&self, run: &MeasuredRun, tpot: f64) -> f64 {
        let stack = match run.backend.as_str() {
            _ if run.prefill.is_some() => "apart",
            _ if run.measured.is_none() => "undated",
            "sglang" => "sglang",
            "vllm" => "vllm",
            _ => "trtllm",
        };
        self.get(&format!("first_token_steps.{stack}")) * tpot
            + self.get("prompt_overhead") * f64::from(run.prompt)
    }

    /// Moved by a step in the logarithms, below the roofs.
    #[must_use]
    pub(super) fn moved(&self, step: &[f64; N]) -> Self {
        /// No step is longer than this.
        const LONGEST: f64 = 0.5;
        let mut next = *self;
        for (index, name) in EFFICIENCY_COEFFICIENTS.iter().enumerate() {
            next.0[index] += step[index].clamp(-LONGEST, LONGEST);
            let field = name.rsplit('.').next().unwrap_or(name);
            if SHARES.contains(&field) {
                next.0[index] = next.0[index].min(libm::log(ROOF));
            }
        }
        next
    }
}

/// Doubt about the speed of an accelerator with the efficiencies of a generation on a model that
/// was not measured on it: the factor of its 10th and 90th percentile.
#[must_use]
pub fn fit_error(accelerator: &str) -> Factor {
    /// 90 % of a normal distribution lie below this many standard deviations.
    const P90: f64 = 1.281_551_6;
    let error = FITTED.cell_error.get(generation(accelerator)).copied().unwrap_or(0.0);
    Factor(libm::exp(P90 * error))
}

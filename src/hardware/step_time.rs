//! The cost of a step in integer ticks, exact to add up in any order: what the engine steps with.
//!
//! The physics is in [`super::Roofline`]; what is in a step is decided by the engine.

use super::Roofline;

/// Parts of a token in which context memory is counted (speculative decoding grows a context by
/// a fraction of tokens per step).
pub const KV_UNIT: u64 = 256;

/// Bits of a tick below a picosecond: a tick is 2^-16 ps.
pub const TICK_BITS: u32 = 16;

/// The work of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepWork {
    /// Sequences that decode.
    pub decode: u64,
    /// Context of the decoding sequences together, in [`KV_UNIT`] parts of a token.
    pub kv: u64,
    /// Prompt tokens computed.
    pub prefill: u64,
    /// Context that lies before the computed prompt tokens and is read for them, tokens.
    pub prefill_context: u64,
    /// Sum over the computed prompt tokens of the context each attends to, itself included.
    pub prefill_attention: u64,
}

impl StepWork {
    /// Adds a chunk of `tokens` prompt tokens behind `context` tokens that are there already.
    pub fn add_chunk(&mut self, tokens: u64, context: u64) {
        self.prefill += tokens;
        self.prefill_context += context;
        self.prefill_attention += tokens * context + tokens * (tokens + 1) / 2;
    }
}

/// Largest table of touched weights; longer steps touch every expert.
const TABLE: usize = 1 << 13;

/// Numbers of decoding sequences up to which every wait is computed by itself.
const NEAR: usize = 64;

/// The step time in integer ticks: equal work costs equal ticks, and sums have no rounding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTime {
    overhead: u64,
    decode_compute: u64,
    prefill_compute: u64,
    kv_compute: u64,
    prefill_attention: u64,
    kv_read: u64,
    decode_network: u64,
    prefill_network: u64,
    width: u64,
    growth: u64,
    weights: Vec<u64>,
    /// Wait for the other ranks, by decoding sequences; one zero without them.
    waits: Vec<u64>,
}

/// Consecutive decode steps of an unchanged batch: both sides of the roofline grow evenly.
#[derive(Debug, Clone, Copy)]
pub struct DecodeRun {
    fixed: u64,
    compute: u64,
    memory: u64,
    compute_growth: u64,
    memory_growth: u64,
}

impl DecodeRun {
    /// A single step that takes so many ticks.
    #[must_use]
    pub fn of_step(ticks: u64) -> Self {
        Self { fixed: ticks, compute: 0, memory: 0, compute_growth: 0, memory_growth: 0 }
    }

    /// Ticks of the next step: what [`StepTime::ticks`] says of its work.
    #[inline]
    pub fn next_ticks(&mut self) -> u64 {
        let ticks = self.fixed + self.compute.max(self.memory);
        self.compute += self.compute_growth;
        self.memory += self.memory_growth;
        ticks
    }

    /// The run from its step number `steps` on.
    #[inline]
    #[must_use]
    pub fn after(&self, steps: u64) -> Self {
        Self {
            compute: self.compute + steps * self.compute_growth,
            memory: self.memory + steps * self.memory_growth,
            ..*self
        }
    }

    /// How many of the next `steps` steps stay on the side of the roofline of the first: all of
    /// them unless the sides cross, and they cross once at most.
    #[inline]
    #[must_use]
    pub fn same_side(&self, steps: u64) -> u64 {
        let last = self.after(steps - 1);
        if (self.compute >= self.memory) == (last.compute >= last.memory) {
            return steps;
        }
        let (ahead, closing) = if self.compute >= self.memory {
            (self.compute - self.memory, self.memory_growth - self.compute_growth)
        } else {
            (self.memory - self.compute, self.compute_growth - self.memory_growth)
        };
        (ahead / closing + 1).min(steps)
    }

    /// Ticks of the first step and by how many each step is longer than the one before, on this
    /// side of the roofline.
    #[inline]
    #[must_use]
    pub fn progression(&self) -> (u64, u64) {
        if self.compute >= self.memory {
            (self.fixed + self.compute, self.compute_growth)
        } else {
            (self.fixed + self.memory, self.memory_growth)
        }
    }

    /// Ticks of the next `steps` steps together.
    #[inline]
    #[must_use]
    pub fn sum(&self, steps: u64) -> u128 {
        if steps == 0 {
            return 0;
        }
        let straight = self.same_side(steps);
        let sum = straight_sum(self.progression(), straight);
        if straight == steps { sum } else { sum + self.bent_sum(straight, steps) }
    }

    #[cold]
    fn bent_sum(&self, straight: u64, steps: u64) -> u128 {
        straight_sum(self.after(straight).progression(), steps - straight)
    }

    /// The smallest number of steps, at least 1, that take `target` ticks or more; `most` where
    /// no fewer do.
    #[inline]
    #[must_use]
    pub fn steps_to(&self, target: u128, most: u64) -> u64 {
        let straight = self.same_side(most);
        let sum = straight_sum(self.progression(), straight);
        if straight == most || sum >= target {
            return straight_steps_to(self.progression(), target).min(most);
        }
        let rest = straight_steps_to(self.after(straight).progression(), target - sum);
        (straight + rest).min(most)
    }
}

/// Sum of an arithmetic progression.
#[inline]
fn straight_sum((first, growth): (u64, u64), steps: u64) -> u128 {
    let pairs = steps * (steps - 1) / 2;
    u128::from(first) * u128::from(steps) + u128::from(growth) * u128::from(pairs)
}

/// The smallest number of terms of a progression, at least 1, that add up to `target`: the root of
/// a quadratic in floating point, then made exact in integers, so that its rounding is harmless.
#[inline]
fn straight_steps_to(progression: (u64, u64), target: u128) -> u64 {
    if progression == (0, 0) {
        return u64::MAX;
    }
    let (first, growth) = (progression.0.max(1) as f64, progression.1 as f64);
    let slope = first - growth / 2.0;
    let root =
        2.0 * target as f64 / (slope + (slope * slope + 2.0 * growth * target as f64).sqrt());
    let mut steps = (root as u64).max(1);
    while straight_sum(progression, steps) < target {
        steps += 1;
    }
    while steps > 1 && straight_sum(progression, steps - 1) >= target {
        steps -= 1;
    }
    steps
}

fn ticks_of(seconds: f64) -> u64 {
    (seconds * 1e12 * f64::from(1u32 << TICK_BITS)).round() as u64
}

/// Waits of 0 to `most` decoding sequences. Each is a sum over sizes of prompts and costs as much
/// as thousands of steps, so they are computed at every number up to [`NEAR`], at numbers one part
/// in that many apart beyond, and on straight lines between.
fn waits(roofline: &Roofline, most: usize) -> Vec<u64> {
    let at = |decode: usize| ticks_of(roofline.wait(decode as f64));
    let mut waits: Vec<u64> = (0..=most.min(NEAR)).map(at).collect();
    while waits.len() <= most {
        let (from, first) = (waits.len() - 1, waits[waits.len() - 1]);
        let steps = (from / NEAR).min(most - from);
        let last = at(from + steps);
        let between = |step: usize| {
            let (rise, fall) = (last.saturating_sub(first), first.saturating_sub(last));
            let part = |ticks: u64| (u128::from(ticks) * step as u128 / steps as u128) as u64;
            first + part(rise) - part(fall)
        };
        waits.extend((1..=steps).map(between));
    }
    waits
}

impl StepTime {
    /// Rounds the coefficients of a roofline to ticks.
    #[must_use]
    pub fn new(roofline: &Roofline) -> Self {
        let full = ticks_of(roofline.dense_read + roofline.expert_read);
        let mut weights = Vec::new();
        while weights.len() < TABLE {
            let here = ticks_of(roofline.weights_read(weights.len() as f64));
            weights.push(here);
            // Within a millionth of everything: the rest of the table is flat.
            if full - here.min(full) <= full / 1_000_000 {
                break;
            }
        }
        let unit = KV_UNIT as f64;
        let most = roofline.peers.map_or(0, |peers| (peers.sequences as usize).min(TABLE));
        Self {
            overhead: ticks_of(roofline.overhead),
            decode_compute: ticks_of(roofline.decode_compute),
            prefill_compute: ticks_of(roofline.prefill_compute),
            kv_compute: ticks_of(roofline.kv_compute / unit),
            prefill_attention: ticks_of(roofline.prefill_attention),
            kv_read: ticks_of(roofline.kv_read / unit),
            decode_network: ticks_of(roofline.decode_network),
            prefill_network: ticks_of(roofline.prefill_network),
            width: (roofline.width * unit).round() as u64,
            growth: (roofline.tokens_per_step * unit).round() as u64,
            weights,
            waits: waits(roofline, most),
        }
    }

    /// Ticks (2^-16 ps) of a step. Affine in `kv` with at most one kink while the rest is fixed.
    #[inline]
    #[must_use]
    pub fn ticks(&self, work: &StepWork) -> u64 {
        let compute = work.decode * self.decode_compute
            + work.prefill * self.prefill_compute
            + work.kv * self.kv_compute
            + work.prefill_attention * self.prefill_attention;
        let touched = (work.decode * self.width / KV_UNIT + work.prefill) as usize;
        let memory = self.weights[touched.min(self.weights.len() - 1)]
            + (work.kv + work.prefill_context * KV_UNIT) * self.kv_read;
        let network = work.decode * self.decode_network + work.prefill * self.prefill_network;
        self.overhead + compute.max(memory) + network + self.wait(work.decode)
    }

    #[inline]
    fn wait(&self, decode: u64) -> u64 {
        self.waits[(decode as usize).min(self.waits.len() - 1)]
    }

    /// The steps that follow each other while the same `decode` sequences decode and nothing
    /// else happens, from a context of `kv` parts of a token on.
    #[inline]
    #[must_use]
    pub fn decode_run(&self, decode: u64, kv: u64) -> DecodeRun {
        let touched = (decode * self.width / KV_UNIT) as usize;
        let weights = self.weights[touched.min(self.weights.len() - 1)];
        let growth = decode * self.growth;
        DecodeRun {
            fixed: self.overhead + decode * self.decode_network + self.wait(decode),
            compute: decode * self.decode_compute + kv * self.kv_compute,
            memory: weights + kv * self.kv_read,
            compute_growth: growth * self.kv_compute,
            memory_growth: growth * self.kv_read,
        }
    }

    /// Parts of a token ([`KV_UNIT`]) by which the context of a sequence grows in a decode step.
    #[inline]
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.growth
    }

    /// Decode steps that make `tokens` tokens.
    #[inline]
    #[must_use]
    pub fn steps_for(&self, tokens: u64) -> u64 {
        if self.growth == KV_UNIT {
            return tokens;
        }
        (tokens * KV_UNIT).div_ceil(self.growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Precision, accelerators, models};

    fn roofline(accelerator: &str, model: &str, gpus: u32) -> Roofline {
        let llm = &models()[model];
        Roofline::new(&accelerators()[accelerator], llm, gpus, Precision::Fp4, 1.0)
    }

    #[test]
    fn integers_stay_close_to_the_roofline() {
        for (name, model, gpus) in [
            ("next_generation", "muse_small", 8),
            ("vera_rubin", "muse_next", 64),
            ("h100", "llama_8b", 1),
        ] {
            let roofline = roofline(name, model, gpus);
            let step_time = StepTime::new(&roofline);
            for (decode, context, prefill) in
                [(1u64, 700u64, 0u64), (300, 5_000, 0), (64, 90, 4_096)]
            {
                let mut work =
                    StepWork { decode, kv: decode * context * KV_UNIT, ..StepWork::default() };
                work.add_chunk(prefill, 1_000);
                let exact = roofline.seconds(
                    decode as f64,
                    (decode * context) as f64,
                    prefill as f64,
                    1_000.0,
                    work.prefill_attention as f64,
                );
                let ticks = step_time.ticks(&work) as f64 / f64::from(1u32 << TICK_BITS) * 1e-12;
                // Verified tokens are counted in whole ones when experts are looked up.
                assert!((ticks / exact - 1.0).abs() < 2e-3, "{name} {ticks} {exact}");
            }
        }
    }

    #[test]
    fn a_run_of_steps_costs_what_its_steps_cost() {
        let step_time = StepTime::new(&roofline("b200", "llama_70b", 1));
        // From below the kink of the roofline to far above it.
        let (decode, mut kv) = (900, 900 * 100 * KV_UNIT);
        let mut run = step_time.decode_run(decode, kv);
        let whole = run;
        let (mut sum, mut bent) = (0, false);
        for steps in 1..=20_000 {
            let work = StepWork { decode, kv, ..StepWork::default() };
            let ticks = run.next_ticks();
            assert_eq!(ticks, step_time.ticks(&work));
            assert_eq!(whole.steps_to(sum + 1, 100_000), steps);
            sum += u128::from(ticks);
            assert_eq!(whole.sum(steps), sum);
            assert_eq!(whole.steps_to(sum, 20_000), steps);
            assert_eq!(whole.steps_to(sum, steps.div_ceil(2)), steps.div_ceil(2));
            bent |= whole.same_side(steps) < steps;
            kv += decode * step_time.growth();
        }
        assert!(bent, "the run must cross the kink");
    }
}

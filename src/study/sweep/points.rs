//! The points of a sweep: which steps, which scenario, which hash.

use rayon::prelude::*;

use super::file::{Combine, Sweep, point_count};
use crate::scenario::ScenarioError;
use crate::study::Watch;

/// One point of a sweep, resolved and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepPoint {
    /// The step on each axis.
    pub steps: Vec<usize>,
    /// Content hash of its scenario: points with one hash have one answer.
    pub hash: String,
}

/// Content hash of a whole sweep: 64 hexadecimal digits.
#[must_use]
pub fn sweep_hash(points: &[SweepPoint]) -> String {
    let mut hasher = blake3::Hasher::new();
    for point in points {
        hasher.update(point.hash.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Why there are no points.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The watch stopped it.
    #[error("stopped")]
    Stopped,
    /// The scenario of a point is wrong.
    #[error("{point}:\n{fault}")]
    Point {
        /// Number and values of the point.
        point: String,
        /// What is wrong with its scenario.
        fault: ScenarioError,
    },
}

impl Sweep {
    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        point_count(self.combine, &self.axes)
    }

    /// The step of a point, numbered from 0, on each axis.
    #[must_use]
    pub fn steps(&self, point: usize) -> Vec<usize> {
        if self.combine == Combine::Zip {
            return vec![point; self.axes.len()];
        }
        let mut rest = point;
        let mut steps: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let step = rest % axis.steps.len();
                rest /= axis.steps.len();
                step
            })
            .collect();
        steps.reverse();
        steps
    }

    /// Labels of steps, one for each axis.
    #[must_use]
    pub fn labels(&self, steps: &[usize]) -> Vec<&str> {
        let pairs = self.axes.iter().zip(steps);
        pairs.map(|(axis, step)| axis.steps[*step].label.as_str()).collect()
    }

    /// The steps in words: `agent_calls = 10, slip = 3 months`.
    #[must_use]
    pub fn in_words(&self, steps: &[usize]) -> String {
        let labels = self.labels(steps).into_iter().zip(&self.axes);
        let words: Vec<String> =
            labels.map(|(label, axis)| format!("{} = {label}", axis.name)).collect();
        words.join(", ")
    }

    /// Resolves and checks every point, on all cores; the points in their order.
    ///
    /// # Errors
    /// The first point whose scenario is wrong, or that it was stopped.
    pub fn points(&self, watch: Watch<'_>) -> Result<Vec<SweepPoint>, SweepError> {
        (watch.begun)(self.count() as u64);
        let resolved: Vec<Result<SweepPoint, SweepError>> = (0..self.count())
            .into_par_iter()
            .map(|index| {
                if watch.stopped() {
                    return Err(SweepError::Stopped);
                }
                let steps = self.steps(index);
                let scenario = self.scenario(&steps).map_err(|fault| {
                    let words = self.in_words(&steps);
                    let point = format!("point {} of {} ({words})", index + 1, self.count());
                    SweepError::Point { point, fault }
                })?;
                (watch.done)();
                Ok(SweepPoint { steps, hash: scenario.hash() })
            })
            .collect();
        // Collected before the first fault is chosen: which thread is fastest must not matter.
        resolved.into_iter().collect()
    }
}

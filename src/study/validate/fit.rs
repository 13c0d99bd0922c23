//! The fit: robust least squares on the logarithms of measured latencies, predicted by the engine
//! itself, and the errors on cells that it has not seen.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::coefficients::{Coefficients, N, STEP_COEFFICIENTS};
use super::predict::{Latencies, predict};
use super::rows::Row;
use crate::hardware::{Accelerator, accelerators};

/// Weight of the time to first token beside that per output token: it scatters three times as much
/// between versions of one engine.
const TTFT_WEIGHT: f64 = 0.3;
/// Log error of the time per output token from which on it counts linearly, not squared.
const ROBUST: f64 = 0.12;
/// The same of the time to first token.
const ROBUST_TTFT: f64 = 0.3;
/// Weight of a run is the size of its cell to this power: large cells do not outvote small ones.
const CELL_WEIGHT: f64 = -0.25;
/// Step of a logarithm in a numeric derivative: above the grain of a simulation of few calls.
const STEP: f64 = 0.03;
/// Largest number of steps of a fit.
const ROUNDS: u32 = 8;
/// A step that gains less of the loss than this is the last one.
const CONVERGED: f64 = 3e-4;

/// Log errors, predicted over measured, of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogErrors {
    /// Of the mean time per output token.
    pub tpot: f64,
    /// Of the mean time to first token.
    pub ttft: f64,
    /// Of output tokens per second and GPU.
    pub throughput: f64,
}

/// A fit to some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct EfficiencyFit {
    /// The coefficients.
    pub coefficients: Coefficients,
    /// Their standard errors, relative: jackknife over cells.
    pub relative_errors: [f64; N],
    /// Errors by the fit to all rows, in the order of the rows; none where the weights do not fit.
    pub seen: Vec<Option<LogErrors>>,
    /// Errors of each row by a fit without its cell.
    pub unseen: Vec<Option<LogErrors>>,
}

/// Rows and their weights.
struct Sample<'a> {
    rows: &'a [Row<'a>],
    weights: Vec<f64>,
    stop: &'a AtomicBool,
}

/// Columns of derivatives, one for each coefficient.
type Jacobian = Vec<Vec<f64>>;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Log errors of a row if the engine says this of it.
#[must_use]
pub fn log_errors(row: &Row<'_>, at: &Coefficients, said: &Latencies) -> LogErrors {
    let run = row.run;
    let ttft = said.ttft + at.first_token(run, said.tpot);
    let output = f64::from(run.output);
    let rate = f64::from(run.concurrency) * output / (ttft + said.tpot * (output - 1.0));
    LogErrors {
        tpot: libm::log(said.tpot / run.tpot.0),
        ttft: libm::log(ttft / run.ttft.0),
        throughput: libm::log(rate / f64::from(run.gpus) / run.throughput),
    }
}

/// What the engine says of the rows for which `wanted` holds; none for the others and where the
/// weights do not fit.
#[must_use]
pub fn engine_says(
    rows: &[Row<'_>],
    at: &Coefficients,
    wanted: impl Fn(&Row<'_>) -> bool + Sync,
) -> Vec<Option<Latencies>> {
    let gain = at.get("speculative_gain");
    let known: Vec<(&str, Accelerator)> = accelerators()
        .iter()
        .map(|(name, accelerator)| (name.as_str(), at.apply(name, accelerator)))
        .collect();
    let of = |row: &Row<'_>| {
        let (_, accelerator) = known.iter().find(|(name, _)| *name == row.accelerator.0)?;
        predict(row.run, accelerator, row.llm, if row.speculative { gain } else { 1.0 })
    };
    rows.par_iter().map(|row| if wanted(row) { of(row) } else { None }).collect()
}

/// Log errors of all rows.
#[must_use]
pub fn errors_of(rows: &[Row<'_>], at: &Coefficients) -> Vec<Option<LogErrors>> {
    errors(rows, at, &engine_says(rows, at, |_| true))
}

fn errors(
    rows: &[Row<'_>],
    at: &Coefficients,
    said: &[Option<Latencies>],
) -> Vec<Option<LogErrors>> {
    let of = |(row, said): (&Row<'_>, &Option<Latencies>)| {
        said.as_ref().map(|said| log_errors(row, at, said))
    };
    rows.iter().zip(said).map(of).collect()
}

/// The signed square root of the loss of an error: quadratic near zero, linear far from it.
fn robust(error: f64, scale: f64) -> f64 {
    let scaled = error / scale;
    (scale * (2.0 * ((1.0 + scaled * scaled).sqrt() - 1.0)).sqrt()).copysign(error)
}

impl Sample<'_> {
    fn residuals(&self, errors: &[Option<LogErrors>]) -> Vec<f64> {
        let of = |(error, weight): (&Option<LogErrors>, &f64)| {
            error.map_or([0.0; 2], |error| {
                let ttft = TTFT_WEIGHT * robust(error.ttft, ROBUST_TTFT);
                [weight * robust(error.tpot, ROBUST), weight * ttft]
            })
        };
        errors.iter().zip(&self.weights).flat_map(of).collect()
    }

    fn at(&self, at: &Coefficients) -> (Vec<Option<Latencies>>, Vec<f64>) {
        let said = engine_says(self.rows, at, |_| !self.stop.load(Ordering::Relaxed));
        let residuals = self.residuals(&errors(self.rows, at, &said));
        (said, residuals)
    }

    fn jacobian(&self, at: &Coefficients, said: &[Option<Latencies>], here: &[f64]) -> Jacobian {
        let column = |index: usize| {
            let mut moved = *at;
            moved.0[index] += STEP;
            let there = if index < STEP_COEFFICIENTS {
                self.at(&moved).1
            } else {
                self.residuals(&errors(self.rows, &moved, said))
            };
            there.iter().zip(here).map(|(there, here)| (there - here) / STEP).collect()
        };
        (0..N).map(column).collect()
    }

    /// Levenberg's and Marquardt's method.
    fn minimise(&self, start: Coefficients, told: &dyn Fn(u32, f64)) -> (Coefficients, Jacobian) {
        let mut at = start;
        let (mut said, mut residuals) = self.at(&at);
        let mut columns = self.jacobian(&at, &said, &residuals);
        let mut damping = 1e-2;
        for round in 0..ROUNDS {
            let loss = dot(&residuals, &residuals);
            told(round, loss);
            let mut gained = 0.0;
            for _ in 0..5 {
                let next = at.moved(&step(&columns, &residuals, damping));
                let (heard, there) = self.at(&next);
                let new = dot(&there, &there);
                if new < loss {
                    gained = 1.0 - new / loss;
                    (at, said, residuals) = (next, heard, there);
                    damping = (damping / 5.0_f64).max(1e-6);
                    break;
                }
                damping *= 5.0;
            }
            columns = self.jacobian(&at, &said, &residuals);
            if gained < CONVERGED || self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        (at, columns)
    }
}

/// Fits the coefficients to the rows, from `start`; `told` hears of each round and its loss. `None`
/// when `stop` was set meanwhile.
///
/// The errors on unseen cells are those of one Gauss-Newton step away from the fit to all rows,
/// its robust weights held: what a refit without the cell does to first order.
#[must_use]
pub fn fit(
    rows: &[Row<'_>],
    start: Coefficients,
    stop: &AtomicBool,
    told: &dyn Fn(u32, f64),
) -> Option<EfficiencyFit> {
    let size = |cell: &str| rows.iter().filter(|row| row.cell == cell).count() as f64;
    let weight =
        |row: &Row<'_>| if row.beyond_roof() { 0.0 } else { size(&row.cell).powf(CELL_WEIGHT) };
    let sample = Sample { rows, weights: rows.iter().map(weight).collect(), stop };
    let (at, columns) = sample.minimise(start, told);
    let (said, residuals) = sample.at(&at);
    let mut cells: Vec<&str> = rows.iter().map(|row| row.cell.as_str()).collect();
    cells.sort_unstable();
    cells.dedup();
    let mut unseen = vec![None; rows.len()];
    let mut moves = Vec::new();
    for cell in &cells {
        let masked = |values: &[f64]| -> Vec<f64> {
            let keep = |index: usize| f64::from(u8::from(rows[index / 2].cell != *cell));
            values.iter().enumerate().map(|(index, value)| value * keep(index)).collect()
        };
        let kept: Jacobian = columns.iter().map(|column| masked(column)).collect();
        let without = at.moved(&step(&kept, &masked(&residuals), 1e-6));
        moves.push(without);
        let heard = engine_says(rows, &without, |row| row.cell == *cell);
        for (error, own) in unseen.iter_mut().zip(errors(rows, &without, &heard)) {
            *error = error.or(own);
        }
    }
    let count = cells.len() as f64;
    let jackknife = |index: usize| {
        let mean = moves.iter().map(|moved| moved.0[index]).sum::<f64>() / count;
        let squares: f64 = moves.iter().map(|moved| (moved.0[index] - mean).powi(2)).sum();
        ((count - 1.0) / count * squares).sqrt()
    };
    let stopped = stop.load(Ordering::Relaxed);
    (!stopped).then(|| EfficiencyFit {
        coefficients: at,
        relative_errors: std::array::from_fn(jackknife),
        seen: errors(rows, &at, &said),
        unseen,
    })
}

/// The damped least-squares step.
fn step(columns: &[Vec<f64>], residuals: &[f64], damping: f64) -> [f64; N] {
    let mut matrix = [[0.0; N]; N];
    let mut right = [0.0; N];
    for i in 0..N {
        for j in 0..N {
            matrix[i][j] = dot(&columns[i], &columns[j]);
        }
        matrix[i][i] += damping * (matrix[i][i] + 1e-3) + 1e-9;
        right[i] = -dot(&columns[i], residuals);
    }
    solve(matrix, right)
}

/// Gaussian elimination with pivots; the matrix is positive definite.
fn solve(mut matrix: [[f64; N]; N], mut right: [f64; N]) -> [f64; N] {
    for column in 0..N {
        let larger =
            |a: &usize, b: &usize| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs());
        let pivot = (column..N).max_by(larger).unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let head = matrix[column];
        for row in column + 1..N {
            let factor = matrix[row][column] / head[column];
            for (value, above) in matrix[row].iter_mut().zip(head).skip(column) {
                *value -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    let mut left = [0.0; N];
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|index| matrix[row][index] * left[index]).sum();
        left[row] = (right[row] - known) / matrix[row][row];
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_problem_is_solved_in_one_step() {
        // Column i is the unit vector i, doubled; residual i is i + 1.
        let columns: Vec<Vec<f64>> =
            (0..N).map(|i| (0..N).map(|j| if i == j { 2.0 } else { 0.0 }).collect()).collect();
        let residuals: Vec<f64> = (0..N).map(|i| i as f64 + 1.0).collect();
        for (index, value) in step(&columns, &residuals, 0.0).into_iter().enumerate() {
            assert!((value + (index as f64 + 1.0) / 2.0).abs() < 1e-6, "{index}: {value}");
        }
    }

    #[test]
    fn large_errors_count_linearly() {
        assert!((robust(0.01, 0.12) - 0.01).abs() < 1e-4);
        // The loss of 1.2 is 2 x 0.12^2 x (sqrt(101) - 1).
        let exact = (2.0 * 0.0144 * (101.0_f64.sqrt() - 1.0)).sqrt();
        assert!((robust(-1.2, 0.12) + exact).abs() < 1e-12);
    }
}

//! The lengths of calls: quantile tables and their moments.

use serde::Serialize;

use crate::demand::{LengthTable, Shape, TokenLengths, Workload, length_tables};

/// Knots of the quantile table of a lognormal law.
const KNOTS: usize = 256;

/// A quantile table of a shape, scaled to a mean; `None` for a table that does not exist.
#[must_use]
pub fn scaled_table(shape: &Shape, mean: f64) -> Option<LengthTable> {
    let quantiles = match shape {
        Shape::Fixed => vec![(0.0, 1.0), (1.0, 1.0)],
        Shape::Lognormal(sigma) => lognormal_knots(*sigma),
        Shape::Empirical(name) => length_tables().get(name)?.quantiles.clone(),
    };
    let own = moments(&quantiles).0;
    let factor = if own > 0.0 { mean / own } else { 0.0 };
    let quantiles = quantiles.iter().map(|knot| (knot.0, knot.1 * factor)).collect();
    Some(LengthTable { source: String::new(), as_of: String::new(), mean, quantiles })
}

/// Quantiles of a lognormal law with median 1, denser towards the upper tail, which is cut at
/// 2e-7 of the probability.
fn lognormal_knots(sigma: f64) -> Vec<(f64, f64)> {
    let z_at = |index: usize| -4.0 + 9.1 * index as f64 / KNOTS as f64;
    let mut knots: Vec<(f64, f64)> = (0..=KNOTS)
        .map(|index| {
            let z = z_at(index);
            let p = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
            (p, libm::exp(sigma * z))
        })
        .collect();
    knots[0].0 = 0.0;
    knots[KNOTS].0 = 1.0;
    knots
}

/// First and second moment of a piecewise linear quantile function.
fn moments(quantiles: &[(f64, f64)]) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for pair in quantiles.windows(2) {
        let ((p0, t0), (p1, t1)) = (pair[0], pair[1]);
        sums.0 += (p1 - p0) * (t0 + t1) / 2.0;
        sums.1 += (p1 - p0) * (t0 * t0 + t0 * t1 + t1 * t1) / 3.0;
    }
    sums
}

/// Images in calls: a call has none, or their mean number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ImageTokens {
    /// Share of the calls that have images.
    pub share: f64,
    /// Prompt tokens of all images of such a call, none of them cached.
    pub tokens: f64,
}

/// Lengths of the calls of a workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallShape {
    /// Prompt tokens, cached ones included, images not.
    pub prompt: LengthTable,
    /// Share of these tokens found in the prefix cache.
    pub cached: f64,
    /// Images beside them.
    pub images: Option<ImageTokens>,
    /// Visible output tokens.
    pub output: LengthTable,
    /// Thinking tokens, none for calls that do not think.
    pub thinking: Option<LengthTable>,
}

impl CallShape {
    /// Calls of one fixed length.
    #[must_use]
    pub fn fixed(prompt: u32, cached: f64, output: u32) -> Self {
        let table = |mean: u32| {
            let mean = f64::from(mean);
            let quantiles = vec![(0.0, mean), (1.0, mean)];
            LengthTable { source: String::new(), as_of: String::new(), mean, quantiles }
        };
        Self { prompt: table(prompt), cached, images: None, output: table(output), thinking: None }
    }

    /// The calls of a workload at a decimal year, every uncertain part at its median; `None` where
    /// it names a table that does not exist.
    #[must_use]
    pub fn central(workload: &Workload, year: f64) -> Option<Self> {
        let table =
            |lengths: &TokenLengths| scaled_table(&lengths.shape, lengths.mean.central(year).0);
        let thinking = match &workload.thinking {
            Some(lengths) => Some(table(lengths)?),
            None => None,
        };
        let images = workload.images.as_ref().map(|images| ImageTokens {
            share: images.share.central(year).0,
            tokens: images.per_call.central().0 * images.tokens.central().0,
        });
        Some(Self {
            prompt: table(&workload.prompt)?,
            cached: workload.cached.central().0,
            images,
            output: table(&workload.output)?,
            thinking,
        })
    }

    /// Means and spreads.
    #[must_use]
    pub fn means(&self) -> CallMeans {
        let (text, text_square) = moments(&self.prompt.quantiles);
        let images = self.images.unwrap_or(ImageTokens { share: 0.0, tokens: 0.0 });
        // Images come whatever the length of the text.
        let prompt = text + images.share * images.tokens;
        let prompt_square =
            text_square + images.share * images.tokens * (2.0 * text + images.tokens);
        let (visible, visible_square) = moments(&self.output.quantiles);
        let thinking = self.thinking.as_ref().map(|table| moments(&table.quantiles));
        let (thought, thought_square) = thinking.unwrap_or((0.0, 0.0));
        let output = visible + thought;
        let square = visible_square + thought_square + 2.0 * visible * thought;
        let spread = |square: f64, mean: f64| if mean > 0.0 { square / (mean * mean) } else { 1.0 };
        CallMeans {
            prompt,
            cached: text * self.cached,
            output,
            prompt_spread: spread(prompt_square, prompt),
            cached_spread: spread(text_square, text),
            output_spread: spread(square, output),
        }
    }
}

/// What the closed forms need of the lengths of calls: means, and spreads that stay when the means
/// are scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallMeans {
    /// Mean prompt tokens, cached ones included.
    pub prompt: f64,
    /// Mean cached prompt tokens.
    pub cached: f64,
    /// Mean output tokens, thinking included.
    pub output: f64,
    /// Mean square over squared mean of the prompt tokens; 1 when all are equal.
    pub prompt_spread: f64,
    /// Mean square over squared mean of the cached prompt tokens.
    pub cached_spread: f64,
    /// Mean square over squared mean of the output tokens.
    pub output_spread: f64,
}

impl CallMeans {
    /// Context tokens of a sequence, mean over its decode steps: its prompt and half of what it
    /// will write, long outputs counted by their length.
    #[must_use]
    pub fn context(&self) -> f64 {
        self.prompt + self.output * self.output_spread / 2.0
    }

    /// Mean number of pairs of computed prompt token and the context that it attends to.
    #[must_use]
    pub fn prefill_pairs(&self) -> f64 {
        let square = |mean: f64, spread: f64| mean * mean * spread;
        let known = square(self.cached, self.cached_spread);
        // A spread that is held while means are drawn may make the cached part the larger one.
        (square(self.prompt, self.prompt_spread) - known).max(0.0) / 2.0
    }
}

/// Poisson calls for one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Calls per second to the whole cluster.
    pub calls_per_second: f64,
    /// Their lengths.
    pub calls: CallShape,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Draws;
    use crate::rng::StreamKey;

    #[test]
    fn lognormal_table_has_its_moments() {
        for sigma in [0.3, 0.8, 1.0] {
            let table = scaled_table(&Shape::Lognormal(sigma), 1000.0).unwrap();
            let (mean, square) = moments(&table.quantiles);
            assert!((mean - 1000.0).abs() < 1e-9 * mean);
            let exact = 1e6 * libm::exp(sigma * sigma);
            assert!((square / exact - 1.0).abs() < 0.01, "{sigma}: {square} {exact}");
            let median = 1000.0 * libm::exp(-sigma * sigma / 2.0);
            assert!((table.at(0.5) / median - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn shipped_tables_keep_their_mean_and_spread() {
        for (name, table) in length_tables() {
            let scaled = scaled_table(&Shape::Empirical(name.clone()), 500.0).unwrap();
            let (mean, square) = moments(&scaled.quantiles);
            assert!((mean - 500.0).abs() < 1e-6);
            let (own, own_square) = moments(&table.quantiles);
            assert!((square / (mean * mean) / (own_square / (own * own)) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn calls_with_images_have_the_moments_worked_by_hand() {
        // Text of 1000 tokens, half of it cached; a fifth of the calls has 500 image tokens.
        let images = Some(ImageTokens { share: 0.2, tokens: 500.0 });
        let calls = CallShape { images, ..CallShape::fixed(1_000, 0.5, 7) };
        let means = calls.means();
        assert_eq!((means.prompt, means.cached), (1_100.0, 500.0));
        // 0.8 of the calls have 1000 tokens and 0.2 have 1500: mean square 1.25e6.
        assert!((means.prompt_spread * 1_100.0 * 1_100.0 / 1.25e6 - 1.0).abs() < 1e-12);
        // (1000^2 - 500^2)/2 and (1500^2 - 500^2)/2 pairs.
        assert!((means.prefill_pairs() / (0.8 * 375e3 + 0.2 * 1e6) - 1.0).abs() < 1e-12);
        let count = 100_000;
        let draws = Draws::new(&calls, count, (0, count), StreamKey::world(1, 0));
        let with = draws.at_rate(1.0).filter(|request| request.prompt == 1_500).count() as f64;
        let error = (0.2 * 0.8 / f64::from(count)).sqrt();
        assert!((with / f64::from(count) - 0.2).abs() < 4.0 * error, "{with}");
        assert!(draws.at_rate(1.0).all(|r| r.cached == 500 && matches!(r.prompt, 1_000 | 1_500)));
    }
}

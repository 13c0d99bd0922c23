//! The answer's quarters as piecewise linear curves, and the areas between them.

use crate::plan::{Answer, SupplyKind};

/// The chart's curves over the quarters, time in years at the middle of each quarter.
pub(super) struct Curves {
    /// Middle of each quarter, in calendar years.
    pub times: Vec<f64>,
    /// The layers that are ever more than nothing, from the bottom.
    pub layers: Vec<Layer>,
    /// Sum of the layers.
    pub supply: Vec<f64>,
    /// Demand, P10, P50 and P90 over worlds.
    pub demand: [Vec<f64>; 3],
}

/// One source of supply.
pub(super) struct Layer {
    /// Its name.
    pub label: String,
    /// Whose it is.
    pub kind: SupplyKind,
    /// How many layers of the same kind lie below it.
    pub rank: usize,
    /// Top of the layer in the stack.
    pub top: Vec<f64>,
    /// Its own size in the last quarter.
    pub last: f64,
}

impl Curves {
    /// Reads the curves of an answer; a source that never has capacity leaves no layer.
    pub fn of(answer: &Answer) -> Self {
        let quarters = &answer.quarters;
        let middle = |quarter: u8| (f64::from(quarter) - 0.5) / 4.0;
        let times = quarters.iter().map(|q| f64::from(q.year) + middle(q.quarter)).collect();
        let mut supply = vec![0.0; quarters.len()];
        let mut layers: Vec<Layer> = Vec::new();
        for (index, source) in answer.sources.iter().enumerate() {
            let own: Vec<f64> =
                quarters.iter().map(|q| q.supply.get(index).copied().unwrap_or(0.0)).collect();
            if own.iter().all(|value| *value <= 0.0) {
                continue;
            }
            for (sum, value) in supply.iter_mut().zip(&own) {
                *sum += value;
            }
            layers.push(Layer {
                label: source.label.clone(),
                kind: source.kind,
                rank: layers.iter().filter(|layer| layer.kind == source.kind).count(),
                top: supply.clone(),
                last: own.last().copied().unwrap_or(0.0),
            });
        }
        let demand = [
            quarters.iter().map(|q| q.demand.p10.value).collect(),
            quarters.iter().map(|q| q.demand.p50.value).collect(),
            quarters.iter().map(|q| q.demand.p90.value).collect(),
        ];
        Self { times, layers, supply, demand }
    }

    /// The highest value of any curve.
    pub fn highest(&self) -> f64 {
        self.supply.iter().chain(self.demand.iter().flatten()).copied().fold(0.0, f64::max)
    }

    /// Bottom of a layer in the stack.
    pub fn base(&self, index: usize) -> Vec<f64> {
        match index.checked_sub(1) {
            Some(below) => self.layers[below].top.clone(),
            None => vec![0.0; self.times.len()],
        }
    }

    /// Median demand above supply, by quarter; negative is a surplus.
    pub fn gap(&self) -> Vec<f64> {
        self.demand[1].iter().zip(&self.supply).map(|(demand, supply)| demand - supply).collect()
    }

    /// The areas where median demand is above supply.
    pub fn gap_areas(&self) -> Vec<Area> {
        areas(&self.times, |at| (at(&self.supply), at(&self.demand[1])), &self.crossed())
    }

    /// The areas between P10 and P90 of demand, as far as they are above supply.
    pub fn band_areas(&self) -> Vec<Area> {
        let edges = |at: &At| {
            let supply = at(&self.supply);
            (at(&self.demand[0]).max(supply), at(&self.demand[2]).max(supply))
        };
        areas(&self.times, edges, &self.crossed())
    }

    /// Times at which a demand curve crosses supply, and the quarters themselves, in order:
    /// between two of them every edge of an area is straight.
    fn crossed(&self) -> Vec<f64> {
        let mut out = self.times.clone();
        for curve in &self.demand {
            for index in 1..self.times.len() {
                let before = curve[index - 1] - self.supply[index - 1];
                let after = curve[index] - self.supply[index];
                if before * after < 0.0 {
                    let part = before / (before - after);
                    let step = self.times[index] - self.times[index - 1];
                    out.push(self.times[index - 1] + part * step);
                }
            }
        }
        out.sort_by(f64::total_cmp);
        out
    }
}

/// Reads a curve at one time.
type At<'a> = dyn Fn(&[f64]) -> f64 + 'a;

/// An area between two edges.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Area {
    /// Times of the corners, ascending.
    pub times: Vec<f64>,
    /// Lower edge at these times.
    pub low: Vec<f64>,
    /// Upper edge at these times.
    pub high: Vec<f64>,
}

/// The runs in which the upper edge is above the lower one. They are kept apart because a
/// polygon of no height between two of them would show as a hairline.
fn areas(quarters: &[f64], edges: impl Fn(&At) -> (f64, f64), times: &[f64]) -> Vec<Area> {
    let points: Vec<(f64, f64, f64)> = times
        .iter()
        .map(|&time| {
            let (low, high) = edges(&|curve| interpolated(quarters, curve, time));
            // A crossing is where both are equal, rounding aside.
            let open = high - low > 1e-9 * high.abs();
            (time, low, if open { high } else { low })
        })
        .collect();
    let mut out: Vec<Area> = Vec::new();
    let mut open = false;
    for pair in points.windows(2) {
        if !pair.iter().any(|(_, low, high)| high > low) {
            open = false;
            continue;
        }
        if !open {
            let (time, low, high) = pair[0];
            out.push(Area { times: vec![time], low: vec![low], high: vec![high] });
        }
        if let Some(area) = out.last_mut() {
            area.times.push(pair[1].0);
            area.low.push(pair[1].1);
            area.high.push(pair[1].2);
        }
        // A touch of the two edges ends the run.
        open = pair[1].2 > pair[1].1;
    }
    out
}

/// The curve between quarters.
pub(super) fn interpolated(quarters: &[f64], curve: &[f64], time: f64) -> f64 {
    let after = quarters.partition_point(|quarter| *quarter < time);
    match (after.checked_sub(1), quarters.get(after)) {
        (Some(before), Some(next)) => {
            let part = (time - quarters[before]) / (next - quarters[before]);
            curve[before] + part * (curve[after] - curve[before])
        }
        (None, Some(_)) => curve[0],
        _ => curve.last().copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(supply: &[f64], demand: [&[f64]; 3]) -> Curves {
        Curves {
            times: (0..supply.len()).map(|index| index as f64).collect(),
            layers: Vec::new(),
            supply: supply.to_vec(),
            demand: demand.map(<[f64]>::to_vec),
        }
    }

    #[test]
    fn gaps_start_and_end_at_the_crossings() {
        let demand: &[f64] = &[0.0, 20.0, 0.0, 0.0, 20.0];
        let areas = curves(&[10.0; 5], [demand; 3]).gap_areas();
        assert_eq!(areas.len(), 2);
        assert_eq!(areas[0].times, [0.5, 1.0, 1.5]);
        assert_eq!(areas[0].high, [10.0, 20.0, 10.0]);
        assert_eq!(areas[1].times, [3.5, 4.0]);
    }

    #[test]
    fn the_band_lies_above_supply_only() {
        let curves = curves(&[10.0, 10.0], [&[5.0, 15.0], &[8.0, 20.0], &[10.0, 30.0]]);
        let areas = curves.band_areas();
        assert_eq!(areas.len(), 1);
        assert!(areas[0].low.iter().all(|low| *low >= 10.0));
        // P10 crosses supply half way, where the lower edge has its corner.
        assert!(areas[0].times.contains(&0.5), "{areas:?}");
        assert_eq!(areas[0].low.last(), Some(&15.0));
    }

    #[test]
    fn no_demand_leaves_no_area() {
        let nothing: &[f64] = &[0.0; 4];
        let curves = curves(&[0.0; 4], [nothing; 3]);
        assert!(curves.gap_areas().is_empty() && curves.band_areas().is_empty());
    }
}

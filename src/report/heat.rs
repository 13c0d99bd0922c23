//! What the heatmap of a sweep shows: cells in panels, and the finding read off them. Drawing is
//! in `chart`.

use std::borrow::Cow;

use super::chart::Stamp;
use super::columns::metric_in_words;
use super::rounding::Scale;
use super::short_hash;
use crate::stats::RankedQuantile;
use crate::study::{Axis, Heatmap, Sweep, SweepPoint, SweepRow, sweep_hash};
use crate::units::parse_number;

/// Most panels that are drawn.
const MOST_PANELS: usize = 6;

/// One value of the map with its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The metric's value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Cell {
    /// The value that a map shows, among the rows of a point; `None` where it has none.
    #[must_use]
    pub fn of(rows: &[SweepRow], map: &Heatmap) -> Option<Self> {
        let row = rows.iter().find(|row| row.year == map.year && row.metric == map.metric)?;
        let value = row.value?;
        let (low, high) = (row.low.unwrap_or(value), row.high.unwrap_or(value));
        // One standard error on either side becomes a 90 % interval.
        let wider = if row.error == "one standard error" { 1.645 } else { 1.0 };
        let (low, high) = (value - (value - low) * wider, value + (high - value) * wider);
        Some(Self { value, low, high })
    }

    /// Whether the interval holds both signs.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        self.low < 0.0 && self.high > 0.0
    }

    fn quantile(&self) -> RankedQuantile {
        RankedQuantile { value: self.value, low: self.low, high: self.high }
    }
}

/// One side of the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// What varies, with the unit where all steps share one.
    pub label: String,
    /// The steps, without it.
    pub steps: Vec<String>,
}

impl Side {
    fn of(axis: &Axis) -> Self {
        let labels: Vec<&str> = axis.steps.iter().map(|step| step.label.as_str()).collect();
        let units: Option<Vec<&str>> =
            labels.iter().map(|label| parse_number(label).map(|(_, unit)| unit)).collect();
        let shared = units.and_then(|units| {
            let first = *units.first()?;
            let same = units.iter().all(|unit| *unit == first);
            (same && !first.is_empty() && first != "%").then_some(first)
        });
        let bare = |label: &&str| match shared {
            Some(unit) => label[..label.len() - unit.len()].trim_end().to_owned(),
            None => (*label).to_owned(),
        };
        let label = match shared {
            Some(unit) => format!("{}, {unit}", axis.label),
            None => axis.label.clone(),
        };
        Self { label, steps: labels.iter().map(bare).collect() }
    }
}

/// One map among several.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Values of the axes that are the same all over the panel; empty when there are none.
    pub title: String,
    /// Cells from left to right, rows from the bottom up; `None` where there is no value.
    pub cells: Vec<Option<Cell>>,
}

/// The heatmap of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// The finding in one sentence.
    pub title: String,
    /// More about it, in sentences for the terminal.
    pub extremes: String,
    /// What is drawn, and which sweep it was.
    pub subtitle: [String; 2],
    /// What the cells mean.
    pub meaning: String,
    /// Where it comes from and what it is not.
    pub source: String,
    /// From left to right.
    pub x: Side,
    /// From the bottom up.
    pub y: Side,
    /// At least one.
    pub panels: Vec<Panel>,
    /// Whether zero is in the middle of the colours: above it is short, below it surplus.
    pub signed: bool,
    /// Scale of all figures.
    scale: Scale,
    /// Content hash of the sweep.
    pub hash: String,
    /// Seed of every random stream.
    pub seed: u64,
}

impl Heat {
    /// The map of a sweep, whose points have these cells; `None` where the sweep asks for none.
    #[must_use]
    pub fn of(sweep: &Sweep, points: &[SweepPoint], cells: &[Option<Cell>]) -> Option<Self> {
        let map = sweep.heatmap.as_ref()?;
        let place = |name: &str| sweep.axes.iter().position(|axis| axis.name == name);
        let (x, y) = (place(&map.x)?, place(&map.y)?);
        let others: Vec<usize> =
            (0..sweep.axes.len()).filter(|axis| ![x, y].contains(axis)).collect();
        let (panels, all) = panels(sweep, points, cells, (x, y), &others);
        let metric = Metric::of(map);
        let known: Vec<Cell> = cells.iter().flatten().copied().collect();
        let scale = Scale::of(known.iter().map(|cell| cell.value));
        let hash = sweep_hash(points);
        let words = Words { metric: &metric, scale };
        let meaning = words.meaning(sweep, &panels);
        let rest = if all {
            String::new()
        } else {
            let held: Vec<&str> =
                others.iter().map(|axis| sweep.axes[*axis].label.as_str()).collect();
            format!("Held at the middle step, though it varies: {}. ", held.join(", "))
        };
        Some(Self {
            title: words.finding(&known),
            extremes: words.extremes(sweep, points, cells),
            subtitle: [metric.drawn(sweep), which(sweep, points, &hash)],
            meaning,
            source: format!(
                "{rest}Every cell is a simulation of its own, with the same random streams. \
                 Source: {} points of sweep {}, base scenario {}; all numbers with their \
                 intervals are in sweep.csv.",
                points.len(),
                sweep.name,
                sweep.base.name
            ),
            x: Side::of(&sweep.axes[x]),
            y: Side::of(&sweep.axes[y]),
            panels,
            signed: metric.signed,
            scale,
            hash,
            seed: sweep.base.sampling.seed,
        })
    }

    /// A value as a cell shows it: no digit that its interval does not support, `~` where not
    /// even the sign is settled.
    #[must_use]
    pub fn figure(&self, cell: &Cell) -> String {
        let sign = if self.signed && cell.unsettled() { "~" } else { "" };
        format!("{sign}{}", figure(self.scale, cell, self.signed))
    }

    /// All cells that are drawn.
    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.panels.iter().flat_map(|panel| panel.cells.iter().flatten())
    }

    pub(super) fn stamp(&self) -> Stamp<'_> {
        let version = env!("CARGO_PKG_VERSION");
        Stamp { title: &self.title, hash: &self.hash, seed: Some(self.seed), version }
    }
}

fn figure(scale: Scale, cell: &Cell, signed: bool) -> String {
    // What would be lost in the map's scale is shown in its own.
    let lost = cell.value.abs() < 0.1 * scale.divisor;
    let scale = if lost { Scale::of_counts([cell.value]) } else { scale };
    let text = if signed { scale.signed(cell.quantile()) } else { scale.quantile(cell.quantile()) };
    format!("{text}{}", if cell.value == 0.0 { "" } else { scale.letter })
}

/// The panels, and whether they show every point.
fn panels(
    sweep: &Sweep,
    points: &[SweepPoint],
    cells: &[Option<Cell>],
    (x, y): (usize, usize),
    others: &[usize],
) -> (Vec<Panel>, bool) {
    let (width, height) = (sweep.axes[x].steps.len(), sweep.axes[y].steps.len());
    let held = |steps: &[usize]| -> Vec<usize> { others.iter().map(|axis| steps[*axis]).collect() };
    let mut kinds: Vec<Vec<usize>> = points.iter().map(|point| held(&point.steps)).collect();
    kinds.sort();
    kinds.dedup();
    let all = kinds.len() <= MOST_PANELS;
    if !all {
        kinds = vec![others.iter().map(|axis| sweep.axes[*axis].steps.len() / 2).collect()];
    }
    let panel = |kind: &Vec<usize>| {
        let title: Vec<String> = others
            .iter()
            .zip(kind)
            .map(|(axis, step)| {
                let axis = &sweep.axes[*axis];
                format!("{}: {}", axis.label, axis.steps[*step].label)
            })
            .collect();
        let mut of_panel = vec![None; width * height];
        for (point, cell) in
            points.iter().zip(cells).filter(|(point, _)| held(&point.steps) == *kind)
        {
            of_panel[point.steps[y] * width + point.steps[x]] = *cell;
        }
        Panel { title: title.join("; "), cells: of_panel }
    };
    (kinds.iter().map(panel).collect(), all)
}

/// Which sweep it was.
fn which(sweep: &Sweep, points: &[SweepPoint], hash: &str) -> String {
    let sampling = sweep.base.sampling;
    let mut paths = sweep.axes.iter().flat_map(|axis| &axis.steps).flat_map(|step| &step.patches);
    let sample = if paths.any(|patch| patch.path.starts_with("sampling")) {
        "sampling varies by point".to_owned()
    } else {
        format!(
            "{} worlds x {} inner years, seed {}",
            sampling.worlds, sampling.inner_years, sampling.seed
        )
    };
    format!(
        "Sweep {} of scenario {}, hash {}, {} points, {sample}, sparkgap {}",
        sweep.name,
        sweep.base.name,
        short_hash(hash),
        points.len(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// The metric of a map, in words.
struct Metric {
    /// `Gap`.
    what: String,
    /// `candidate GPUs`.
    unit: &'static str,
    /// `P50`.
    part: String,
    year: u16,
    signed: bool,
}

impl Metric {
    fn of(map: &Heatmap) -> Self {
        let (what, unit, part) = metric_in_words(&map.metric);
        Self { what, unit, part, year: map.year, signed: map.metric.starts_with("gap_") }
    }

    /// `Gap in 2030 at the median`.
    fn head(&self) -> String {
        let part = match self.part.as_str() {
            "" => Cow::Borrowed(""),
            "P50" => Cow::Borrowed(" at the median"),
            "mean" => Cow::Borrowed(" in the mean"),
            part => Cow::Owned(format!(" at {part}")),
        };
        format!("{} in {}{part}", self.what, self.year)
    }

    /// `Gap after contracts in hand, candidate GPUs (firm Vera Rubin NVL72), P50 over worlds`.
    fn drawn(&self, sweep: &Sweep) -> String {
        let candidate = || &sweep.base.hardware[&sweep.base.candidate.accelerator].label;
        let unit = match self.unit {
            "candidate GPUs" => format!("firm {} GPUs", candidate()),
            "racks" => format!("racks of {}", candidate()),
            unit => unit.to_owned(),
        };
        let part = match self.part.as_str() {
            "" => String::new(),
            "mean" => ", mean over worlds".to_owned(),
            part => format!(", {part} over worlds"),
        };
        let after = if self.signed { " after contracts in hand" } else { "" };
        format!("{}{after} in {}, in {unit}{part}", self.what, self.year)
    }
}

/// Sentences about the cells.
struct Words<'a> {
    metric: &'a Metric,
    scale: Scale,
}

impl Words<'_> {
    fn figure(&self, cell: &Cell) -> String {
        figure(self.scale, cell, self.metric.signed)
    }

    /// The finding in one sentence.
    fn finding(&self, cells: &[Cell]) -> String {
        let head = self.metric.head();
        let unit = self.metric.unit;
        let by_value = |a: &&Cell, b: &&Cell| a.value.total_cmp(&b.value);
        let (Some(least), Some(most)) =
            (cells.iter().min_by(by_value), cells.iter().max_by(by_value))
        else {
            return format!("{head}: no point has a value");
        };
        let (low, high) = (self.figure(least), self.figure(most));
        let count = cells.len();
        if !self.metric.signed {
            return if low == high {
                format!("{head}: {low} {unit} in all {count} cells")
            } else {
                format!("{head}: from {low} to {high} {unit} over {count} cells")
            };
        }
        let short = cells.iter().filter(|cell| cell.value > 0.0).count();
        let where_short = match short {
            0 => format!("short in none of {count} cells"),
            _ if short == count => format!("short in all {count} cells"),
            _ => format!("short in {short} of {count} cells"),
        };
        let kind = |cell: &Cell| if cell.value < 0.0 { " (surplus)" } else { "" };
        if low == high {
            return format!("{head}: {low}{} {unit} everywhere; {where_short}", kind(least));
        }
        let both = if most.value < 0.0 { " (both surplus)" } else { "" };
        let mark = if both.is_empty() { kind(least) } else { "" };
        format!("{head}: from {low}{mark} to {high} {unit}{both}; {where_short}")
    }

    /// Where it is most and least, and how sure the signs are.
    fn extremes(&self, sweep: &Sweep, points: &[SweepPoint], cells: &[Option<Cell>]) -> String {
        let known = || points.iter().zip(cells).filter_map(|(point, cell)| Some((point, (*cell)?)));
        let by_value =
            |a: &(&SweepPoint, Cell), b: &(&SweepPoint, Cell)| a.1.value.total_cmp(&b.1.value);
        let (Some(least), Some(most)) = (known().min_by(by_value), known().max_by(by_value)) else {
            return String::new();
        };
        let at = |(point, cell): (&SweepPoint, Cell)| {
            format!("{} at {}", self.figure(&cell), sweep.in_words(&point.steps))
        };
        let mut text = format!("Most: {}. Least: {}.", at(most), at(least));
        let open = known().filter(|(_, cell)| cell.unsettled()).count();
        if self.metric.signed && open > 0 {
            text += &format!(
                " In {open} of {} points the 90 % interval holds both signs: more worlds are \
                 needed to say which.",
                known().count()
            );
        }
        text
    }

    fn meaning(&self, sweep: &Sweep, panels: &[Panel]) -> String {
        let mut text = if self.metric.signed {
            "Warm and + : short, external capacity is missing. Cool and - : surplus. Near \
             white: zero."
                .to_owned()
        } else {
            "The darker, the more; near white is zero.".to_owned()
        };
        let cells = || panels.iter().flat_map(|panel| &panel.cells);
        if self.metric.signed && cells().flatten().any(Cell::unsettled) {
            text += &format!(
                " ~ : with {} worlds the 90 % interval holds both signs.",
                sweep.base.sampling.worlds
            );
        }
        if cells().any(Option::is_none) {
            text += " Grey: no value.";
        }
        text
    }
}

//! Direct labels: names and last values at the right edge, layers that have ended by then and the
//! widest shortfall or the last surplus in the plot. There is no legend box to look things up in.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::plan::QuarterResult;
use crate::report::ReportError;

use super::SIZE;
use super::curves::{Curves, interpolated};
use super::frame::{GAP, INK, Plot, WHITE};
use super::gap::{color, mixed};
use super::pen::{Align, Pen, Point, Type};
use super::place::{shortened, spread_out};

/// Distance of the baselines of labels at the edge.
const SPACE: f64 = 17.0;
/// From the plot to the text of a label.
const LEADER: f64 = 22.0;
/// No label is wider.
const WIDEST: f64 = 250.0;

/// A label at the right edge.
pub(super) struct EdgeLabel {
    /// What it says.
    pub text: String,
    /// The value it stands for.
    pub value: f64,
    /// Colour of the text.
    pub color: RGBColor,
    /// Bold for sums and medians.
    pub bold: bool,
    /// The layer it names, if it names one.
    pub layer: Option<usize>,
}

impl EdgeLabel {
    fn kind(&self) -> Type {
        Type { size: 13.0, bold: self.bold, color: self.color }
    }
}

/// The labels of the last quarter, from the top.
pub(super) fn at_edge(plot: &Plot, curves: &Curves) -> Vec<EdgeLabel> {
    let last = |values: &[f64]| values.last().copied().unwrap_or(0.0);
    let supply = last(&curves.supply);
    let mut out = Vec::new();
    for (index, name) in [(2, "P90"), (1, "P50"), (0, "P10")] {
        let value = last(&curves.demand[index]);
        let text = format!("Demand {name}  {}", plot.figure(value));
        out.push(EdgeLabel { text, value, color: INK, bold: index == 1, layer: None });
    }
    let gap = last(&curves.demand[1]) - supply;
    if gap > 0.0 {
        let text = format!("Shortfall at P50  {} ref. GPUs", plot.figure(gap));
        let value = supply + gap / 2.0;
        out.push(EdgeLabel { text, value, color: GAP, bold: true, layer: None });
    }
    let text = format!("All capacity  {}", plot.figure(supply));
    out.push(EdgeLabel { text, value: supply, color: INK, bold: true, layer: None });
    for (index, layer) in curves.layers.iter().enumerate().rev() {
        let top = last(&layer.top);
        out.push(EdgeLabel {
            // A layer that is gone by the end keeps its name; a figure would be noise.
            text: if layer.last < supply * 1e-3 {
                format!("{} (ended)", layer.label)
            } else {
                format!("{}  {}", layer.label, plot.figure(layer.last))
            },
            value: top - layer.last / 2.0,
            color: dark_enough(color(layer)),
            bold: false,
            layer: Some(index),
        });
    }
    // A stable sort: labels of one height stay in the order in which they were put.
    out.sort_by(|a, b| b.value.total_cmp(&a.value));
    out
}

/// A colour dark enough for text on white: contrast 4.5 to 1 (WCAG 2.1, 1.4.3).
fn dark_enough(color: RGBColor) -> RGBColor {
    let mut mixes = (3..=10).map(|step| mixed(color, INK, f64::from(step) / 10.0));
    mixes.find(|mix| 1.05 / (luminance(*mix) + 0.05) >= 4.5).unwrap_or(INK)
}

/// Relative luminance, 0 to 1 (WCAG 2.1).
fn luminance(color: RGBColor) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { libm::pow((share + 0.055) / 1.055, 2.4) }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

/// A label inside its layer.
pub(super) struct InsideLabel {
    text: String,
    middle: Point,
    kind: Type,
}

/// Takes from the edge the labels of layers that have ended by the last quarter, as far as there
/// is room for them inside the layer.
pub(super) fn moved_inside<B: DrawingBackend>(
    pen: &Pen<B>,
    plot: &Plot,
    curves: &Curves,
    labels: &mut Vec<EdgeLabel>,
) -> Vec<InsideLabel> {
    let mut out = Vec::new();
    let ended = |index: &usize| plot.y(0.0) - plot.y(curves.layers[*index].last) < 2.0;
    labels.retain(|label| {
        let Some(index) = label.layer.filter(ended) else { return true };
        let layer = &curves.layers[index];
        let ink = if luminance(color(layer)) > 0.25 { INK } else { WHITE };
        let kind = Type { size: 13.0, bold: false, color: ink };
        let room = room_inside(plot, curves, index, pen.width(&layer.label, kind) + 8.0);
        if let Some(middle) = room {
            out.push(InsideLabel { text: layer.label.clone(), middle, kind });
        }
        room.is_none()
    });
    out
}

/// Middle of the roomiest place for a label of this width inside a layer, clear of the lines of
/// demand.
fn room_inside(plot: &Plot, curves: &Curves, index: usize, width: f64) -> Option<Point> {
    const HEIGHT: f64 = 17.0;
    let base = curves.base(index);
    let years_per_pixel = (plot.span.1 - plot.span.0) / (plot.right - plot.left);
    let mut best: Option<(f64, Point)> = None;
    for &time in &curves.times {
        let x = plot.x(time);
        if x - width / 2.0 < plot.left || x + width / 2.0 > plot.right {
            continue;
        }
        let heights = |curve: &[f64]| -> Vec<f64> {
            let offsets = (-4..=4).map(|step| f64::from(step) / 8.0 * width * years_per_pixel);
            let at = |offset| plot.y(interpolated(&curves.times, curve, time + offset));
            offsets.map(at).collect()
        };
        let upper = heights(&curves.layers[index].top).into_iter().fold(f64::MIN, f64::max);
        let lower = heights(&base).into_iter().fold(f64::MAX, f64::min);
        let room = lower - upper;
        let middle = (lower + upper) / 2.0;
        let clear = curves.demand.iter().map(|curve| heights(curve)).all(|line| {
            line.iter().all(|y| *y < middle - HEIGHT / 2.0)
                || line.iter().all(|y| *y > middle + HEIGHT / 2.0)
        });
        if room >= HEIGHT && clear && best.is_none_or(|(most, _)| room > most) {
            best = Some((room, (x, middle)));
        }
    }
    best.map(|(_, middle)| middle)
}

/// Draws the labels inside the layers.
pub(super) fn draw_inside<B: DrawingBackend>(
    pen: &mut Pen<B>,
    labels: &[InsideLabel],
) -> Result<(), ReportError> {
    labels.iter().try_for_each(|label| {
        let at = (label.middle.0, label.middle.1 + 4.5);
        pen.text(&label.text, at, Align::Center, label.kind)
    })
}

/// Where the plot has to end so that the labels have room.
pub(super) fn plot_edge<B: DrawingBackend>(pen: &Pen<B>, labels: &[EdgeLabel]) -> f64 {
    let widest =
        labels.iter().map(|label| pen.width(&label.text, label.kind())).fold(0.0, f64::max);
    f64::from(SIZE.0) - 20.0 - LEADER - widest.min(WIDEST)
}

/// Draws the labels, moved apart, each with a line to the place it belongs to.
pub(super) fn draw_edge<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    labels: Vec<EdgeLabel>,
) -> Result<(), ReportError> {
    let wanted: Vec<f64> = labels.iter().map(|label| plot.y(label.value)).collect();
    let placed = spread_out(&wanted, SPACE, plot.top, plot.bottom + 30.0);
    let thread = mixed(INK, WHITE, 0.6);
    for ((label, wanted), placed) in labels.iter().zip(wanted).zip(placed) {
        let path = [(3.0, wanted), (7.0, wanted), (15.0, placed), (19.0, placed)];
        let path = path.map(|(x, y)| (plot.right + x, y));
        pen.line(&path, thread, 1.0)?;
        let kind = label.kind();
        let text = shortened(&label.text, WIDEST, false, |text| pen.width(text, kind));
        pen.text(&text, (plot.right + LEADER, placed + 4.5), Align::Left, kind)?;
    }
    Ok(())
}

/// Names the widest shortfall where it is not in the last quarter (the edge says it there), and the
/// surplus of the last quarter if there is one.
pub(super) fn mark_gap<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    curves: &Curves,
    quarters: &[QuarterResult],
) -> Result<(), ReportError> {
    let gaps = curves.gap();
    let end = gaps.len() - 1;
    let widest = (0..=end).rev().max_by(|a, b| gaps[*a].total_cmp(&gaps[*b])).unwrap_or(end);
    if gaps[widest] > 0.0 && widest != end {
        let quarter = &quarters[widest];
        let size = plot.figure(gaps[widest]);
        let text = format!(
            "P50 demand over mean capacity at its widest: {size}, {} Q{}",
            quarter.year, quarter.quarter
        );
        let kind = Type { size: 14.0, bold: true, color: GAP };
        let half = pen.width(&text, kind) / 2.0 + 6.0;
        let x = plot.x(curves.times[widest]);
        let middle = x.clamp(plot.left + half, plot.right - half);
        let tip = plot.y(curves.demand[1][widest]);
        // Above every curve over the whole width of the text, if the plot has the room.
        let times = curves.times.iter().enumerate();
        let under = times.filter(|(_, time)| (plot.x(**time) - middle).abs() < half + 20.0);
        let highest = under
            .map(|(index, _)| curves.demand[2][index].max(curves.supply[index]))
            .fold(curves.demand[2][widest], f64::max);
        let baseline = (plot.y(highest) - 14.0).max(plot.top + 4.0);
        pen.line(&[(x, baseline + 6.0), (x, tip)], GAP, 1.25)?;
        boxed(pen, &text, (middle, baseline), kind)?;
    }
    if gaps[end] < 0.0 && plot.y(0.0) - plot.y(-gaps[end]) >= 8.0 {
        surplus(pen, plot, curves.demand[1][end], curves.supply[end])?;
    }
    Ok(())
}

/// A measure from demand up to supply near the right edge.
fn surplus<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    demand: f64,
    supply: f64,
) -> Result<(), ReportError> {
    let (low, high) = (plot.y(demand), plot.y(supply));
    let x = plot.right - 12.0;
    for (color, width) in [(WHITE, 4.0), (INK, 1.75)] {
        for y in [low, high] {
            pen.line(&[(x - 5.0, y), (x + 5.0, y)], color, width)?;
        }
        pen.line(&[(x, low), (x, high)], color, width)?;
    }
    let size = plot.figure(supply - demand);
    let text = format!("Mean capacity over P50 demand at the last peak: {size} reference GPUs");
    let kind = Type { size: 14.0, bold: true, color: INK };
    let half = pen.width(&text, kind) / 2.0 + 6.0;
    boxed(pen, &text, (x - 10.0 - half, (low + high) / 2.0 + 5.0), kind)
}

/// A text in a white box, readable on any colour.
fn boxed<B: DrawingBackend>(
    pen: &mut Pen<B>,
    text: &str,
    (middle, baseline): (f64, f64),
    kind: Type,
) -> Result<(), ReportError> {
    let half = pen.width(text, kind) / 2.0 + 6.0;
    let from = (middle - half, baseline - kind.size - 1.0);
    pen.rectangle(from, (middle + half, baseline + 6.0), WHITE, 0.92)?;
    pen.text(text, (middle, baseline), Align::Center, kind)
}

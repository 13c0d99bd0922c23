//! Direct labels: names and last values at the right edge, the widest gap or the last surplus in
//! the plot. There is no legend box to look things up in.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::plan::QuarterResult;
use crate::report::ReportError;

use super::SIZE;
use super::curves::Curves;
use super::frame::{GAP, INK, Plot, WHITE};
use super::gap::{color, mixed};
use super::pen::{Align, Pen, Type};
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
        out.push(EdgeLabel { text, value, color: INK, bold: index == 1 });
    }
    let gap = last(&curves.demand[1]) - supply;
    if gap > 0.0 {
        let text = format!("Gap  {}", plot.figure(gap));
        out.push(EdgeLabel { text, value: supply + gap / 2.0, color: GAP, bold: true });
    }
    let text = format!("All capacity  {}", plot.figure(supply));
    out.push(EdgeLabel { text, value: supply, color: INK, bold: true });
    for layer in curves.layers.iter().rev() {
        let top = last(&layer.top);
        out.push(EdgeLabel {
            text: format!("{}  {}", layer.label, plot.figure(layer.last)),
            value: top - layer.last / 2.0,
            // Darker than the layer, for text is thin.
            color: mixed(color(layer), INK, 0.4),
            bold: false,
        });
    }
    // A stable sort: labels of one height stay in the order in which they were put.
    out.sort_by(|a, b| b.value.total_cmp(&a.value));
    out
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

/// Names the widest gap where it is not in the last quarter (the edge says it there), and the
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
        let text = format!("Widest gap {size}, {} Q{}", quarter.year, quarter.quarter);
        let kind = Type { size: 14.0, bold: true, color: GAP };
        let half = pen.width(&text, kind) / 2.0 + 6.0;
        let x = plot.x(curves.times[widest]);
        let middle = x.clamp(plot.left + half, plot.right - half);
        let tip = plot.y(curves.demand[1][widest]);
        let baseline = (plot.y(curves.demand[2][widest]) - 26.0).max(plot.top + 4.0);
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
    let text = format!("Surplus {}", plot.figure(supply - demand));
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

//! The capacity gap chart: supply stacked by source against demand, and what is between them.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::plan::{Answer, SupplyKind};
use crate::report::ReportError;
use crate::report::rounding::Scale;

use super::SIZE;
use super::curves::{Curves, Layer};
use super::frame::{GAP, INK, Plot, WHITE, calendar, footer, grid, heading};
use super::labels;
use super::pen::{Align, Pen, Type};

/// Blank above the highest curve, as part of it.
const HEADROOM: f64 = 1.05;

/// Draws the whole chart.
pub(super) fn draw<B: DrawingBackend>(
    pen: &mut Pen<B>,
    answer: &Answer,
) -> Result<(), ReportError> {
    let curves = Curves::of(answer);
    let short = curves.gap().iter().any(|gap| *gap > 0.0);
    let top = heading(pen, answer)?;
    let bottom = footer(pen, answer, short)?;
    let (Some(first), Some(last)) = (curves.times.first(), curves.times.last()) else {
        return nothing(pen, (top + bottom) / 2.0, "No quarter was simulated");
    };
    let highest = curves.highest();
    let mut plot = Plot {
        left: 76.0,
        right: f64::from(SIZE.0) - 24.0,
        top,
        bottom,
        span: (*first, last.max(first + 0.25)),
        highest: if highest > 0.0 { highest * HEADROOM } else { 1.0 },
        scale: Scale::of([highest]),
    };
    if highest <= 0.0 {
        calendar(pen, &plot)?;
        return nothing(pen, (top + bottom) / 2.0, "Neither demand nor capacity in any quarter");
    }
    let mut edge = labels::at_edge(&plot, &curves);
    plot.right = labels::plot_edge(pen, &edge);
    let inside = labels::moved_inside(pen, &plot, &curves, &mut edge);
    grid(pen, &plot)?;
    areas(pen, &plot, &curves)?;
    lines(pen, &plot, &curves)?;
    calendar(pen, &plot)?;
    labels::draw_inside(pen, &inside)?;
    labels::draw_edge(pen, &plot, edge)?;
    labels::mark_gap(pen, &plot, &curves, &answer.quarters)
}

fn nothing<B: DrawingBackend>(pen: &mut Pen<B>, y: f64, text: &str) -> Result<(), ReportError> {
    let kind = Type { size: 16.0, bold: false, color: INK };
    pen.text(text, (f64::from(SIZE.0) / 2.0, y), Align::Center, kind)
}

/// Band, stack and gap, in this order: the band shows only above the stack, so that it does not
/// change the colours of the layers.
fn areas<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    curves: &Curves,
) -> Result<(), ReportError> {
    for area in curves.band_areas() {
        pen.polygon(&plot.outline(&area), INK, 0.11)?;
    }
    for (index, layer) in curves.layers.iter().enumerate().rev() {
        // From the top layer down, each painted to the axis: no seams and no hairlines where a
        // layer is empty. The half pixel below the axis is hidden by its line.
        let mut corners = plot.points(&curves.times, &layer.top);
        corners.push((plot.right, plot.bottom + 0.5));
        corners.push((plot.left, plot.bottom + 0.5));
        pen.polygon(&corners, color(layer), 1.0)?;
        if index + 1 < curves.layers.len() {
            separate(pen, plot, curves, index)?;
        }
    }
    for area in curves.gap_areas() {
        pen.polygon(&plot.outline(&area), GAP, 0.88)?;
    }
    Ok(())
}

/// A white line between a layer and the one above, where both are thick enough to carry it. It
/// is drawn above the edge, for the layer itself is painted next to it.
fn separate<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    curves: &Curves,
    index: usize,
) -> Result<(), ReportError> {
    let edge = plot.points(&curves.times, &curves.layers[index].top);
    let above = plot.points(&curves.times, &curves.layers[index + 1].top);
    let below = plot.points(&curves.times, &curves.base(index));
    let mut run = Vec::new();
    for ((edge, above), below) in edge.iter().zip(&above).zip(&below) {
        if edge.1 - above.1 >= 2.5 && below.1 - edge.1 >= 2.5 {
            run.push(*edge);
        } else if !run.is_empty() {
            pen.line(&run, WHITE, 1.0)?;
            run.clear();
        }
    }
    pen.line(&run, WHITE, 1.0)
}

/// Demand: the median solid, P10 and P90 dashed, each on a white casing so that it stands out
/// from the layers.
fn lines<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
    curves: &Curves,
) -> Result<(), ReportError> {
    for quantile in [0, 2] {
        let points = plot.points(&curves.times, &curves.demand[quantile]);
        pen.dashed(&points, WHITE, 2.75, (6.0, 4.0))?;
        pen.dashed(&points, INK, 1.5, (6.0, 4.0))?;
    }
    let median = plot.points(&curves.times, &curves.demand[1]);
    pen.line(&median, WHITE, 4.5)?;
    pen.line(&median, INK, 2.75)
}

/// Okabe and Ito's colours, cool for own capacity (with a slate and a mint, for they have but
/// three) and warm for contracts; when they are used up their tints follow, then their shades.
/// Vermilion is kept for the shortfall.
pub(super) fn color(layer: &Layer) -> RGBColor {
    const OWN: [RGBColor; 10] = [
        RGBColor(0x0B, 0x3C, 0x5D),
        RGBColor(0x00, 0x72, 0xB2),
        RGBColor(0x56, 0xB4, 0xE9),
        RGBColor(0x6A, 0x6F, 0xB5),
        RGBColor(0x00, 0x9E, 0x73),
        RGBColor(0xA9, 0xA7, 0xD9),
        RGBColor(0x1B, 0x6E, 0x5A),
        RGBColor(0x7F, 0xD1, 0xB9),
        RGBColor(0x8F, 0xA3, 0xB8),
        RGBColor(0xBF, 0xE3, 0xF7),
    ];
    const CONTRACTS: [RGBColor; 3] =
        [RGBColor(0xCC, 0x79, 0xA7), RGBColor(0xF0, 0xE4, 0x42), RGBColor(0xE6, 0x9F, 0x00)];
    let hues: &[RGBColor] = match layer.kind {
        SupplyKind::Own => &OWN,
        SupplyKind::Contract => &CONTRACTS,
    };
    let hue = hues[layer.rank % hues.len()];
    match layer.rank / hues.len() % 3 {
        0 => hue,
        1 => mixed(hue, WHITE, 0.5),
        _ => mixed(hue, INK, 0.5),
    }
}

/// A colour with a part of another.
pub(super) fn mixed(color: RGBColor, other: RGBColor, part: f64) -> RGBColor {
    let channel = |own: u8, other: u8| {
        (f64::from(own) * (1.0 - part) + f64::from(other) * part).round() as u8
    };
    RGBColor(channel(color.0, other.0), channel(color.1, other.1), channel(color.2, other.2))
}

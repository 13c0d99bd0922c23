//! What stands around the curves: title, subtitle, axes, footer, and the plot's coordinates.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::plan::Answer;
use crate::report::rounding::Scale;
use crate::report::{ReportError, short_hash};

use super::SIZE;
use super::curves::Area;
use super::pen::{Align, Pen, Point, Type};
use super::place::ticks;
use super::text::{Footer, Heading};

/// Demand, titles and everything else that is plain ink.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x28, 0x31);
/// Demand above supply.
pub(super) const GAP: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// The sheet.
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);
/// Axes and notes.
pub(super) const GREY: RGBColor = RGBColor(0x5F, 0x67, 0x70);
const GRID: RGBColor = RGBColor(0xDD, 0xE1, 0xE5);

/// Left edge of the title and of the footer.
pub(super) const MARGIN: f64 = 24.0;

/// The rectangle of the curves and how values become places in it.
pub(super) struct Plot {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Upper edge.
    pub top: f64,
    /// The axis.
    pub bottom: f64,
    /// First and last time.
    pub span: (f64, f64),
    /// Value at the upper edge.
    pub highest: f64,
    /// Scale of all figures of the chart.
    pub scale: Scale,
}

impl Plot {
    /// Place of a time.
    pub fn x(&self, time: f64) -> f64 {
        let part = (time - self.span.0) / (self.span.1 - self.span.0);
        self.left + part * (self.right - self.left)
    }

    /// Place of a value.
    pub fn y(&self, value: f64) -> f64 {
        self.bottom - value / self.highest * (self.bottom - self.top)
    }

    /// A curve as points.
    pub fn points(&self, times: &[f64], values: &[f64]) -> Vec<Point> {
        times.iter().zip(values).map(|(time, value)| (self.x(*time), self.y(*value))).collect()
    }

    /// The outline of an area.
    pub fn outline(&self, area: &Area) -> Vec<Point> {
        let mut corners = self.points(&area.times, &area.low);
        corners.reverse();
        corners.extend(self.points(&area.times, &area.high));
        corners
    }

    /// A value with its scale, as labels show it: `250k`. What would be lost in the chart's
    /// scale is shown in its own.
    pub fn figure(&self, value: f64) -> String {
        let lost = value.abs() < 0.1 * self.scale.divisor;
        let scale = if lost { Scale::of_counts([value]) } else { self.scale };
        format!("{}{}", scale.value(value), scale.letter)
    }
}

fn plain(size: f64, color: RGBColor) -> Type {
    Type { size, bold: false, color }
}

/// The finding, what is drawn, and which run it was; returns where the plot may start.
pub(super) fn heading<B: DrawingBackend>(
    pen: &mut Pen<B>,
    answer: &Answer,
) -> Result<f64, ReportError> {
    // The first sentence of the finding stands alone; the second is of the bad worlds.
    let mut sentences = answer.finding.split(". ");
    let title = sentences.next().unwrap_or_default();
    let tail = sentences.next().map(|tail| format!("{}.", tail.trim_end_matches('.')));
    let from = &answer.provenance;
    let what = format!(
        "Usable capacity by source and interactive peak demand, by quarter, in reference GPUs \
         (one is a {} package with the software of the time)",
        answer.reference
    );
    let which = format!(
        "Scenario {}, hash {}, {} worlds x {} inner years, seed {}, sparkgap {}",
        from.scenario,
        short_hash(&from.hash),
        from.worlds,
        from.inner_years,
        from.seed,
        from.version,
    );
    let below: Vec<String> = tail.into_iter().chain([what, which]).collect();
    let heading = Heading::fit(pen.fonts(), title, &below);
    heading.draw(pen)?;
    Ok(heading.height())
}

/// What the picture means and what it is not; returns where the plot must end.
pub(super) fn footer<B: DrawingBackend>(
    pen: &mut Pen<B>,
    answer: &Answer,
    short: bool,
) -> Result<f64, ReportError> {
    let hour = answer.provenance.epoch_hours == 1.0;
    let meaning = format!(
        "{} Lines: demand of the quarter's busiest {}, P50 solid, P10 and P90 over worlds dashed. \
         Layers: usable capacity (cool colours own, warm contracts), mean over worlds, outages \
         and late deliveries included.",
        if short {
            "Orange: median (P50) demand above usable capacity; grey: P90 demand above it."
        } else {
            "Median (P50) demand is nowhere above usable capacity; grey: P90 demand above it."
        },
        if hour { "hour" } else { "interval" },
    );
    let caveats = format!(
        "The picture compares a median with a mean; the need that meets the criterion is in the \
         table. Quantiles over worlds do not add up. {} is the candidate that closes a gap.",
        answer.candidate.accelerator
    );
    let footer = Footer::fit(pen.fonts(), &meaning, &caveats, 4);
    let sheet = f64::from(SIZE.1);
    footer.draw(pen, sheet)?;
    Ok(sheet - footer.height() - 60.0)
}

/// Horizontal grid with figures at the left; drawn before the curves.
pub(super) fn grid<B: DrawingBackend>(pen: &mut Pen<B>, plot: &Plot) -> Result<(), ReportError> {
    let kind = plain(13.0, GREY);
    for value in ticks(plot.highest, 6) {
        let y = plot.y(value);
        pen.rectangle((plot.left, y - 0.5), (plot.right, y + 0.5), GRID, 1.0)?;
        let text = if plot.scale.divisor > 1.0 && value > 0.0 {
            format!("{}{}", value / plot.scale.divisor, plot.scale.letter)
        } else {
            value.to_string()
        };
        pen.text(&text, (plot.left - 10.0, y + 4.5), Align::Right, kind)?;
    }
    Ok(())
}

/// The axis with years and quarters; drawn after the curves.
pub(super) fn calendar<B: DrawingBackend>(
    pen: &mut Pen<B>,
    plot: &Plot,
) -> Result<(), ReportError> {
    let axis = plot.bottom;
    pen.rectangle((plot.left, axis - 0.5), (plot.right, axis + 0.5), INK, 1.0)?;
    let (first, last) = plot.span;
    let year_width = plot.x(first + 1.0) - plot.x(first);
    let quarter_ticks = year_width >= 24.0;
    let mut boundary = (first * 4.0).ceil() / 4.0;
    while boundary <= last {
        let x = plot.x(boundary);
        let starts_year = boundary.fract() == 0.0;
        if starts_year || quarter_ticks {
            let length = if starts_year { 12.0 } else { 5.0 };
            pen.rectangle((x - 0.5, axis), (x + 0.5, axis + length), GREY, 1.0)?;
        }
        boundary += 0.25;
    }
    let every = (44.0 / year_width).ceil().max(1.0) as usize;
    let kind = Type { size: 14.0, bold: true, color: INK };
    for year in (first.floor() as i32..=last.floor() as i32).step_by(every) {
        let start = f64::from(year).max(first);
        let end = (f64::from(year) + 1.0).min(last);
        if plot.x(end) - plot.x(start) >= 20.0 {
            let middle = plot.x((start + end) / 2.0);
            pen.text(&year.to_string(), (middle, axis + 24.0), Align::Center, kind)?;
        }
    }
    Ok(())
}

//! The frontier chart: one panel for each measure, a line for each accelerator with its band,
//! measured points as marks. Solid lines are fitted, dashed ones are bounds.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::hardware::Provenance;
use crate::report::ReportError;
use crate::report::frontier::{FrontierReport, Measure, format_word};
use crate::study::{FrontierCurve, FrontierMeasurement};

use super::SIZE;
use super::font::Fonts;
use super::frame::{GREY, INK, MARGIN, WHITE};
use super::log_axis::{LogAxis, figure};
use super::pen::{Align, Pen, Point, Type};
use super::text::{Footer, Heading};

const GRID: RGBColor = RGBColor(0xDD, 0xE1, 0xE5);
/// Okabe and Ito's colours, which hold for colour-blind eyes, then darker ones between them.
const COLORS: [RGBColor; 15] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x5F, 0x67, 0x70),
    RGBColor(0x8C, 0x2D, 0x04),
    RGBColor(0x6A, 0x51, 0xA3),
    RGBColor(0xA6, 0xA1, 0x1A),
    RGBColor(0x08, 0x3D, 0x6E),
    RGBColor(0xB3, 0x00, 0x59),
    RGBColor(0x2C, 0x6E, 0x2C),
    RGBColor(0xA0, 0x6A, 0x42),
    RGBColor(0x2A, 0x2F, 0x36),
];
const LABEL: Type = Type { size: 13.0, bold: false, color: INK };
const TICK: Type = Type { size: 12.5, bold: false, color: GREY };
const TITLE: Type = Type { size: 14.0, bold: true, color: INK };
/// Height of a row of the legend.
const ROW: f64 = 22.0;
/// Sample of a line or mark in the legend, and the blank behind an entry.
const SAMPLE: f64 = 30.0;
const BLANK: f64 = 22.0;
/// From the left edge of a panel to its plot, and between panels.
const INSET: f64 = 46.0;
const BETWEEN: f64 = 22.0;
/// Height of the plots.
const HEIGHT: f64 = 380.0;
/// From the plot down to the end of a panel: figures and the name of the axis.
const BELOW: f64 = 52.0;
/// Decades of an upright axis at most for lines, whose ends fall without limit, and for marks: what
/// lies below has no weight in a plan.
const DECADES: (f64, f64) = (2.3, 3.5);
/// Curves whose bands can be told apart.
const MOST_BANDS: usize = 7;
/// Radius of a mark.
const MARK: f64 = 4.6;
/// Radius of the hole of a hollow mark, as a part of it.
const HOLLOW: f64 = 0.55;

/// An entry of the legend.
struct Entry {
    text: String,
    sample: Sample,
    at: Point,
}

/// What stands before an entry.
#[derive(Clone, Copy)]
enum Sample {
    Line(RGBColor, bool),
    Mark(Option<bool>, bool),
}

/// One chart, laid out.
pub(super) struct Layout<'a> {
    report: &'a FrontierReport<'a>,
    curves: Vec<&'a FrontierCurve>,
    measured: Vec<&'a FrontierMeasurement>,
    measures: Vec<Measure>,
    heading: Heading,
    footer: Footer,
    legend: Vec<Entry>,
    top: f64,
    sheet: f64,
}

impl<'a> Layout<'a> {
    /// Finds room for the frontiers of a model by one measure or by all.
    pub fn of(
        report: &'a FrontierReport<'a>,
        model: &'a str,
        only: Option<Measure>,
        fonts: &Fonts,
    ) -> Self {
        let curves: Vec<&FrontierCurve> = report.curves(model).collect();
        // Marks stand beside lines of their accelerator.
        let shown = |own: &&FrontierMeasurement| {
            let same = |curve: &&FrontierCurve| curve.accelerator == own.point.accelerator;
            own.point.model == model && curves.iter().any(same)
        };
        let measured: Vec<_> = report.frontier.measured.iter().filter(shown).collect();
        let name = curves.first().map_or(model, |curve| &curve.model_label);
        let what = format!("{name}, calls of {}, software of {}", report.call(), report.month());
        let mut how = "Best layout at each speed: closed form of a full, steady batch".to_owned();
        if let Some(published) = published(&measured, model) {
            how += &format!(". Marks: measurements of {published}");
        }
        let heading = Heading::fit(fonts, &report.finding(model), &[what, how]);
        let bands = curves.len() <= MOST_BANDS;
        let stated = curves.iter().any(|curve| curve.provenance == Provenance::Stated);
        let words = meaning(bands, !measured.is_empty(), stated);
        let footer = Footer::fit(fonts, &words, CAVEATS, 4);
        let (legend, rows) = legend(&curves, &measured, heading.height() - 6.0, fonts);
        let top = heading.height() + rows as f64 * ROW + 34.0;
        let sheet = (top + HEIGHT + BELOW + 16.0 + footer.height()).ceil();
        let measures = only.map_or(Measure::ALL.to_vec(), |measure| vec![measure]);
        Self { report, curves, measured, measures, heading, footer, legend, top, sheet }
    }

    /// Width and height of the sheet in logical pixels.
    pub fn size(&self) -> (u32, u32) {
        (SIZE.0, self.sheet as u32)
    }

    /// Left and right edge of a plot.
    fn across(&self, index: usize) -> (f64, f64) {
        let count = self.measures.len() as f64;
        let room = f64::from(SIZE.0) - 2.0 * MARGIN + BETWEEN;
        let width = room / count;
        let left = MARGIN + width * index as f64 + INSET;
        (left, left - INSET + width - BETWEEN)
    }

    fn axes(&self, index: usize) -> (LogAxis, LogAxis) {
        let measure = self.measures[index];
        let listed = self.curves.iter().flat_map(|curve| &curve.points);
        let first = listed.filter(|point| point.listed).map(|point| point.speed);
        let first = first.fold(f64::INFINITY, f64::min) * 0.8;
        let marks = || self.measured.iter().map(|own| (own, own.point.tokens_per_second_per_user));
        let lines = || {
            self.curves.iter().flat_map(|curve| {
                let points = curve.points.iter().filter(|place| place.speed >= first);
                points.filter_map(move |place| Some((curve, place, place.point.as_ref()?)))
            })
        };
        let first = marks().map(|(_, speed)| speed * 0.9).fold(first, f64::min);
        let last = lines().map(|(_, place, _)| place.speed).fold(2.0 * first, f64::max);
        let last = marks().map(|(_, speed)| speed).fold(last, f64::max) * 1.1;
        let of_marks = || {
            marks()
                .map(|(own, _)| measure.of(&own.cost, own.point.output_tokens_per_second_per_gpu))
        };
        let of_lines = lines().flat_map(|(curve, place, point)| {
            [place.high, point.output_tokens_per_second_per_gpu]
                .map(|rate| measure.of(&curve.cost, rate))
        });
        let values: Vec<f64> = of_marks().chain(of_lines).collect();
        let high = values.iter().copied().fold(0.0, f64::max).max(1e-9) * 1.15;
        let down = |decades: f64| high / libm::pow(10.0, decades);
        let lowest = values.iter().copied().fold(high / 10.0, f64::min).max(down(DECADES.0));
        let lowest = of_marks().filter(|mark| *mark > down(DECADES.1)).fold(lowest, f64::min);
        let low = lowest * 0.87;
        (
            LogAxis { values: (first, last), places: self.across(index) },
            LogAxis { values: (low, high), places: (self.top + HEIGHT, self.top) },
        )
    }
}

const CAVEATS: &str = "No queues: promises on percentiles and uneven load leave less. IT power is \
                       all-in, PUE extra; rent is of a three-year commitment, every hour used.";

fn meaning(bands: bool, measured: bool, stated: bool) -> String {
    let marks = "Filled marks are of the format of the line of their colour; most are single \
                 points, not on a frontier, and of earlier software.";
    let bands = if bands {
        "Bands: error of the fit and P10 to P90 of what is not known."
    } else {
        "Their bands are in frontier.csv."
    };
    format!(
        "Solid: efficiencies fitted to measurements of the hardware or its generation. Dashed: a \
         bound, inherited by assumption{}. {bands} {}",
        if stated { ", or stated by hand" } else { "" },
        if measured { marks } else { "" }
    )
}

/// The models that were measured, by their published names where they have others than ours.
fn published(measured: &[&FrontierMeasurement], model: &str) -> Option<String> {
    let mut names: Vec<&str> =
        measured.iter().map(|own| own.point.published_model.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| *name != model);
    (!names.is_empty()).then(|| names.join(", "))
}

/// Entries in rows, and how many rows.
fn legend(
    curves: &[&FrontierCurve],
    measured: &[&FrontierMeasurement],
    top: f64,
    fonts: &Fonts,
) -> (Vec<Entry>, usize) {
    let lines = curves.iter().enumerate().map(|(index, curve)| {
        let text = format!("{}, {}", curve.label, curve.provenance.word());
        (text, Sample::Line(color(index), curve.provenance < Provenance::Fitted))
    });
    let kinds = [
        (Some(true), "measured, speculative decoding"),
        (Some(false), "measured, no speculation"),
        (None, "measured"),
    ];
    let some =
        |kind: &(Option<bool>, &str)| measured.iter().any(|own| own.point.speculative == kind.0);
    let marks = kinds.into_iter().filter(some);
    let marks = marks.map(|(kind, text)| (text.to_owned(), Sample::Mark(kind, false)));
    let mut others: Vec<String> = measured
        .iter()
        .filter(|own| other_format(own, curves))
        .map(|own| own.point.precision.map_or("not said".to_owned(), format_word))
        .collect();
    others.sort_unstable();
    others.dedup();
    let hollow = (!others.is_empty()).then(|| {
        let text = format!("hollow: another format than the line ({})", others.join(", "));
        (text, Sample::Mark(None, true))
    });
    let right = f64::from(SIZE.0) - MARGIN;
    let mut at = (MARGIN, top + ROW);
    let mut rows = 1;
    let mut entries = Vec::new();
    for (text, sample) in lines.chain(marks).chain(hollow) {
        let width = SAMPLE + fonts.width(&text, LABEL);
        if at.0 + width > right && at.0 > MARGIN {
            at = (MARGIN, at.1 + ROW);
            rows += 1;
        }
        entries.push(Entry { text, sample, at });
        at.0 += width + BLANK;
    }
    (entries, rows)
}

/// Whether a point was measured in another format than that of the line of its accelerator.
fn other_format(own: &FrontierMeasurement, curves: &[&FrontierCurve]) -> bool {
    let line = curves.iter().find(|curve| curve.accelerator == own.point.accelerator);
    line.is_some_and(|curve| Some(curve.precision) != own.point.precision)
}

fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// Draws the whole chart.
pub(super) fn draw<B: DrawingBackend>(
    pen: &mut Pen<B>,
    layout: &Layout<'_>,
) -> Result<(), ReportError> {
    layout.heading.draw(pen)?;
    for entry in &layout.legend {
        let (x, y) = entry.at;
        let middle = y - 4.5;
        match entry.sample {
            Sample::Line(color, dashed) => {
                stroke(pen, &[(x, middle), (x + SAMPLE - 8.0, middle)], color, dashed)?;
            }
            Sample::Mark(kind, hollow) => mark(pen, (x + 10.0, middle), (kind, hollow), Some(INK))?,
        }
        pen.text(&entry.text, (x + SAMPLE, y), Align::Left, LABEL)?;
    }
    for index in 0..layout.measures.len() {
        panel(pen, layout, index)?;
    }
    layout.footer.draw(pen, layout.sheet)
}

fn panel<B: DrawingBackend>(
    pen: &mut Pen<B>,
    layout: &Layout<'_>,
    index: usize,
) -> Result<(), ReportError> {
    let (x, y) = layout.axes(index);
    let measure = layout.measures[index];
    frame(pen, (&x, &y), measure)?;
    for (place, curve) in layout.curves.iter().enumerate() {
        let value = |rate: f64| measure.of(&curve.cost, rate);
        let inside = || curve.points.iter().filter(|point| point.speed >= x.values.0);
        let edge = |rate: f64| y.at(value(rate).clamp(y.values.0, y.values.1));
        let band = inside().filter(|point| value(point.high) > y.values.0);
        let band: Vec<_> = band.filter(|point| point.speed <= x.values.1).collect();
        let mut corners: Vec<Point> =
            band.iter().map(|point| (x.at(point.speed), edge(point.high))).collect();
        corners.extend(band.iter().rev().map(|point| (x.at(point.speed), edge(point.low))));
        if corners.len() > 4 && layout.curves.len() <= MOST_BANDS {
            pen.polygon(&corners, color(place), 0.08)?;
        }
        let line = inside().filter_map(|point| {
            let rate = point.point.as_ref()?.output_tokens_per_second_per_gpu;
            Some((x.at(point.speed), y.at(value(rate))))
        });
        let line = clipped(&line.collect::<Vec<_>>(), y.places.0);
        stroke(pen, &line, color(place), curve.provenance < Provenance::Fitted)?;
    }
    // All white edges first: of marks that meet, each keeps its colour.
    for edge in [true, false] {
        for own in &layout.measured {
            let accelerator = &own.point.accelerator;
            let known = layout.curves.iter().position(|curve| curve.accelerator == *accelerator);
            let value = measure.of(&own.cost, own.point.output_tokens_per_second_per_gpu);
            let at = (x.at(own.point.tokens_per_second_per_user), y.at(value));
            if let Some(place) = known.filter(|_| value >= y.values.0) {
                let kind = (own.point.speculative, other_format(own, &layout.curves));
                mark(pen, at, kind, if edge { None } else { Some(color(place)) })?;
            }
        }
    }
    Ok(())
}

/// The part of a falling line that lies above the axis.
fn clipped(line: &[Point], bottom: f64) -> Vec<Point> {
    let above = line.iter().take_while(|point| point.1 <= bottom).count();
    let mut kept = line[..above].to_vec();
    if let (Some(last), Some(next)) = (kept.last().copied(), line.get(above)) {
        let part = (bottom - last.1) / (next.1 - last.1);
        kept.push((last.0 + part * (next.0 - last.0), bottom));
    }
    kept
}

/// Grid, figures and names of both axes.
fn frame<B: DrawingBackend>(
    pen: &mut Pen<B>,
    (x, y): (&LogAxis, &LogAxis),
    measure: Measure,
) -> Result<(), ReportError> {
    let ((left, right), (bottom, top)) = (x.places, y.places);
    for value in y.ticks(26.0) {
        let at = y.at(value);
        pen.rectangle((left, at - 0.5), (right, at + 0.5), GRID, 1.0)?;
        pen.text(&figure(value), (left - 8.0, at + 4.5), Align::Right, TICK)?;
    }
    for value in x.ticks(30.0) {
        let at = x.at(value);
        pen.rectangle((at - 0.5, top), (at + 0.5, bottom), GRID, 1.0)?;
        pen.rectangle((at - 0.5, bottom), (at + 0.5, bottom + 5.0), GREY, 1.0)?;
        pen.text(&figure(value), (at, bottom + 20.0), Align::Center, TICK)?;
    }
    pen.rectangle((left, bottom - 0.5), (right, bottom + 0.5), INK, 1.0)?;
    pen.text(measure.axis(), (left - INSET + 4.0, top - 12.0), Align::Left, TITLE)?;
    let name = "Output tokens/s per user (1 / TPOT)";
    pen.text(name, (f64::midpoint(left, right), bottom + 42.0), Align::Center, LABEL)
}

fn stroke<B: DrawingBackend>(
    pen: &mut Pen<B>,
    points: &[Point],
    color: RGBColor,
    dashed: bool,
) -> Result<(), ReportError> {
    if dashed { pen.dashed(points, color, 2.4, (7.0, 4.0)) } else { pen.line(points, color, 2.4) }
}

/// A mark, or without a colour its white edge: a diamond where decoding was speculative, a triangle
/// where it was not, a circle where that is not known; hollow where its format is not the line's.
fn mark<B: DrawingBackend>(
    pen: &mut Pen<B>,
    at: Point,
    (speculative, hollow): (Option<bool>, bool),
    color: Option<RGBColor>,
) -> Result<(), ReportError> {
    // Corners from the top, and how much larger a shape must be to weigh as much as a circle.
    let (corners, size) = match speculative {
        Some(true) => (4, 1.25),
        Some(false) => (3, 1.4),
        None => (24, 1.0),
    };
    let shape = |radius: f64| -> Vec<Point> {
        let corner = |index: i32| {
            let turn = f64::from(index) / f64::from(corners) * std::f64::consts::TAU;
            (at.0 + radius * libm::sin(turn), at.1 - radius * libm::cos(turn))
        };
        (0..corners).map(corner).collect()
    };
    let Some(color) = color else { return pen.polygon(&shape(MARK * size + 1.8), WHITE, 1.0) };
    pen.polygon(&shape(MARK * size), color, 1.0)?;
    if hollow { pen.polygon(&shape(MARK * size * HOLLOW), WHITE, 1.0) } else { Ok(()) }
}

impl Layout<'_> {
    /// What the picture says, for screen readers.
    pub fn title(&self) -> String {
        let model = self.curves.first().map_or("", |curve| &curve.model);
        self.report.finding(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_the_axis() {
        let line = [(0.0, 10.0), (10.0, 50.0), (20.0, 150.0), (30.0, 200.0)];
        assert_eq!(clipped(&line, 100.0), [(0.0, 10.0), (10.0, 50.0), (15.0, 100.0)]);
        assert_eq!(clipped(&line, 300.0), line);
        assert!(clipped(&[], 1.0).is_empty());
    }
}

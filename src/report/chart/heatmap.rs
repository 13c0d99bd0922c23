//! The heatmap of a sweep: panels of cells, each with its value, beside a bar of colours.

use plotters::prelude::{DrawingBackend, RGBColor};

use crate::report::ReportError;
use crate::report::heat::{Cell, Heat, Panel};

use super::SIZE;
use super::font::Fonts;
use super::frame::{GREY, INK, MARGIN, WHITE};
use super::gap::mixed;
use super::pen::{Align, Pen, Type};
use super::place::{broken, shortened, spread_out};
use super::text::{Footer, Heading};

/// Room at the right for the bar of colours and its figures.
const BAR_ROOM: f64 = 136.0;
const BAR: f64 = 18.0;
/// Between panels.
const BETWEEN: f64 = 28.0;
/// Sizes of the figures in the cells, the preferred first.
const FIGURES: [f64; 4] = [14.0, 12.5, 11.0, 9.5];
const STEPS: Type = Type { size: 13.0, bold: false, color: INK };
const TITLES: Type = Type { size: 13.0, bold: true, color: INK };
const LINE: f64 = 16.0;
/// No label of a step at the left is wider.
const WIDEST: f64 = 200.0;
/// No cell is wider, higher or lower.
const CELL: (f64, f64, f64) = (420.0, 96.0, 26.0);
/// Lines of a panel's title.
const MOST_TITLE: usize = 3;
/// Room for the cells of all panels, one above the other, where they are few.
const TALL: f64 = 400.0;

/// Neutral at zero.
const ZERO: RGBColor = RGBColor(0xF4, 0xF4, 0xF2);
const BLACK: RGBColor = RGBColor(0, 0, 0);
const MISSING: RGBColor = RGBColor(0xC9, 0xCD, 0xD1);
/// From neutral to the end of the scale; blue against vermilion holds for colour-blind eyes.
const WARM: [RGBColor; 3] =
    [RGBColor(0xFA, 0xD9, 0xB8), RGBColor(0xE8, 0x7A, 0x22), RGBColor(0x8C, 0x2D, 0x04)];
const COOL: [RGBColor; 3] =
    [RGBColor(0xD2, 0xE6, 0xF5), RGBColor(0x4B, 0x9B, 0xD3), RGBColor(0x08, 0x3D, 0x6E)];
const PLAIN: [RGBColor; 3] =
    [RGBColor(0xD9, 0xEE, 0xE6), RGBColor(0x4D, 0xA8, 0x8C), RGBColor(0x0B, 0x4A, 0x3C)];

/// Where everything goes.
pub(super) struct Layout {
    heading: Heading,
    footer: Footer,
    columns: usize,
    cell: (f64, f64),
    /// Size of the figures; none where they do not fit.
    figures: Option<f64>,
    /// Titles of the panels, in lines.
    titles: Vec<Vec<String>>,
    /// Labels of the rows and of the columns, the latter in lines.
    rows: Vec<String>,
    across: Vec<Vec<String>>,
    /// From the left edge of a panel to its cells.
    inset: f64,
    /// From the top of a panel to its cells, and from its cells to its end.
    above: f64,
    below: f64,
    grid: (usize, usize),
    sheet: f64,
}

impl Layout {
    /// Finds room for a map.
    pub fn of(heat: &Heat, fonts: &Fonts) -> Self {
        let heading = Heading::fit(fonts, &heat.title, &heat.subtitle);
        let grid = (heat.x.steps.len().max(1), heat.y.steps.len().max(1));
        let width = |text: &str| fonts.width(text, STEPS);
        let rows: Vec<String> =
            heat.y.steps.iter().map(|step| shortened(step, WIDEST, false, width)).collect();
        let inset = rows.iter().map(|row| width(row)).fold(0.0, f64::max) + 10.0;
        let widest = |size: f64| {
            let kind = Type { size, bold: false, color: INK };
            heat.cells().map(|cell| fonts.width(&heat.figure(cell), kind)).fold(0.0, f64::max)
        };
        let room = f64::from(SIZE.0) - MARGIN - BAR_ROOM;
        let most = match heat.panels.len() {
            1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        let cell_width = |columns: usize| {
            let panel = (room - BETWEEN * (columns as f64 - 1.0)) / columns as f64;
            ((panel - inset) / grid.0 as f64).min(CELL.0)
        };
        let fitting = |columns: usize| {
            let sizes = FIGURES.into_iter();
            sizes
                .map(|size| (columns, size))
                .find(|(columns, size)| widest(*size) + 8.0 <= cell_width(*columns))
        };
        let fit = (1..=most).rev().find_map(fitting);
        let columns = fit.map_or(most, |(columns, _)| columns);
        let stacked = heat.panels.len().div_ceil(columns);
        let cell_height = (TALL / (grid.1 * stacked) as f64).clamp(CELL.2, CELL.1);
        let cell = (cell_width(columns), cell_height);
        let across: Vec<Vec<String>> =
            heat.x.steps.iter().map(|step| broken(step, cell.0 - 4.0, 3, width)).collect();
        let lines = across.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let room = inset + cell.0 * grid.0 as f64;
        let title = |panel: &Panel| {
            broken(&panel.title, room, MOST_TITLE, |text| fonts.width(text, TITLES))
        };
        let mut titles: Vec<Vec<String>> = heat.panels.iter().map(title).collect();
        titles.iter_mut().for_each(|lines| lines.retain(|line| !line.is_empty()));
        let most = titles.iter().map(Vec::len).max().unwrap_or(0);
        let above = LINE * (most as f64 + 1.0) + 8.0;
        let below = (lines + 1.0) * LINE + 14.0;
        let footer = Footer::fit(fonts, &heat.meaning, &heat.source, 5);
        let panel = above + cell.1 * grid.1 as f64 + below;
        let content = panel * stacked as f64 + BETWEEN * 0.5 * (stacked as f64 - 1.0);
        let sheet = heading.height() + content.max(200.0) + 26.0 + footer.height();
        Self {
            heading,
            footer,
            columns,
            cell,
            figures: fit.map(|(_, size)| size).filter(|size| size * 1.3 <= cell.1),
            titles,
            rows,
            across,
            inset,
            above,
            below,
            grid,
            sheet: sheet.ceil(),
        }
    }

    /// Width and height of the sheet in logical pixels.
    pub fn size(&self) -> (u32, u32) {
        (SIZE.0, self.sheet as u32)
    }

    /// Left and upper edge of the cells of a panel.
    fn origin(&self, index: usize) -> (f64, f64) {
        let (column, row) = (index % self.columns, index / self.columns);
        let width = self.inset + self.cell.0 * self.grid.0 as f64 + BETWEEN;
        let height = self.above + self.cell.1 * self.grid.1 as f64 + self.below + BETWEEN * 0.5;
        let left = MARGIN + self.inset + width * column as f64;
        (left, self.heading.height() + self.above + height * row as f64)
    }
}

/// The colours of a map.
struct Colors {
    signed: bool,
    /// The largest magnitude: the end of the scale on either side.
    limit: f64,
}

impl Colors {
    /// Zero is neutral, and the slightest value away from it is seen to be: colours start from a
    /// tint.
    fn of(&self, value: f64) -> RGBColor {
        if value == 0.0 {
            return ZERO;
        }
        let side = match (self.signed, value > 0.0) {
            (true, true) => WARM,
            (true, false) => COOL,
            (false, _) => PLAIN,
        };
        let part = 2.0 * (value.abs() / self.limit).min(1.0);
        if part < 1.0 { mixed(side[0], side[1], part) } else { mixed(side[1], side[2], part - 1.0) }
    }
}

/// Relative luminance of WCAG 2.1.
fn luminance(color: RGBColor) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { libm::pow((value + 0.055) / 1.055, 2.4) }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

/// Black or white, whichever stands out more: one of the two always has the contrast of 4.5 to 1
/// that WCAG 2.1 asks for. The softer ink of the titles would not.
fn ink_on(color: RGBColor) -> RGBColor {
    let on = luminance(color) + 0.05;
    if on / 0.05 >= 1.05 / on { BLACK } else { WHITE }
}

/// Draws the whole map.
pub(super) fn draw<B: DrawingBackend>(
    pen: &mut Pen<B>,
    heat: &Heat,
    layout: &Layout,
) -> Result<(), ReportError> {
    layout.heading.draw(pen)?;
    let largest = heat.cells().map(|cell| cell.value.abs()).fold(0.0, f64::max);
    let colors = Colors { signed: heat.signed, limit: if largest > 0.0 { largest } else { 1.0 } };
    for (index, panel) in heat.panels.iter().enumerate() {
        cells(pen, heat, layout, &colors, (index, panel))?;
        labels(pen, heat, layout, index)?;
    }
    bar(pen, heat, layout, &colors)?;
    layout.footer.draw(pen, layout.sheet)
}

fn cells<B: DrawingBackend>(
    pen: &mut Pen<B>,
    heat: &Heat,
    layout: &Layout,
    colors: &Colors,
    (index, panel): (usize, &Panel),
) -> Result<(), ReportError> {
    let (left, top) = layout.origin(index);
    let (width, height) = layout.cell;
    for (place, cell) in panel.cells.iter().enumerate() {
        let (column, row) = (place % layout.grid.0, place / layout.grid.0);
        let x = left + column as f64 * width;
        let y = top + (layout.grid.1 - 1 - row) as f64 * height;
        let color = cell.map_or(MISSING, |cell| colors.of(cell.value));
        pen.rectangle((x + 0.75, y + 0.75), (x + width - 0.75, y + height - 0.75), color, 1.0)?;
        if let (Some(cell), Some(size)) = (cell, layout.figures) {
            let kind = Type { size, bold: cell.value > 0.0 && heat.signed, color: ink_on(color) };
            let at = (x + width / 2.0, y + height / 2.0 + size * 0.36);
            pen.text(&heat.figure(cell), at, Align::Center, kind)?;
        }
    }
    Ok(())
}

fn labels<B: DrawingBackend>(
    pen: &mut Pen<B>,
    heat: &Heat,
    layout: &Layout,
    index: usize,
) -> Result<(), ReportError> {
    let (left, top) = layout.origin(index);
    let (width, height) = layout.cell;
    let edge = left - layout.inset;
    let right = left + width * layout.grid.0 as f64;
    let fitted = |pen: &Pen<B>, text: &str, kind: Type| {
        shortened(text, right - edge, false, |text| pen.width(text, kind))
    };
    for (line, text) in layout.titles[index].iter().rev().enumerate() {
        let y = top - 8.0 - LINE * (line as f64 + 1.0) - 2.0;
        pen.text(text, (edge, y), Align::Left, TITLES)?;
    }
    let grey = Type { color: GREY, ..STEPS };
    let y_label = fitted(pen, &heat.y.label, grey);
    pen.text(&y_label, (edge, top - 8.0), Align::Left, grey)?;
    for (row, label) in layout.rows.iter().enumerate() {
        let y = top + (layout.grid.1 as f64 - row as f64 - 0.5) * height + 4.5;
        pen.text(label, (left - 8.0, y), Align::Right, STEPS)?;
    }
    let bottom = top + height * layout.grid.1 as f64;
    for (column, lines) in layout.across.iter().enumerate() {
        let x = left + (column as f64 + 0.5) * width;
        for (line, text) in lines.iter().enumerate() {
            let y = bottom + 2.0 + LINE * (line as f64 + 1.0);
            pen.text(text, (x, y), Align::Center, STEPS)?;
        }
    }
    let x_label = fitted(pen, &heat.x.label, grey);
    let (half, y) = (pen.width(&x_label, grey) / 2.0, bottom + layout.below - 8.0);
    let x = ((left + right) / 2.0).min(right - half).max(edge + half);
    pen.text(&x_label, (x, y), Align::Center, grey)
}

/// The bar of colours, from the least to the largest value that is shown, zero included.
fn bar<B: DrawingBackend>(
    pen: &mut Pen<B>,
    heat: &Heat,
    layout: &Layout,
    colors: &Colors,
) -> Result<(), ReportError> {
    let values = || heat.cells().map(|cell| cell.value);
    let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    if low >= high {
        return Ok(());
    }
    let (last, _) = layout.origin(layout.columns.min(heat.panels.len()) - 1);
    let left = last + layout.cell.0 * layout.grid.0 as f64 + 34.0;
    let (_, top) = layout.origin(0);
    let length = (layout.cell.1 * layout.grid.1 as f64).clamp(120.0, 320.0);
    const STRIPES: usize = 160;
    for stripe in 0..STRIPES {
        let y = |stripe: usize| top + length * stripe as f64 / STRIPES as f64;
        let value = high - (high - low) * (stripe as f64 + 0.5) / STRIPES as f64;
        // Each down to the end: no seams.
        pen.rectangle((left, y(stripe)), (left + BAR, y(STRIPES)), colors.of(value), 1.0)?;
    }
    let place = |value: f64| top + (high - value) / (high - low) * length;
    let mut marks = vec![high, 0.0, low];
    marks.dedup();
    let wanted: Vec<f64> = marks.iter().map(|value| place(*value)).collect();
    let placed = spread_out(&wanted, LINE, top + 5.0, top + length - 2.0);
    for ((value, at), y) in marks.iter().zip(&wanted).zip(placed) {
        pen.rectangle((left + BAR, at - 0.5), (left + BAR + 4.0, at + 0.5), GREY, 1.0)?;
        let cell = heat.cells().find(|cell| cell.value == *value).copied();
        let cell = cell.unwrap_or(Cell { value: *value, low: *value, high: *value });
        let text = heat.figure(&cell).trim_start_matches('~').to_owned();
        pen.text(&text, (left + BAR + 8.0, y + 4.5), Align::Left, STEPS)?;
    }
    let grey = Type { color: GREY, ..STEPS };
    if heat.signed && high > 0.0 {
        pen.text("short", (left, top - 8.0), Align::Left, grey)?;
    }
    if heat.signed && low < 0.0 {
        pen.text("surplus", (left, top + length + LINE), Align::Left, grey)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_tell_short_from_surplus() {
        let colors = Colors { signed: true, limit: 100.0 };
        assert_eq!(colors.of(0.0), ZERO);
        assert_eq!((colors.of(100.0), colors.of(-100.0)), (WARM[2], COOL[2]));
        // Red over blue when short, blue over red in surplus, however small.
        for value in [0.01, 1.0, 30.0, 100.0] {
            let (short, surplus) = (colors.of(value), colors.of(-value));
            assert!(short.0 > short.2 && surplus.2 > surplus.0, "{value}");
        }
    }

    #[test]
    fn figures_stand_out() {
        // sRGB 188 is half way in light (its linear value is 0.503): black stands out on it.
        assert!((luminance(RGBColor(188, 188, 188)) - 0.503).abs() < 1e-3);
        for signed in [true, false] {
            let colors = Colors { signed, limit: 100.0 };
            for value in -100..=100 {
                let on = colors.of(f64::from(value));
                let (a, b) = (luminance(on) + 0.05, luminance(ink_on(on)) + 0.05);
                assert!(a.max(b) / a.min(b) >= 4.5, "{value}: {on:?}");
            }
        }
    }
}

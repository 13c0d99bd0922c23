//! The text above and below a chart: a title that states the finding, what is drawn and which run
//! it was; what it means. Sizes are known before anything is drawn.

use plotters::prelude::DrawingBackend;

use crate::report::ReportError;

use super::SIZE;
use super::font::Fonts;
use super::frame::{GREY, INK, MARGIN};
use super::pen::{Align, Pen, Type};
use super::place::broken;

const NOTE: Type = Type { size: 12.5, bold: false, color: GREY };
const NOTE_HEIGHT: f64 = 16.5;
const SMALL: Type = Type { size: 14.0, bold: false, color: GREY };
const SMALL_HEIGHT: f64 = 19.0;
/// Room for all text from left to right.
const ROOM: f64 = SIZE.0 as f64 - 2.0 * MARGIN;

/// Title and subtitle.
pub(super) struct Heading {
    kind: Type,
    title: Vec<String>,
    lines: Vec<String>,
}

impl Heading {
    /// The title in one or two lines, and each of `lines` in one.
    pub fn fit(fonts: &Fonts, title: &str, lines: &[String]) -> Self {
        let fits = |size: f64| {
            let kind = Type { size, bold: true, color: INK };
            let lines = |room: f64| broken(title, room, 3, |text| fonts.width(text, kind));
            let count = lines(ROOM).len();
            // Lines of like length: the narrowest room that needs no further line.
            let narrower = (0..10).map(|step| ROOM * (1.0 - 0.05 * f64::from(step)));
            let even = narrower.take_while(|room| lines(*room).len() == count).last();
            (kind, lines(if count == 2 { even.unwrap_or(ROOM) } else { ROOM }))
        };
        let (mut kind, mut title) = fits(22.0);
        if title.len() > 2 {
            (kind, title) = fits(18.0);
            title = broken(&title.join(" "), ROOM, 2, |text| fonts.width(text, kind));
        }
        let one =
            |line: &String| broken(line, ROOM, 1, |text| fonts.width(text, SMALL)).swap_remove(0);
        Self { kind, title, lines: lines.iter().map(one).collect() }
    }

    /// Where the plot may start.
    pub fn height(&self) -> f64 {
        let title = self.title.len() as f64 * self.kind.size * 1.25;
        12.0 + title + 6.0 + self.lines.len() as f64 * SMALL_HEIGHT + 22.0
    }

    /// Draws it at the top of the sheet.
    pub fn draw<B: DrawingBackend>(&self, pen: &mut Pen<B>) -> Result<(), ReportError> {
        let mut y = 12.0;
        for line in &self.title {
            y += self.kind.size * 1.25;
            pen.text(line, (MARGIN, y), Align::Left, self.kind)?;
        }
        y += 6.0;
        for line in &self.lines {
            y += SMALL_HEIGHT;
            pen.text(line, (MARGIN, y), Align::Left, SMALL)?;
        }
        Ok(())
    }
}

/// What a picture means and what it is not.
pub(super) struct Footer(Vec<String>);

impl Footer {
    /// The first paragraph in two lines at most, the second in what is left of `most`.
    pub fn fit(fonts: &Fonts, meaning: &str, caveats: &str, most: usize) -> Self {
        let width = |text: &str| fonts.width(text, NOTE);
        let mut lines = broken(meaning, ROOM, 2, width);
        let rest = most - lines.len();
        lines.extend(broken(caveats, ROOM, rest, width));
        Self(lines)
    }

    /// From the first baseline to the lower edge of the sheet.
    pub fn height(&self) -> f64 {
        14.0 + NOTE_HEIGHT * (self.0.len() as f64 - 1.0)
    }

    /// Draws it at the lower edge of a sheet.
    pub fn draw<B: DrawingBackend>(&self, pen: &mut Pen<B>, sheet: f64) -> Result<(), ReportError> {
        let top = sheet - self.height();
        for (index, line) in self.0.iter().enumerate() {
            let y = top + index as f64 * NOTE_HEIGHT;
            pen.text(line, (MARGIN, y), Align::Left, NOTE)?;
        }
        Ok(())
    }
}

//! A pen that draws in logical pixels on either plotters backend.

use std::fmt::Display;

use plotters::prelude::{DrawingBackend, RGBColor};
use plotters::style::{Color, FontStyle, IntoFont, ShapeStyle, TextStyle};

use crate::report::ReportError;

use super::font::{FAMILY, Fonts};

/// A point in logical pixels, y downward.
pub(super) type Point = (f64, f64);

/// Which kind of backend is drawn on: they differ in how they place and size text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// Pixels: glyphs are placed one by one.
    Bitmap,
    /// SVG: texts are written whole.
    Vector,
}

/// Size, weight and colour of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    /// Size of the em in logical pixels.
    pub size: f64,
    /// Bold or regular.
    pub bold: bool,
    /// Colour.
    pub color: RGBColor,
}

/// Which point of a text is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Its left end.
    Left,
    /// Its middle.
    Center,
    /// Its right end.
    Right,
}

/// Draws in logical pixels on a backend whose pixels are `scale` times as fine.
pub(super) struct Pen<B: DrawingBackend> {
    backend: B,
    front: Front,
    scale: f64,
    fonts: &'static Fonts,
    /// Lengths of the texts written so far, in pixels of the backend.
    lengths: Vec<f64>,
}

fn refused(cause: impl Display) -> ReportError {
    ReportError::Draw(cause.to_string())
}

impl<B: DrawingBackend> Pen<B> {
    /// A pen on a white sheet.
    pub fn new(backend: B, front: Front, scale: f64) -> Result<Self, ReportError> {
        let mut pen = Self { backend, front, scale, fonts: Fonts::get()?, lengths: Vec::new() };
        let (width, height) = pen.backend.get_size();
        let sheet = (f64::from(width) / scale, f64::from(height) / scale);
        pen.rectangle((0.0, 0.0), sheet, RGBColor(255, 255, 255), 1.0)?;
        Ok(pen)
    }

    /// Ends the drawing; returns the lengths of all texts in pixels of the backend, in order.
    pub fn finish(mut self) -> Result<Vec<f64>, ReportError> {
        self.backend.present().map_err(refused)?;
        Ok(self.lengths)
    }

    fn pixel(&self, (x, y): Point) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn style(&self, color: RGBColor, opacity: f64, width: f64) -> ShapeStyle {
        let stroke_width = ((width * self.scale).round() as u32).max(1);
        ShapeStyle { color: color.mix(opacity), filled: true, stroke_width }
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(
        &mut self,
        from: Point,
        to: Point,
        color: RGBColor,
        opacity: f64,
    ) -> Result<(), ReportError> {
        let style = self.style(color, opacity, 1.0);
        let (from, to) = (self.pixel(from), self.pixel(to));
        // The bitmap backend includes the last pixel of a rectangle, SVG does not.
        let last = i32::from(self.front == Front::Bitmap);
        let to = ((to.0 - last).max(from.0), (to.1 - last).max(from.1));
        self.backend.draw_rect(from, to, &style, true).map_err(refused)
    }

    /// A filled polygon.
    pub fn polygon(
        &mut self,
        corners: &[Point],
        color: RGBColor,
        opacity: f64,
    ) -> Result<(), ReportError> {
        let style = self.style(color, opacity, 1.0);
        let path: Vec<_> = corners.iter().map(|&corner| self.pixel(corner)).collect();
        self.backend.fill_polygon(path, &style).map_err(refused)
    }

    /// A line through points.
    pub fn line(
        &mut self,
        points: &[Point],
        color: RGBColor,
        width: f64,
    ) -> Result<(), ReportError> {
        let style = self.style(color, 1.0, width);
        let mut path: Vec<_> = points.iter().map(|&point| self.pixel(point)).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        self.backend.draw_path(path, &style).map_err(refused)
    }

    /// A dashed line through points: `dash` and the blank after it in logical pixels.
    pub fn dashed(
        &mut self,
        points: &[Point],
        color: RGBColor,
        width: f64,
        (dash, blank): (f64, f64),
    ) -> Result<(), ReportError> {
        let mut stroke = Vec::new();
        let (mut inked, mut left) = (true, dash);
        for pair in points.windows(2) {
            let ((mut x, mut y), end) = (pair[0], pair[1]);
            if inked && stroke.is_empty() {
                stroke.push((x, y));
            }
            loop {
                let length = (end.0 - x).hypot(end.1 - y);
                if length <= left {
                    left -= length;
                    break;
                }
                x += (end.0 - x) * left / length;
                y += (end.1 - y) * left / length;
                if inked {
                    stroke.push((x, y));
                    self.line(&stroke, color, width)?;
                    stroke.clear();
                } else {
                    stroke.push((x, y));
                }
                inked = !inked;
                left = if inked { dash } else { blank };
            }
            if inked {
                stroke.push(end);
            }
        }
        self.line(&stroke, color, width)
    }

    /// The fonts, to measure with.
    pub fn fonts(&self) -> &'static Fonts {
        self.fonts
    }

    /// Width of a text in logical pixels.
    pub fn width(&self, text: &str, kind: Type) -> f64 {
        self.fonts.width(text, kind)
    }

    /// A text on the baseline through `at`.
    pub fn text(
        &mut self,
        text: &str,
        at: Point,
        align: Align,
        kind: Type,
    ) -> Result<(), ReportError> {
        let face = self.fonts.face(kind.bold);
        let text = face.legible(text);
        let width = self.width(&text, kind);
        let left = match align {
            Align::Left => at.0,
            Align::Center => at.0 - width / 2.0,
            Align::Right => at.0 - width,
        };
        if text.trim().is_empty() {
            return Ok(());
        }
        match self.front {
            Front::Bitmap => self.glyphs(&text, (left, at.1), kind),
            Front::Vector => self.whole(&text, (left, at.1), kind, width),
        }
    }

    /// The text glyph by glyph, each at its own bearing.
    fn glyphs(&mut self, text: &str, at: Point, kind: Type) -> Result<(), ReportError> {
        let face = self.fonts.face(kind.bold);
        let em = kind.size * self.scale;
        // plotters puts the baseline half a size below the anchor; an even size has a half.
        let half = (em * face.line / 2.0).round();
        let style = text_style(2.0 * half, kind);
        let top = (at.1 * self.scale).round() as i32 - half as i32;
        let mut x = at.0 * self.scale;
        for letter in text.chars() {
            if let Some(glyph) = face.glyph(letter) {
                let left = (x + glyph.bearing * em).floor() as i32;
                let mut one = [0; 4];
                let one = letter.encode_utf8(&mut one);
                self.backend.draw_text(one, &style, (left, top)).map_err(refused)?;
                x += glyph.advance * em;
            }
        }
        Ok(())
    }

    /// The text in one piece, for a viewer to lay out.
    fn whole(&mut self, text: &str, at: Point, kind: Type, width: f64) -> Result<(), ReportError> {
        let em = kind.size * self.scale;
        // The backend divides the size by 1.24 and puts the baseline 0.76 em below the anchor.
        let style = text_style(em * 1.24, kind);
        let anchor = (at.0 * self.scale, at.1 * self.scale - 0.76 * em);
        let anchor = (anchor.0.round() as i32, anchor.1.round() as i32);
        self.lengths.push(width * self.scale);
        self.backend.draw_text(text, &style, anchor).map_err(refused)
    }
}

/// The weight goes in with the name: set afterwards, it would silently stay regular.
fn text_style(size: f64, kind: Type) -> TextStyle<'static> {
    let weight = if kind.bold { FontStyle::Bold } else { FontStyle::Normal };
    (FAMILY, size, weight).into_font().color(&kind.color)
}

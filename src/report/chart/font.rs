//! The built-in font: its registration with plotters, and the widths and bearings of its glyphs.
//!
//! plotters measures text in whole pixels and drops the bearing of each glyph (the blank before
//! it), which makes text ragged. So the two numbers are read here from the font's own tables
//! (OpenType 1.9: `cmap` format 4, `hmtx`).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use crate::report::ReportError;

use super::pen::Type;

/// The name under which the font is registered. It doubles as the list of families that an SVG
/// asks for.
pub(super) const FAMILY: &str = "'Noto Sans', 'Helvetica Neue', Arial, sans-serif";

/// Regular and bold.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
}

impl Fonts {
    /// The built-in font, registered on first use.
    pub fn get() -> Result<&'static Self, ReportError> {
        static FONTS: OnceLock<Option<Fonts>> = OnceLock::new();
        FONTS.get_or_init(Self::read).as_ref().ok_or(ReportError::Font)
    }

    fn read() -> Option<Self> {
        register_font(FAMILY, FontStyle::Normal, notosans::REGULAR_TTF).ok()?;
        register_font(FAMILY, FontStyle::Bold, notosans::BOLD_TTF).ok()?;
        let regular = Face::read(notosans::REGULAR_TTF)?;
        Some(Self { regular, bold: Face::read(notosans::BOLD_TTF)? })
    }

    /// One of the two weights.
    pub fn face(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }

    /// Width of a text in logical pixels.
    pub fn width(&self, text: &str, kind: Type) -> f64 {
        let face = self.face(kind.bold);
        face.width(&face.legible(text)) * kind.size
    }
}

/// Metrics of one weight, in ems.
pub(super) struct Face {
    /// Ascender minus descender: what plotters calls the size of a font, over its em.
    pub line: f64,
    glyphs: BTreeMap<char, Glyph>,
}

/// Metrics of one glyph, in ems.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    /// How far the next glyph is.
    pub advance: f64,
    /// Blank before its ink; negative where the ink starts early.
    pub bearing: f64,
}

impl Face {
    fn read(font: &[u8]) -> Option<Self> {
        let em = f64::from(word(font, table(font, b"head")? + 18)?);
        let heading = table(font, b"hhea")?;
        let line = f64::from(signed(font, heading + 4)?) - f64::from(signed(font, heading + 6)?);
        let long_metrics = usize::from(word(font, heading + 34)?);
        let metrics = table(font, b"hmtx")?;
        let mut glyphs = BTreeMap::new();
        for (letter, index) in letters(font)? {
            let own = usize::from(index).min(long_metrics.checked_sub(1)?);
            let advance = f64::from(word(font, metrics + 4 * own)?);
            let short = usize::from(index).saturating_sub(own);
            let place = metrics + 4 * own + 2 + 2 * short;
            let bearing = f64::from(signed(font, place)?);
            glyphs.insert(letter, Glyph { advance: advance / em, bearing: bearing / em });
        }
        Some(Self { line: line / em, glyphs })
    }

    /// Metrics of a letter, none if the font lacks it.
    pub fn glyph(&self, letter: char) -> Option<Glyph> {
        self.glyphs.get(&letter).copied()
    }

    /// Width of a text in ems.
    pub fn width(&self, text: &str) -> f64 {
        text.chars().filter_map(|letter| self.glyph(letter)).map(|glyph| glyph.advance).sum()
    }

    /// The text with every letter that the font lacks replaced by `?`, blanks by plain ones.
    pub fn legible(&self, text: &str) -> String {
        let known = |letter: char| match letter {
            _ if letter.is_whitespace() || letter.is_control() => ' ',
            _ if self.glyphs.contains_key(&letter) => letter,
            _ => '?',
        };
        text.chars().map(known).collect()
    }
}

fn word(font: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(font.get(at..at + 2)?.try_into().ok()?))
}

fn signed(font: &[u8], at: usize) -> Option<i16> {
    word(font, at).map(u16::cast_signed)
}

fn long(font: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(font.get(at..at + 4)?.try_into().ok()?) as usize)
}

/// Where a table starts.
fn table(font: &[u8], tag: &[u8; 4]) -> Option<usize> {
    let count = usize::from(word(font, 4)?);
    let record =
        (0..count).map(|index| 12 + 16 * index).find(|&at| font.get(at..at + 4) == Some(tag));
    long(font, record? + 8)
}

/// Every letter of the font's Unicode map with its glyph index.
fn letters(font: &[u8]) -> Option<Vec<(char, u16)>> {
    let map = table(font, b"cmap")?;
    let count = usize::from(word(font, map + 2)?);
    let starts = (0..count).filter_map(|index| long(font, map + 8 + 8 * index));
    let segments = starts.map(|start| map + start).find(|&at| word(font, at) == Some(4))?;
    let twice = usize::from(word(font, segments + 6)?);
    let mut out = Vec::new();
    for segment in (0..twice).step_by(2) {
        let last = word(font, segments + 14 + segment)?;
        let first = word(font, segments + 16 + twice + segment)?;
        let delta = word(font, segments + 16 + 2 * twice + segment)?;
        let offset_at = segments + 16 + 3 * twice + segment;
        let offset = usize::from(word(font, offset_at)?);
        for code in first..=last {
            let index = if offset == 0 {
                code.wrapping_add(delta)
            } else {
                match word(font, offset_at + offset + 2 * usize::from(code - first)) {
                    Some(index) if index > 0 => index.wrapping_add(delta),
                    _ => 0,
                }
            };
            if let Some(letter) = char::from_u32(u32::from(code)).filter(|_| index > 0) {
                out.push((letter, index));
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_the_charts_use() {
        let fonts = Fonts::get().expect("the built-in font is readable");
        for bold in [false, true] {
            let face = fonts.face(bold);
            let used: String = (' '..='~').chain("±×–—’“”…äöüéßñ".chars()).collect();
            assert_eq!(face.legible(&used), used);
            assert_eq!(face.legible("a\nb\u{4e2d}"), "a b?");
        }
    }

    #[test]
    fn metrics_are_those_of_the_font() {
        let fonts = Fonts::get().expect("the built-in font is readable");
        let face = fonts.face(false);
        // Noto Sans: 2048 units per em, line from -600 to 2189, digits all 1171 wide.
        assert!((face.line - 2789.0 / 2048.0).abs() < 1e-12);
        assert!((face.width("0123456789") - 10.0 * 1171.0 / 2048.0).abs() < 1e-9);
        assert!(fonts.face(true).width("gap") > face.width("gap"));
    }
}

//! The charts, each as PNG and as SVG from one drawing function.
//!
//! `place` finds room for labels and ticks, `font` measures text, `pen` draws on either backend,
//! `text` is what stands above and below a chart. For the capacity gap chart `curves` turns the
//! answer into lines and areas, and `gap` composes it from the `frame` around it, the areas and
//! lines, and the `labels`. `heatmap` draws the map of a sweep, `frontier` the frontiers of
//! serving, on a `log_axis` each way.

mod curves;
mod font;
mod frame;
mod frontier;
mod gap;
mod heatmap;
mod labels;
mod log_axis;
mod pen;
mod place;
mod text;

use plotters::prelude::{BitMapBackend, SVGBackend};

use crate::plan::{Answer, Provenance};

use super::ReportError;
use super::frontier::{FrontierReport, Measure};
use super::heat::Heat;
use font::Fonts;
use pen::{Front, Pen};

/// Width of every chart, and height of the gap chart, in logical pixels.
const SIZE: (u32, u32) = (1200, 640);
/// The bitmap is drawn at four times the logical size and halved: plotters does not smooth the
/// edges of thick lines, and places text at whole pixels.
const DRAWN: u32 = 4;
/// Pixels of the PNG for one logical pixel.
const KEPT: u32 = 2;
/// The vector backend takes whole numbers only: ten of them make one logical pixel.
const VECTOR: u32 = 10;

/// What a picture belongs to.
pub(super) struct Stamp<'a> {
    /// For screen readers.
    pub title: &'a str,
    /// Content hash.
    pub hash: &'a str,
    /// Seed of every random stream; none where nothing is random.
    pub seed: Option<u64>,
    /// Version of the program.
    pub version: &'a str,
}

impl<'a> Stamp<'a> {
    fn of(answer: &'a Answer) -> Self {
        let Provenance { hash, seed, version, .. } = &answer.provenance;
        Self { title: &answer.finding, hash, seed: Some(*seed), version }
    }
}

/// The capacity gap chart as an SVG document of 1200 x 640. Fonts are not embedded: text names
/// Noto Sans with common fallbacks and carries its intended length, so that the layout holds
/// with any of them.
///
/// # Errors
///
/// [`ReportError::Font`] or [`ReportError::Draw`], neither of which an answer can cause.
pub fn gap_svg(answer: &Answer) -> Result<String, ReportError> {
    svg(SIZE, &Stamp::of(answer), |pen| gap::draw(pen, answer))
}

/// The capacity gap chart as a PNG of 2400 x 1280 pixels (1200 x 640 at twice the density), with
/// the scenario's hash, the seed and the version as text chunks.
///
/// # Errors
///
/// [`ReportError::Font`], [`ReportError::Draw`] or [`ReportError::Encode`], none of which an
/// answer can cause.
pub fn gap_png(answer: &Answer) -> Result<Vec<u8>, ReportError> {
    png(SIZE, &Stamp::of(answer), |pen| gap::draw(pen, answer))
}

/// The heatmap of a sweep as an SVG document, as wide as the gap chart and as high as it needs.
///
/// # Errors
///
/// As [`gap_svg`].
pub fn heatmap_svg(heat: &Heat) -> Result<String, ReportError> {
    let layout = heatmap::Layout::of(heat, Fonts::get()?);
    svg(layout.size(), &heat.stamp(), |pen| heatmap::draw(pen, heat, &layout))
}

/// The same as a PNG of twice the density, with the hash of the sweep, the seed and the version
/// as text chunks.
///
/// # Errors
///
/// As [`gap_png`].
pub fn heatmap_png(heat: &Heat) -> Result<Vec<u8>, ReportError> {
    let layout = heatmap::Layout::of(heat, Fonts::get()?);
    png(layout.size(), &heat.stamp(), |pen| heatmap::draw(pen, heat, &layout))
}

/// The frontiers of one model as an SVG document, as wide as the gap chart: by one measure, or by
/// all three side by side.
///
/// # Errors
///
/// As [`gap_svg`].
pub fn frontier_svg(
    report: &FrontierReport<'_>,
    model: &str,
    only: Option<Measure>,
) -> Result<String, ReportError> {
    let layout = frontier::Layout::of(report, model, only, Fonts::get()?);
    let (title, hash) = (layout.title(), report.hash());
    svg(layout.size(), &unseeded(&title, &hash), |pen| frontier::draw(pen, &layout))
}

/// The same as a PNG of twice the density, with the hash of the numbers and the version as text
/// chunks.
///
/// # Errors
///
/// As [`gap_png`].
pub fn frontier_png(
    report: &FrontierReport<'_>,
    model: &str,
    only: Option<Measure>,
) -> Result<Vec<u8>, ReportError> {
    let layout = frontier::Layout::of(report, model, only, Fonts::get()?);
    let (title, hash) = (layout.title(), report.hash());
    png(layout.size(), &unseeded(&title, &hash), |pen| frontier::draw(pen, &layout))
}

fn unseeded<'a>(title: &'a str, hash: &'a str) -> Stamp<'a> {
    Stamp { title, hash, seed: None, version: env!("CARGO_PKG_VERSION") }
}

fn svg(
    size: (u32, u32),
    stamp: &Stamp<'_>,
    draw: impl FnOnce(&mut Pen<SVGBackend<'_>>) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let mut body = String::new();
    let backend = SVGBackend::with_string(&mut body, (size.0 * VECTOR, size.1 * VECTOR));
    let mut pen = Pen::new(backend, Front::Vector, f64::from(VECTOR))?;
    draw(&mut pen)?;
    let lengths = pen.finish()?;
    Ok(finished_svg(&body, size, &lengths, stamp))
}

fn png(
    size: (u32, u32),
    stamp: &Stamp<'_>,
    draw: impl FnOnce(&mut Pen<BitMapBackend<'_>>) -> Result<(), ReportError>,
) -> Result<Vec<u8>, ReportError> {
    let (width, height) = (size.0 * DRAWN, size.1 * DRAWN);
    let mut pixels = vec![255; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
    let mut pen = Pen::new(backend, Front::Bitmap, f64::from(DRAWN))?;
    draw(&mut pen)?;
    pen.finish()?;
    encoded(&halved(&pixels, width as usize), size, stamp)
}

/// Sets the logical size, a title for screen readers, what run it was, and text lengths.
fn finished_svg(body: &str, size: (u32, u32), lengths: &[f64], stamp: &Stamp<'_>) -> String {
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0 * VECTOR, size.1 * VECTOR);
    let logical = format!("width=\"{}\" height=\"{}\" role=\"img\"", size.0, size.1);
    let sized = body.replacen(&drawn, &logical, 1);
    let (head, rest) = sized.split_once('\n').unwrap_or((&sized, ""));
    let seed = stamp.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let mut out = format!(
        "{head}\n<title>{}</title>\n<desc>hash {}{seed}, version {}</desc>\n",
        escaped(stamp.title),
        escaped(stamp.hash),
        escaped(stamp.version),
    );
    // Texts were drawn in this order, and no text can contain the tag: `<` is escaped in it.
    let mut texts = rest.split("<text ");
    out.push_str(texts.next().unwrap_or(""));
    for (text, length) in texts.zip(lengths) {
        out.push_str(&format!(
            "<text textLength=\"{length:.0}\" lengthAdjust=\"spacingAndGlyphs\" {text}"
        ));
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The mean of each two by two pixels.
fn halved(pixels: &[u8], width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / 4);
    for rows in pixels.chunks_exact(width * 3 * 2) {
        let (upper, lower) = rows.split_at(width * 3);
        for (two_above, two_below) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let sum = [two_above[channel], two_above[channel + 3]]
                    .into_iter()
                    .chain([two_below[channel], two_below[channel + 3]])
                    .map(u16::from)
                    .sum::<u16>();
                out.push(((sum + 2) / 4) as u8);
            }
        }
    }
    out
}

fn encoded(pixels: &[u8], size: (u32, u32), stamp: &Stamp<'_>) -> Result<Vec<u8>, ReportError> {
    let failed = |cause: png::EncodingError| ReportError::Encode(cause.to_string());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0 * KEPT, size.1 * KEPT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // 96 logical pixels per inch, an inch being 25.4 mm.
    let per_metre = (f64::from(96 * KEPT) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    let seed = stamp.seed.map(|seed| ("seed", seed.to_string()));
    let hash = ("hash", stamp.hash.to_owned());
    let version = ("version", stamp.version.to_owned());
    for (key, text) in [Some(hash), seed, Some(version)].into_iter().flatten() {
        encoder.add_text_chunk(key.to_owned(), text).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

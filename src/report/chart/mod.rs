//! The capacity gap chart, as PNG and as SVG from one drawing function.
//!
//! `curves` turns the answer into lines and areas, `place` finds room for labels and ticks,
//! `font` measures text, `pen` draws on either backend. `gap` composes the chart from the `frame`
//! around it, the areas and lines, and the `labels`.

mod curves;
mod font;
mod frame;
mod gap;
mod labels;
mod pen;
mod place;

use plotters::prelude::{BitMapBackend, SVGBackend};

use crate::plan::Answer;

use super::ReportError;
use pen::{Front, Pen};

/// Width and height of the chart in logical pixels.
const SIZE: (u32, u32) = (1200, 640);
/// The bitmap is drawn at four times the logical size and halved: plotters does not smooth the
/// edges of thick lines, and places text at whole pixels.
const DRAWN: u32 = 4;
/// Pixels of the PNG for one logical pixel.
const KEPT: u32 = 2;
/// The vector backend takes whole numbers only: ten of them make one logical pixel.
const VECTOR: u32 = 10;

/// The capacity gap chart as an SVG document of 1200 x 640. Fonts are not embedded: text names
/// Noto Sans with common fallbacks and carries its intended length, so that the layout holds
/// with any of them.
///
/// # Errors
///
/// [`ReportError::Font`] or [`ReportError::Draw`], neither of which an answer can cause.
pub fn gap_svg(answer: &Answer) -> Result<String, ReportError> {
    let mut body = String::new();
    let size = (SIZE.0 * VECTOR, SIZE.1 * VECTOR);
    let backend = SVGBackend::with_string(&mut body, size);
    let mut pen = Pen::new(backend, Front::Vector, f64::from(VECTOR))?;
    gap::draw(&mut pen, answer)?;
    let lengths = pen.finish()?;
    Ok(finished_svg(&body, &lengths, answer))
}

/// The capacity gap chart as a PNG of 2400 x 1280 pixels (1200 x 640 at twice the density), with
/// the scenario's hash, the seed and the version as text chunks.
///
/// # Errors
///
/// [`ReportError::Font`], [`ReportError::Draw`] or [`ReportError::Encode`], none of which an
/// answer can cause.
pub fn gap_png(answer: &Answer) -> Result<Vec<u8>, ReportError> {
    let (width, height) = (SIZE.0 * DRAWN, SIZE.1 * DRAWN);
    let mut pixels = vec![255; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
    let mut pen = Pen::new(backend, Front::Bitmap, f64::from(DRAWN))?;
    gap::draw(&mut pen, answer)?;
    pen.finish()?;
    encoded(&halved(&pixels, width as usize), answer)
}

/// Sets the logical size, a title for screen readers, what run it was, and text lengths.
fn finished_svg(body: &str, lengths: &[f64], answer: &Answer) -> String {
    let drawn = format!("width=\"{}\" height=\"{}\"", SIZE.0 * VECTOR, SIZE.1 * VECTOR);
    let logical = format!("width=\"{}\" height=\"{}\" role=\"img\"", SIZE.0, SIZE.1);
    let sized = body.replacen(&drawn, &logical, 1);
    let (head, rest) = sized.split_once('\n').unwrap_or((&sized, ""));
    let from = &answer.provenance;
    let mut out = format!(
        "{head}\n<title>{}</title>\n<desc>hash {}, seed {}, version {}</desc>\n",
        escaped(&answer.finding),
        escaped(&from.hash),
        from.seed,
        escaped(&from.version),
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

fn encoded(pixels: &[u8], answer: &Answer) -> Result<Vec<u8>, ReportError> {
    let failed = |cause: png::EncodingError| ReportError::Encode(cause.to_string());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIZE.0 * KEPT, SIZE.1 * KEPT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // 96 logical pixels per inch, an inch being 25.4 mm.
    let per_metre = (f64::from(96 * KEPT) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    let from = &answer.provenance;
    let chunks = [
        ("hash", from.hash.clone()),
        ("seed", from.seed.to_string()),
        ("version", from.version.clone()),
    ];
    for (key, text) in chunks {
        encoder.add_text_chunk(key.to_owned(), text).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

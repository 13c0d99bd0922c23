//! The frontier charts: not blank, every curve and mark in its colour, no text over another.

use sparkgap::engine::CallShape;
use sparkgap::hardware::{accelerators, measured_points, models};
use sparkgap::report::{FrontierReport, Measure, frontier_png, frontier_svg};
use sparkgap::study::{Frontier, FrontierAsk, ServingMode, frontier};
use sparkgap::time::FleetTime;

const MODEL: &str = "deepseek_r1";

fn found(names: &[&str], prompt: u32) -> Frontier {
    let pair = |name: &&str| accelerators().get_key_value(*name).expect("in the catalogue");
    frontier(&FrontierAsk {
        accelerators: names.iter().map(pair).map(|(name, one)| (name.as_str(), one)).collect(),
        models: vec![(MODEL, &models()[MODEL])],
        calls: CallShape::fixed(prompt, 0.0, 1_024).means(),
        time: FleetTime::parse("2026-12").expect("a date"),
        precision: None,
        modes: vec![ServingMode::Disaggregated],
        ttft: None,
        speeds: vec![10.0, 30.0, 50.0, 100.0],
        measured: measured_points(),
    })
}

fn report(frontier: &Frontier) -> FrontierReport<'_> {
    FrontierReport {
        frontier,
        calls: CallShape::fixed(8_192, 0.0, 1_024).means(),
        time: FleetTime::parse("2026-12").expect("a date"),
    }
}

/// Size, and three bytes for each pixel.
fn decoded(bytes: &[u8]) -> ((u32, u32), Vec<u8>) {
    let mut reader =
        png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
    reader.next_frame(&mut pixels).expect("pixels");
    ((reader.info().width, reader.info().height), pixels)
}

/// Part of the pixels that are this colour, a little blur aside.
fn share_of(pixels: &[u8], color: [u8; 3]) -> f64 {
    let near = |pixel: &&[u8]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 24);
    pixels.chunks_exact(3).filter(near).count() as f64 / (pixels.len() / 3) as f64
}

#[test]
fn the_png_shows_curves_marks_and_text() {
    let found = found(&["b200", "vera_rubin"], 8_192);
    let report = report(&found);
    let ((width, height), pixels) = decoded(&frontier_png(&report, MODEL, None).expect("drawn"));
    assert!(width == 2_400 && height > 1_000, "{width} {height}");
    assert!(share_of(&pixels, [0x00, 0x72, 0xB2]) > 0.001, "the first curve is blue");
    assert!(share_of(&pixels, [0xD5, 0x5E, 0x00]) > 0.001, "the second curve is vermilion");
    assert!(share_of(&pixels, [0x22, 0x28, 0x31]) > 0.002, "titles are ink");
    assert!(share_of(&pixels, [0xFF, 0xFF, 0xFF]) > 0.5, "and the sheet is white");
    // The measured point of B200 is a disc of its colour: 18 pixels across.
    let without = Frontier { measured: Vec::new(), ..found.clone() };
    let bare = FrontierReport { frontier: &without, ..report };
    let (_, bare) = decoded(&frontier_png(&bare, MODEL, None).expect("drawn"));
    let blue = |pixels: &[u8]| share_of(pixels, [0x00, 0x72, 0xB2]);
    assert!(blue(&pixels) > blue(&bare), "marks are drawn");
}

/// A text of an SVG and the rectangle that it fills, in tenths of logical pixels.
struct Text {
    words: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn texts(svg: &str) -> Vec<Text> {
    let parse = |part: &str| {
        let value = |key: &str| {
            let (_, rest) = part.split_once(&format!("{key}=\""))?;
            rest.split_once('"')?.0.parse::<f64>().ok()
        };
        let (_, rest) = part.split_once('>')?;
        let words = rest.split_once("</text>")?.0.trim().to_owned();
        let (left, anchor, size) = (value(" x")?, value(" y")?, value("font-size")?);
        // The baseline is 0.76 em below the anchor; letters reach 0.73 em above it and 0.21 below.
        let base = anchor + 0.76 * size;
        let right = left + value("textLength")?;
        Some(Text { words, left, right, top: base - 0.73 * size, bottom: base + 0.21 * size })
    };
    svg.split("<text ").skip(1).filter_map(parse).collect()
}

fn meets(a: &Text, b: &Text) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

fn all() -> Vec<&'static str> {
    accelerators().keys().map(String::as_str).collect()
}

#[test]
fn no_text_lies_over_another() {
    for names in [vec!["gb300"], vec!["gb200", "gb300", "vera_rubin", "mtia_450"], all()] {
        for prompt in [1_024, 8_192] {
            let found = found(&names, prompt);
            let report = report(&found);
            let measures = [None, Some(Measure::Gpu), Some(Measure::Megawatt)];
            for only in measures.into_iter().chain([Some(Measure::Dollar)]) {
                let svg = frontier_svg(&report, MODEL, only).expect("drawn");
                assert!(svg.starts_with("<svg width=\"1200\"") && !svg.contains("NaN"));
                let texts = texts(&svg);
                for (index, one) in texts.iter().enumerate() {
                    assert!(!one.words.contains('?'), "{}: a glyph is missing", one.words);
                    assert!(one.left >= 0.0 && one.right <= 12_000.0, "{}", one.words);
                    for other in &texts[index + 1..] {
                        assert!(!meets(one, other), "{:?} {:?}", one.words, other.words);
                    }
                }
                for curve in &found.curves {
                    let label = format!("{}, {}", curve.label, curve.provenance.word());
                    assert!(texts.iter().any(|text| text.words == label), "{label}");
                }
                let axes = texts.iter().filter(|text| text.words.starts_with("Output tokens"));
                // A title and a name below it for each panel.
                assert_eq!(axes.count(), if only.is_none() { 6 } else { 2 });
            }
        }
    }
}

#[test]
fn the_same_numbers_give_the_same_picture() {
    let found = found(&["gb300", "vera_rubin"], 8_192);
    let report = report(&found);
    let draw = || frontier_svg(&report, MODEL, None).expect("drawn");
    assert_eq!(draw(), draw());
    // Without marks and with one speed there is still a chart.
    let mut bare = Frontier { measured: Vec::new(), ..found.clone() };
    for curve in &mut bare.curves {
        curve.points.retain(|place| place.listed);
        curve.points.truncate(1);
    }
    let svg = frontier_svg(&FrontierReport { frontier: &bare, ..report }, MODEL, None);
    let svg = svg.expect("drawn");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

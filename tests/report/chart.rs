//! The capacity gap chart.

use sparkgap::plan::Answer;
use sparkgap::report::{gap_png, gap_svg, table, write_folder};

use crate::answers;

/// An image as it decodes: size, three bytes for each pixel, text chunks.
struct Image {
    size: (u32, u32),
    pixels: Vec<u8>,
    chunks: Vec<(String, String)>,
}

fn decoded(bytes: &[u8]) -> Image {
    let mut reader =
        png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
    reader.next_frame(&mut pixels).expect("pixels");
    let info = reader.info();
    let chunks = info.uncompressed_latin1_text.iter();
    Image {
        size: (info.width, info.height),
        chunks: chunks.map(|chunk| (chunk.keyword.clone(), chunk.text.clone())).collect(),
        pixels,
    }
}

impl Image {
    /// Part of the pixels that are this colour, a little blur aside.
    fn share_of(&self, color: [u8; 3]) -> f64 {
        let near = |pixel: &&[u8]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 24);
        let hits = self.pixels.chunks_exact(3).filter(near).count();
        hits as f64 / (self.pixels.len() / 3) as f64
    }
}

/// Vermilion at 88 % on white.
const SHADED: [u8; 3] = [0xDA, 0x71, 0x1F];

#[test]
fn the_png_shows_the_gap() {
    let answer = answers::short();
    let bytes = gap_png(&answer).expect("drawn");

    let image = decoded(&bytes);
    assert_eq!(image.size, (2400, 1280));
    let chunk = |key: &str| image.chunks.iter().find(|(known, _)| known == key).map(|(_, t)| &**t);
    assert_eq!(chunk("hash"), Some(&*answer.provenance.hash));
    assert_eq!((chunk("seed"), chunk("version")), (Some("42"), Some("0.1.0")));
    assert!(image.share_of(SHADED) > 0.01, "the gap is shaded");
    assert!(image.share_of([0x00, 0x72, 0xB2]) > 0.005, "the first layer is blue");
    assert!(image.share_of([0x22, 0x28, 0x31]) > 0.002, "demand and titles are ink");
}

#[test]
fn a_surplus_is_not_shaded() {
    let image = decoded(&gap_png(&answers::surplus()).expect("drawn"));
    assert_eq!(image.share_of(SHADED), 0.0);
    let svg = gap_svg(&answers::surplus()).expect("drawn");
    assert!(
        svg.contains("Mean capacity over P50 demand at the last peak: 4")
            && svg.contains("nowhere above usable capacity"),
        "no surplus named"
    );
}

/// Texts of an SVG in the order in which they were drawn.
fn texts(svg: &str) -> Vec<String> {
    let inner = |part: &str| {
        let (_, rest) = part.split_once('>')?;
        Some(rest.split_once("</text>")?.0.trim().to_owned())
    };
    svg.split("<text ").skip(1).filter_map(inner).collect()
}

fn cases() -> [(&'static str, Answer); 5] {
    [
        ("short", answers::short()),
        ("surplus", answers::surplus()),
        ("twelve", answers::twelve_sources()),
        ("far", answers::far_short()),
        ("zero", answers::zero()),
    ]
}

#[test]
fn every_case_draws() {
    for (name, answer) in cases() {
        let svg = gap_svg(&answer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(svg.len() < 200_000 && svg.starts_with("<svg width=\"1200\" height=\"640\""));
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"), "{name}");
        let texts = texts(&svg);
        assert!(texts.iter().all(|text| !text.contains('?')), "{name}: a glyph is missing");
        let title = texts.concat().replace(' ', "");
        assert!(title.starts_with(&answer.finding.replace(' ', "")), "{name}: {texts:?}");
        for source in &answer.sources {
            let label = &source.label;
            let named =
                texts.iter().any(|text| text == label || text.starts_with(&format!("{label} ")));
            assert!(named, "{name}: {} has no label", source.label);
        }
        assert_eq!(svg, gap_svg(&answer).expect("drawn"), "{name}: not the same twice");
    }
}

#[test]
fn labels_at_the_edge_do_not_collide() {
    let svg = gap_svg(&answers::twelve_sources()).expect("drawn");
    let mut places: Vec<f64> = svg
        .split("<text ")
        .skip(1)
        .filter(|part| part.contains(">\nDemand P") || part.contains("  "))
        .filter_map(|part| {
            let value = |key: &str| {
                let (_, rest) = part.split_once(&format!(" {key}=\""))?;
                rest.split_once('"')?.0.parse::<f64>().ok()
            };
            (value("x")? > 8_000.0).then_some(value("y")?)
        })
        .collect();
    places.sort_by(f64::total_cmp);
    assert!(places.len() >= 9, "{places:?}");
    // Ten units of the drawing are a logical pixel; the labels are 13 pixels high.
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 130.0), "{places:?}");
}

#[test]
fn short_or_missing_horizons_draw() {
    let mut answer = answers::short();
    for quarters in [4, 1, 0] {
        answer.quarters.truncate(quarters);
        let svg = gap_svg(&answer).expect("drawn");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{quarters} quarters");
    }
    answer = answers::short();
    answer.finding = "word ".repeat(200);
    answer.sources[0].label = "<&\"\u{4e2d} a name without an end ".repeat(9);
    let svg = gap_svg(&answer).expect("drawn");
    assert!(svg.contains("&lt;&amp;&quot;?") && svg.contains("..."));
}

/// Charts and tables of every case, to be looked at after a change of the drawing.
#[test]
#[ignore = "writes samples to target/tmp/report-samples for people to look at"]
fn samples() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-samples");
    for (name, answer) in cases() {
        let files = [
            (format!("{name}.png"), gap_png(&answer).expect("drawn")),
            (format!("{name}.svg"), gap_svg(&answer).expect("drawn").into_bytes()),
            (format!("{name}.txt"), table(&answer, Some(120)).into_bytes()),
        ];
        for (name, bytes) in files {
            write_folder(&folder, &[(&name, bytes)]).expect("room");
        }
    }
}

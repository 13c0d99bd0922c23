//! What a log says it is of, held against what its step time is written for.

use serde::Serialize;

use crate::hardware::{Accelerator, Llm, Precision, model_known_as, models};

/// Longest text that is taken over from the file of limits, characters.
const LONGEST: usize = 120;
/// Words of a device that do not say which one it is.
const MAKERS: [&str; 8] =
    ["nvidia", "amd", "geforce", "instinct", "tesla", "graphics", "gpu", "announced"];
/// How the words begin that say how large a device is or how it is built in.
const BUILD: [&str; 6] = ["nvl", "hbm", "sxm", "pcie", "oam", "helios"];
/// Words of a model that do not say which one it is.
const KINDS: [&str; 8] = ["proxy", "dense", "instruct", "chat", "base", "meta", "model", "preview"];
/// Models whose checkpoints have other weights than the type of their tokens says.
const OWN_FORMATS: [&str; 4] = ["gpt-oss", "deepseek", "kimi", "minimax"];

/// What the file of limits says was measured; what it does not say is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Recorded {
    /// The device.
    pub(super) device: Option<String>,
    /// The model as it was published.
    pub(super) model: Option<String>,
    /// Quantisation of the weights, else the type that the model was run in.
    pub(super) weights: Option<String>,
    /// GPUs of the replica.
    pub(super) gpus: Option<u32>,
}

/// What a step time is written for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) accelerator: &'a Accelerator,
    pub(super) model_name: &'a str,
    pub(super) model: &'a Llm,
    pub(super) precision: Precision,
    pub(super) gpus: u32,
}

/// A text of the file in one line, of no more than a line; `None` for an empty one.
pub(super) fn text(text: &str) -> Option<String> {
    let plain = |c: char| if c.is_control() || matches!(c, '"' | '\\') { ' ' } else { c };
    let text: String = text.trim().chars().take(LONGEST).map(plain).collect();
    (!text.is_empty()).then_some(text)
}

impl Recorded {
    /// All of it in words that follow a noun: ` of MODEL in WEIGHTS on DEVICE`.
    pub(super) fn words(&self) -> String {
        let part = |before: &str, part: &Option<String>| {
            part.as_ref().map_or(String::new(), |part| format!(" {before} {part}"))
        };
        part("of", &self.model) + &part("in", &self.weights) + &part("on", &self.device)
    }

    /// Where what was measured is plainly not what the step time is written for: both sides.
    pub(super) fn against(&self, target: &Target<'_>) -> Option<String> {
        let mut differ: Vec<String> = Vec::new();
        let label = &target.accelerator.label;
        if let Some(device) = self.device.as_ref().filter(|device| !same_device(device, target)) {
            differ.push(format!("the device is {device}, not {label} (`{}`)", target.name));
        }
        if let Some(model) = self.model.as_ref().filter(|model| !same_model(model, target)) {
            let label = &target.model.label;
            differ.push(format!("the model is {model}, not {label} (`{}`)", target.model_name));
        }
        let format = self.precision().filter(|format| *format != target.precision);
        if let Some((_, weights)) = format.zip(self.weights.as_ref()) {
            let precision = format!("{:?}", target.precision).to_lowercase();
            differ.push(format!("the weights are {weights}, not {precision}"));
        }
        if let Some(gpus) = self.gpus.filter(|gpus| *gpus != target.gpus) {
            differ.push(format!("a replica has {gpus} GPUs, not {}", target.gpus));
        }
        (!differ.is_empty()).then(|| differ.join("; "))
    }

    /// The format of the weights where it is plain.
    fn precision(&self) -> Option<Precision> {
        let model = self.model.as_deref().unwrap_or_default().to_lowercase();
        let weights = self.weights.as_deref().unwrap_or_default().to_lowercase();
        let of = |text: &str| {
            let known = [
                ("fp8", Precision::Fp8),
                ("fp4", Precision::Fp4),
                ("awq", Precision::Int4),
                ("int4", Precision::Int4),
            ];
            known.into_iter().find(|(word, _)| text.contains(word)).map(|(_, format)| format)
        };
        // The name of a quantised checkpoint says it; the type of its tokens does not.
        let plain = matches!(weights.as_str(), "bfloat16" | "float16" | "half" | "bf16" | "fp16")
            && !OWN_FORMATS.iter().any(|own| model.contains(own));
        of(&weights).or_else(|| of(&model)).or_else(|| plain.then_some(Precision::Bf16))
    }
}

/// Words in lower case, and neighbours as one.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let single: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let pairs = single.windows(2).map(<[&str]>::concat);
    single.iter().map(|word| (*word).to_owned()).chain(pairs).collect()
}

/// Words of a device that say which one it is.
fn parts(text: &str) -> Vec<String> {
    let size = |word: &str| word.strip_suffix("gb").is_some_and(|n| n.parse::<u32>().is_ok());
    let vague = |word: &String| {
        MAKERS.contains(&word.as_str()) || BUILD.iter().any(|b| word.starts_with(b)) || size(word)
    };
    words(text).into_iter().filter(|word| word.len() > 1 && !vague(word)).collect()
}

/// A part number in common; where one of them has none, a word.
fn same_device(device: &str, target: &Target<'_>) -> bool {
    let numbered = |word: &&String| word.chars().any(|c| c.is_ascii_digit());
    let theirs = parts(device);
    let ours = parts(&format!("{} {}", target.name, target.accelerator.label));
    let both = theirs.iter().any(|w| numbered(&w)) && ours.iter().any(|w| numbered(&w));
    let counts = |word: &&String| !both || numbered(word);
    theirs.iter().filter(counts).any(|word| ours.contains(word))
}

/// The catalogue's model of that name has the shape of the target; of a name that it does not
/// know, a word is in common.
fn same_model(name: &str, target: &Target<'_>) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 0.03 * a.max(b);
    if let Some(known) = model_known_as(name).and_then(|known| models().get(known)) {
        let model = target.model;
        return known.layers == model.layers
            && near(known.params.0, model.params.0)
            && near(known.active_params.0, model.active_params.0);
    }
    let short = name.rsplit('/').next().unwrap_or(name);
    let ours = words(&format!("{} {}", target.model_name, target.model.label));
    let says = |word: &String| word.len() > 2 && !KINDS.contains(&word.as_str());
    words(short).iter().filter(|word| says(word)).any(|word| ours.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::accelerators;

    fn target(accelerator: &'static str, model: &'static str) -> Target<'static> {
        Target {
            name: accelerator,
            accelerator: &accelerators()[accelerator],
            model_name: model,
            model: &models()[model],
            precision: Precision::Fp8,
            gpus: 2,
        }
    }

    #[test]
    fn a_device_is_known_by_its_part_number() {
        let same = |device, accelerator| same_device(device, &target(accelerator, "llama_8b"));
        assert!(same("NVIDIA H100 80GB HBM3", "h100") && same("NVIDIA GB300", "gb300"));
        assert!(same("AMD Instinct MI355X", "mi355x") && same("MTIA 400", "mtia_400"));
        assert!(same("NVIDIA B200", "b200") && same("NVIDIA Vera Rubin NVL72", "vera_rubin"));
        assert!(!same("NVIDIA GeForce RTX 4090", "gb300") && !same("NVIDIA GB200", "b200"));
        assert!(!same("NVIDIA H200", "h100") && !same("MTIA 300", "mtia_400"));
        assert!(!same("NVIDIA GB200 NVL72", "gb300") && !same("NVIDIA A100-SXM4-80GB", "h100"));
    }

    #[test]
    fn a_model_is_known_by_its_shape_and_its_format_by_its_words() {
        let same = |name, model| same_model(name, &target("h100", model));
        assert!(same("meta-llama/Llama-3.1-8B-Instruct", "llama_8b"));
        assert!(same("/data/muse-instant-v3", "muse_lite"));
        assert!(!same("meta-llama/Llama-3.1-8B", "muse_lite"));
        assert!(!same("meta-llama/Llama-3.1-8B", "llama_70b") && !same("mistral-7b", "llama_8b"));
        let format = |model: &str, weights: &str| {
            let (model, weights) = (text(model), text(weights));
            Recorded { model, weights, ..Recorded::default() }.precision()
        };
        assert_eq!(format("Llama-3.1-8B", "bfloat16"), Some(Precision::Bf16));
        assert_eq!(format("Llama-3.1-8B", "modelopt_fp4"), Some(Precision::Fp4));
        assert_eq!(format("Llama-3.1-8B-FP8", "bfloat16"), Some(Precision::Fp8));
        assert_eq!(format("openai/gpt-oss-120b", "bfloat16"), None);
        assert_eq!((format("Llama-3.1-8B", "auto"), format("x", "gptq")), (None, None));
    }

    #[test]
    fn both_sides_are_named_or_nothing_is() {
        let recorded = Recorded {
            device: text("NVIDIA H100 80GB HBM3"),
            model: text("meta-llama/Llama-3.1-8B"),
            weights: text("fp8"),
            gpus: Some(2),
        };
        assert_eq!(recorded.against(&target("h100", "llama_8b")), None);
        assert_eq!(Recorded::default().against(&target("h100", "llama_8b")), None);
        let said = recorded.against(&target("h200", "llama_70b")).expect("both differ");
        assert!(said.contains("NVIDIA H100 80GB HBM3, not H200 SXM (`h200`)"), "{said}");
        assert!(said.contains("meta-llama/Llama-3.1-8B, not Llama 3.1 70B"), "{said}");
        assert!(!said.contains("weights") && !said.contains("GPUs"), "{said}");
    }
}

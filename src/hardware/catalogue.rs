//! The accelerators and models that ship with the program, embedded from `configs/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Accelerator, Llm};

const HARDWARE: &str = include_str!("../../configs/hardware.ron");
const LLMS: &str = include_str!("../../configs/models.ron");

static ACCELERATORS: LazyLock<BTreeMap<String, Accelerator>> = LazyLock::new(|| {
    options().from_str(HARDWARE).expect("the embedded catalogue is well formed: a test reads it")
});
static MODELS: LazyLock<BTreeMap<String, Llm>> = LazyLock::new(|| {
    options().from_str(LLMS).expect("the embedded catalogue is well formed: a test reads it")
});

/// File name and text of the catalogue that lies under a section of a scenario, if one does.
#[must_use]
pub fn catalogue_text(section: &str) -> Option<(&'static str, &'static str)> {
    match section {
        "hardware" => Some(("configs/hardware.ron", HARDWARE)),
        "models" => Some(("configs/models.ron", LLMS)),
        _ => None,
    }
}

fn options() -> ron::Options {
    ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
}

/// Accelerators by name.
#[must_use]
pub fn accelerators() -> &'static BTreeMap<String, Accelerator> {
    &ACCELERATORS
}

/// Models by name.
#[must_use]
pub fn models() -> &'static BTreeMap<String, Llm> {
    &MODELS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogues_parse_and_are_not_empty() {
        assert_eq!(accelerators().len(), 15);
        assert_eq!(models().len(), 25);
        for (name, accelerator) in accelerators() {
            let sources = [&accelerator.source, &accelerator.efficiency.source];
            for source in sources {
                assert!(!source.is_empty() && !source.contains('\n'), "{name}: {source:?}");
                assert!(!source.contains("  "), "{name}: {source:?}");
            }
        }
    }
}

//! The accelerators and models that ship with the program, embedded from `configs/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Accelerator, Llm};

static ACCELERATORS: LazyLock<BTreeMap<String, Accelerator>> = LazyLock::new(|| {
    let text = include_str!("../../configs/hardware.ron");
    options().from_str(text).expect("the embedded catalogue is well formed: a test reads it")
});
static MODELS: LazyLock<BTreeMap<String, Llm>> = LazyLock::new(|| {
    let text = include_str!("../../configs/models.ron");
    options().from_str(text).expect("the embedded catalogue is well formed: a test reads it")
});

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
        assert!(accelerators().contains_key("gb300"));
        assert!(!models().is_empty());
    }
}

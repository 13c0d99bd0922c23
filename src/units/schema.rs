//! What a quantity tells about itself to the description of a scenario: a JSON schema with the
//! words of its type under `x-quantity`. The descriptions made of it are in
//! [`crate::scenario::describe`].

use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Value, json};

use super::Quantity;
use super::parse::range_of;

/// Kind, examples, unit names, legal range (null where it has none) and whether a bare number is
/// understood.
fn words<Q: Quantity>() -> Value {
    let units: Vec<&str> = Q::UNITS.iter().map(|unit| unit.0).filter(|u| !u.is_empty()).collect();
    // Where only the size of a number limits it, the field must say what is legal.
    let range = (Q::RANGE != (-f64::MAX, f64::MAX)).then(range_of::<Q>);
    json!({
        "kind": Q::KIND,
        "examples": [Q::EXAMPLE],
        "units": units,
        "range": range,
        "bare": Q::BARE,
    })
}

/// Schema of a plain quantity.
pub(super) fn plain<Q: Quantity>() -> Schema {
    json_schema!({ "x-quantity": words::<Q>() })
}

/// Schema of a quantity that may be uncertain: the written form `T` with the quantity's words.
pub(super) fn uncertain<Q: Quantity, T: JsonSchema>(
    generator: &mut schemars::SchemaGenerator,
) -> Schema {
    let mut schema = T::json_schema(generator);
    // Its words are about writing; the field says what it means.
    schema.remove("description");
    schema.insert("x-quantity".to_owned(), words::<Q>());
    schema
}

//! Reading `"<number>[k|M|B|T] <unit>"` and saying exactly what is wrong with it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};

use super::Quantity;

/// Why a text is not a quantity; displays as one sentence with the fix in it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// No number at the start of the text.
    #[error("`{text}` is not a {kind}: write a number and a unit, for example \"{example}\"")]
    NotANumber {
        /// What was written.
        text: String,
        /// What was wanted.
        kind: &'static str,
        /// A well-formed value.
        example: &'static str,
    },
    /// A number without a unit.
    #[error("{kind} needs its unit: for example \"{example}\" (units: {units})")]
    NoUnit {
        /// What was wanted.
        kind: &'static str,
        /// A well-formed value.
        example: &'static str,
        /// The known units.
        units: String,
    },
    /// A unit that this quantity does not have.
    #[error("unknown {kind} unit `{unit}`; expected one of {units}, for example \"{example}\"")]
    UnknownUnit {
        /// What was wanted.
        kind: &'static str,
        /// What was written.
        unit: String,
        /// The known units.
        units: String,
        /// A well-formed value.
        example: &'static str,
    },
    /// A value outside the legal range.
    #[error("{kind} `{text}` is out of range: {range}")]
    OutOfRange {
        /// What was wanted.
        kind: &'static str,
        /// What was written.
        text: String,
        /// The legal range.
        range: String,
    },
    /// A distribution that is not well formed.
    #[error("`{text}`: {reason}")]
    Distribution {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Splits the leading number from the rest; `1_000` and `1e9` are numbers.
#[must_use]
pub fn parse_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len() {
        let here = bytes[end];
        let sign =
            matches!(here, b'+' | b'-') && (end == 0 || matches!(bytes[end - 1], b'e' | b'E'));
        let exponent = matches!(here, b'e' | b'E')
            && end > 0
            && bytes.get(end + 1).is_some_and(|b| b.is_ascii_digit() || *b == b'-');
        if !(here.is_ascii_digit() || here == b'.' || here == b'_' || sign || exponent) {
            break;
        }
        end += 1;
    }
    let value: f64 = text[..end].replace('_', "").parse().ok()?;
    value.is_finite().then_some((value, text[end..].trim()))
}

fn unit_names<Q: Quantity>() -> String {
    let names: Vec<&str> = Q::UNITS.iter().map(|u| u.0).filter(|u| !u.is_empty()).collect();
    names.join(", ")
}

/// The size of `unit`, with an optional leading k, M, B or T, in base units.
pub(super) fn unit_size<Q: Quantity>(unit: &str) -> Result<f64, QuantityError> {
    let unit = unit.trim();
    let find = |name: &str| Q::UNITS.iter().find(|u| u.0 == name).map(|u| u.1);
    if unit.is_empty() && !Q::BARE {
        let (kind, example) = (Q::KIND, Q::EXAMPLE);
        return Err(QuantityError::NoUnit { kind, example, units: unit_names::<Q>() });
    }
    if let Some(size) = find(unit) {
        return Ok(size);
    }
    let scaled = unit.chars().next().and_then(|first| {
        let scale = match first {
            'k' => 1e3,
            'M' => 1e6,
            'B' => 1e9,
            'T' => 1e12,
            _ => return None,
        };
        let rest = unit[1..].trim();
        let plain = rest.is_empty() && !Q::BARE;
        if plain { None } else { find(rest).map(|size| size * scale) }
    });
    scaled.ok_or_else(|| QuantityError::UnknownUnit {
        kind: Q::KIND,
        unit: unit.to_owned(),
        units: unit_names::<Q>(),
        example: Q::EXAMPLE,
    })
}

/// Checks a value in base units against the legal range of its quantity.
pub(super) fn in_range<Q: Quantity>(value: f64, text: &str) -> Result<f64, QuantityError> {
    let (low, high) = Q::RANGE;
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(value);
    }
    let range = range_of::<Q>();
    Err(QuantityError::OutOfRange { kind: Q::KIND, text: text.to_owned(), range })
}

/// The legal range of a quantity in words.
pub(super) fn range_of<Q: Quantity>() -> String {
    let (low, high) = Q::RANGE;
    let percent = Q::UNITS.iter().find_map(|unit| unit.0.strip_prefix('%'));
    let name = base_unit::<Q>();
    let range = match (low <= -f64::MAX, high >= f64::MAX, percent) {
        (true, true, _) => "it must be finite".to_owned(),
        (false, true, _) => format!("at least {low} {name}"),
        (true, false, _) => format!("at most {high} {name}"),
        (false, false, Some(per)) => {
            format!("between {}%{per} and {}%{per}", low * 100.0, high * 100.0)
        }
        (false, false, None) => format!("between {low} and {high} {name}"),
    };
    range.trim_end().to_owned()
}

/// Reads one plain quantity, `"2 GW"`.
///
/// # Errors
/// When the text has no number, no unit, an unknown unit, or a value out of range.
pub fn parse_quantity<Q: Quantity>(text: &str) -> Result<Q, QuantityError> {
    let (number, unit) = parse_number(text).ok_or_else(|| QuantityError::NotANumber {
        text: text.to_owned(),
        kind: Q::KIND,
        example: Q::EXAMPLE,
    })?;
    if unit.starts_with(',') {
        let reason = "numbers have a point, and `_` between thousands: 10.5, 1_000".to_owned();
        return Err(QuantityError::Distribution { text: text.to_owned(), reason });
    }
    let value = number * unit_size::<Q>(unit)?;
    in_range::<Q>(value, text).map(Q::from_base)
}

/// The error for a bare number where a unit is needed.
pub(super) fn bare_number<Q: Quantity>() -> QuantityError {
    QuantityError::NoUnit { kind: Q::KIND, example: Q::EXAMPLE, units: unit_names::<Q>() }
}

struct PlainVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> PlainVisitor<Q> {
    fn bare<E: Error>(value: f64) -> Result<Q, E> {
        if !Q::BARE {
            return Err(E::custom(bare_number::<Q>()));
        }
        in_range::<Q>(value, &value.to_string()).map(Q::from_base).map_err(E::custom)
    }
}

impl<Q: Quantity> Visitor<'_> for PlainVisitor<Q> {
    type Value = Q;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} in quotes, for example \"{}\"", Q::KIND, Q::EXAMPLE)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Q, E> {
        parse_quantity(text).map_err(E::custom)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Q, E> {
        Self::bare(value)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Q, E> {
        Self::bare(value as f64)
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Q, E> {
        Self::bare(value as f64)
    }
}

/// `Deserialize` of every plain quantity.
pub(super) fn deserialize<'de, Q: Quantity, D: Deserializer<'de>>(from: D) -> Result<Q, D::Error> {
    from.deserialize_any(PlainVisitor(PhantomData))
}

/// `Serialize` of every plain quantity: the shortest decimal that reads back to the same bits.
pub(super) fn serialize<Q: Quantity, S: serde::Serializer>(
    value: Q,
    to: S,
) -> Result<S::Ok, S::Error> {
    if Q::BARE {
        return to.serialize_f64(value.base());
    }
    // Percent as people write it, where some percentage reads back to the same bits.
    let percent = Q::UNITS.iter().any(|unit| unit.0 == "%");
    match exact_percent(value.base()).filter(|_| percent) {
        Some(shown) => to.serialize_str(&format!("{shown}%")),
        None => to.serialize_str(&format!("{} {}", value.base(), base_unit::<Q>())),
    }
}

/// Name of the unit in which a quantity is held.
pub(super) fn base_unit<Q: Quantity>() -> &'static str {
    Q::UNITS.iter().find(|unit| unit.1 == 1.0).map_or("", |unit| unit.0)
}

/// The percentage next to `share` whose product with 0.01 is exactly `share`, if there is one.
fn exact_percent(share: f64) -> Option<f64> {
    let guess = share * 100.0;
    let around = |steps: i64| f64::from_bits(guess.to_bits().wrapping_add_signed(steps));
    let near = (1..=8).flat_map(|steps| [around(steps), around(-steps)]);
    std::iter::once(guess).chain(near).find(|candidate| candidate * 0.01 == share)
}

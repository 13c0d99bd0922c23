//! Quantities that may be uncertain: `"triangular(1.1, 1.4, 2.0) B users"`, `"lognormal(p10 3,
//! p90 9) months"`, or a plain value, each with an optional source and date.
//!
//! A distribution is sampled by inversion from one uniform number, so that common random numbers,
//! correlation and medians need no further machinery.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use statrs::distribution::{ContinuousCDF, Normal};

use super::parse::{bare_number, base_unit, in_range, unit_size};
use super::{Quantity, QuantityError, parse_number, schema};

/// 90th percentile of the standard normal distribution.
const Z90: f64 = 1.281_551_565_544_600_4;

/// The law of an uncertain number, in base units of its quantity.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// One known value.
    Fixed(f64),
    /// Rises to the mode and falls again.
    Triangular {
        /// Smallest value.
        low: f64,
        /// Most likely value.
        mode: f64,
        /// Largest value.
        high: f64,
    },
    /// Equally likely between two ends.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// Normal, cut at the legal range of its quantity.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// Lognormal given by its 10th and 90th percentile.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Equally likely values.
    Choice(Vec<f64>),
}

impl Distribution {
    /// The law that a text such as `triangular(1, 2, 4) GW` names, in the numbers as written,
    /// whatever their unit; `None` for a plain value or no law.
    #[must_use]
    pub fn as_written(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let (inside, _) = rest.rsplit_once(')')?;
        let values = parse_arguments(name.trim(), inside).ok()?;
        build(name.trim(), &values).ok()
    }

    /// The value below which the share `u` (0 to 1, ends excluded) of the probability lies.
    #[must_use]
    pub fn quantile(&self, u: f64) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Uniform { low, high } => low + (high - low) * u,
            Self::Triangular { low, mode, high } => {
                let width = high - low;
                if width <= 0.0 {
                    return *mode;
                }
                let cut = (mode - low) / width;
                if u < cut {
                    low + (u * width * (mode - low)).sqrt()
                } else {
                    high - ((1.0 - u) * width * (high - mode)).sqrt()
                }
            }
            Self::Normal { mean, deviation } => mean + deviation * normal_score(u),
            Self::Lognormal { mu, sigma } => libm::exp(mu + sigma * normal_score(u)),
            Self::Choice(values) => {
                let last = values.len() - 1;
                values[((u * values.len() as f64) as usize).min(last)]
            }
        }
    }
}

/// Quantile of the standard normal distribution: the normal score of a uniform number.
#[must_use]
pub fn normal_score(u: f64) -> f64 {
    Normal::standard().inverse_cdf(u)
}

/// A uniform number that follows `common` with the given correlation of their normal scores, and
/// `own` for the rest (a Gaussian copula); all uniforms lie in (0, 1).
#[must_use]
pub fn correlate(common: f64, own: f64, correlation: f64) -> f64 {
    let score =
        correlation.sqrt() * normal_score(common) + (1.0 - correlation).sqrt() * normal_score(own);
    uniform_of_score(score)
}

/// The uniform number, ends excluded, of a normal score.
#[must_use]
pub fn uniform_of_score(score: f64) -> f64 {
    Normal::standard().cdf(score).clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

/// A quantity that is known or uncertain, with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertain<Q> {
    /// Its law in base units.
    pub distribution: Distribution,
    /// Who says so; `None` marks an assumption without a source.
    pub source: Option<String>,
    /// As of when, `2026-06`.
    pub as_of: Option<String>,
    /// Name of the draw that it shares with every other quantity of that name: one unknown is
    /// drawn once. Its own draw if left out.
    pub draw: Option<String>,
    text: String,
    quantity: PhantomData<Q>,
}

impl<Q: Quantity> Uncertain<Q> {
    /// A known value without a source.
    #[must_use]
    pub fn fixed(value: Q) -> Self {
        let unit = base_unit::<Q>();
        Self {
            distribution: Distribution::Fixed(value.base()),
            source: None,
            as_of: None,
            draw: None,
            text: format!("{} {unit}", value.base()).trim_end().to_owned(),
            quantity: PhantomData,
        }
    }

    /// Reads any of the written forms.
    ///
    /// # Errors
    /// When the text is neither a quantity nor a well-formed distribution of one.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        Ok(Self {
            distribution: parse_distribution::<Q>(text)?,
            source: None,
            as_of: None,
            draw: None,
            text: text.to_owned(),
            quantity: PhantomData,
        })
    }

    /// The median: what the central case uses.
    #[must_use]
    pub fn central(&self) -> Q {
        self.at(0.5)
    }

    /// The value at the uniform number `u`, held inside the legal range of the quantity.
    #[must_use]
    pub fn at(&self, u: f64) -> Q {
        let (low, high) = Q::RANGE;
        Q::from_base(self.distribution.quantile(u).clamp(low, high))
    }

    /// Whether there is anything to draw.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        !matches!(self.distribution, Distribution::Fixed(_))
    }

    /// What was written in the scenario.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn parse_distribution<Q: Quantity>(text: &str) -> Result<Distribution, QuantityError> {
    let wrong = |reason: String| QuantityError::Distribution { text: text.to_owned(), reason };
    let Some(open) = text.find('(') else {
        return super::parse_quantity::<Q>(text).map(|q| Distribution::Fixed(q.base()));
    };
    let close = text.rfind(')').ok_or_else(|| wrong("the `(` is never closed".to_owned()))?;
    if close < open {
        return Err(wrong("the `)` stands before the `(`".to_owned()));
    }
    let unit = text[close + 1..].trim();
    let size = if unit.is_empty() && Q::BARE { 1.0 } else { unit_size::<Q>(unit)? };
    let name = text[..open].trim();
    let values = parse_arguments(name, &text[open + 1..close]).map_err(wrong)?;
    let values: Vec<f64> = values.iter().map(|value| value * size).collect();
    let law = build(name, &values).map_err(wrong)?;
    for value in &values {
        let free = matches!(law, Distribution::Normal { .. });
        in_range::<Q>(*value, text)
            .map(drop)
            .or_else(|error| if free { Ok(()) } else { Err(error) })?;
    }
    Ok(law)
}

/// The numbers between the parentheses; `lognormal` names its two.
fn parse_arguments(name: &str, inside: &str) -> Result<Vec<f64>, String> {
    let labels: &[&str] = if name == "lognormal" { &["p10", "p90"] } else { &[] };
    let mut values = Vec::new();
    for (index, part) in inside.split(',').enumerate() {
        let part = part.trim();
        let part = match labels.get(index) {
            Some(label) => part
                .strip_prefix(label)
                .ok_or_else(|| format!("write `{label} <number>` in place of `{part}`"))?,
            None => part,
        };
        match parse_number(part) {
            Some((value, "")) => values.push(value),
            _ => return Err(format!("`{part}` is not a number (the unit goes after the `)`)")),
        }
    }
    Ok(values)
}

fn build(name: &str, values: &[f64]) -> Result<Distribution, String> {
    match (name, values) {
        ("triangular", &[low, mode, high]) if low <= mode && mode <= high => {
            Ok(Distribution::Triangular { low, mode, high })
        }
        ("triangular", _) => Err("triangular takes low <= mode <= high".to_owned()),
        ("uniform", &[low, high]) if low <= high => Ok(Distribution::Uniform { low, high }),
        ("uniform", _) => Err("uniform takes low <= high".to_owned()),
        ("normal", &[mean, deviation]) if deviation >= 0.0 => {
            Ok(Distribution::Normal { mean, deviation })
        }
        ("normal", _) => Err("normal takes a mean and a deviation of at least 0".to_owned()),
        ("lognormal", &[p10, p90]) if 0.0 < p10 && p10 <= p90 => {
            let (low, high) = (libm::log(p10), libm::log(p90));
            Ok(Distribution::Lognormal {
                mu: (low + high) / 2.0,
                sigma: (high - low) / (2.0 * Z90),
            })
        }
        ("lognormal", _) => Err("lognormal takes 0 < p10 <= p90".to_owned()),
        ("choice", values) if !values.is_empty() => Ok(Distribution::Choice(values.to_vec())),
        _ => Err(format!(
            "unknown distribution `{name}`; known: triangular, uniform, normal, lognormal, choice"
        )),
    }
}

struct UncertainVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> UncertainVisitor<Q> {
    fn bare<E: Error>(value: f64) -> Result<Uncertain<Q>, E> {
        if !Q::BARE {
            return Err(E::custom(bare_number::<Q>()));
        }
        Uncertain::parse(&value.to_string()).map_err(E::custom)
    }
}

impl<'de, Q: Quantity> Visitor<'de> for UncertainVisitor<Q> {
    type Value = Uncertain<Q>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} in quotes (for example \"{}\"), ", Q::KIND, Q::EXAMPLE)?;
        write!(to, "or (value: \"...\", source: \"...\", as_of: \"...\")")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Uncertain::parse(text).map_err(E::custom)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Self::bare(value)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Self::bare(value as f64)
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Self::bare(value as f64)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let written = Written::<Q>::deserialize(MapAccessDeserializer::new(map))?;
        let Written { mut value, source, as_of, draw } = written;
        (value.source, value.as_of, value.draw) = (source, as_of, draw);
        Ok(value)
    }
}

/// The form of a quantity that carries more than its value.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "Q: Quantity"))]
#[schemars(bound = "Q: Quantity")]
struct Written<Q> {
    /// The quantity or its law, with its unit.
    #[schemars(with = "Q")]
    value: Uncertain<Q>,
    /// Who says so; begins with "assumption" where nobody has published it.
    #[serde(default, deserialize_with = "given")]
    source: Option<String>,
    /// As of when: 2026-06.
    #[serde(default, deserialize_with = "given")]
    as_of: Option<String>,
    /// Name of the draw that it shares with every other quantity of that name: one unknown is
    /// drawn once per world.
    #[serde(default, deserialize_with = "given")]
    draw: Option<String>,
}

/// A text that may be left out but never written as `None`.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

impl<Q: Quantity> JsonSchema for Uncertain<Q> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Uncertain_for_{}", Q::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::uncertain::<Q, Written<Q>>(generator)
    }
}

impl<'de, Q: Quantity> serde::Deserialize<'de> for Uncertain<Q> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UncertainVisitor(PhantomData))
    }
}

impl<Q: Quantity> serde::Serialize for Uncertain<Q> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let parts = [("source", &self.source), ("as_of", &self.as_of), ("draw", &self.draw)];
        let count = parts.iter().filter(|part| part.1.is_some()).count();
        if count == 0 {
            return to.serialize_str(&self.text);
        }
        let mut out = to.serialize_struct("Uncertain", count + 1)?;
        out.serialize_field("value", &self.text)?;
        for (name, part) in parts {
            if let Some(text) = part {
                out.serialize_field(name, text)?;
            }
        }
        out.end()
    }
}

//! Numbers as people read them: one scale for a row, and no digit that the error does not
//! support.

use crate::stats::{Estimate, RankedQuantile};

/// A power of a thousand by which a whole row is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// What one shown unit is worth.
    pub divisor: f64,
    /// Its letter: nothing, `k`, `M`, `B` (1e9) or `T` (1e12).
    pub letter: &'static str,
    /// Places behind the point beyond which nothing is shown.
    pub places: i32,
}

impl Scale {
    /// No scaling.
    pub const ONE: Self = Self { divisor: 1.0, letter: "", places: 2 };

    /// The scale at which the largest magnitude has one to three digits before the point, or
    /// four where the smallest would otherwise start behind it.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let sizes = values.into_iter().map(f64::abs).filter(|size| *size > 0.0);
        let (smallest, largest) = sizes
            .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), size| {
                (low.min(size), high.max(size))
            });
        [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")]
            .into_iter()
            .find(|(divisor, _)| {
                largest >= 10.0 * divisor || (largest >= *divisor && smallest >= *divisor)
            })
            .map_or(Self::ONE, |(divisor, letter)| Self { divisor, letter, places: 2 })
    }

    /// The same for things that come whole: unscaled, they have no places behind the point.
    pub fn of_counts(values: impl IntoIterator<Item = f64>) -> Self {
        let scale = Self::of(values);
        if scale.divisor == 1.0 { Self { places: 0, ..scale } } else { scale }
    }

    /// The letter and the unit: `k GPUs`, or the unit alone.
    pub fn unit(self, unit: &str) -> String {
        if self.letter.is_empty() { unit.to_owned() } else { format!("{} {unit}", self.letter) }
    }

    /// A value in its row: three significant digits at most.
    pub fn value(self, value: f64) -> String {
        self.rounded(value, None)
    }

    /// A quantile in its row, rounded to what its 90 % rank interval supports.
    pub fn quantile(self, quantile: RankedQuantile) -> String {
        // The interval is about 2 * 1.645 standard errors wide.
        let error = (quantile.high - quantile.low) / 3.29;
        self.rounded(quantile.value, Some(error))
    }

    /// A quantile with its sign: `+` short, `-` surplus.
    pub fn signed(self, quantile: RankedQuantile) -> String {
        let text = self.quantile(quantile);
        if quantile.value > 0.0 { format!("+{text}") } else { text }
    }

    /// Mean and standard error, the error with two significant digits: `2.41±0.12`.
    pub fn estimate(self, estimate: Estimate) -> String {
        let error = estimate.standard_error / self.divisor;
        if error <= 0.0 || !error.is_finite() {
            return self.value(estimate.mean);
        }
        let mean = estimate.mean / self.divisor;
        let places = (1 - magnitude(error)).min(self.places);
        let unseen = libm::pow(10.0, f64::from(-places)) / 2.0;
        if error < unseen || mean.abs() < unseen {
            return self.value(estimate.mean);
        }
        format!("{}±{}", fixed(mean, places), fixed(error, places))
    }

    fn rounded(self, value: f64, error: Option<f64>) -> String {
        if value == 0.0 {
            return "0".to_owned();
        }
        let shown = value / self.divisor;
        let mut places = (2 - magnitude(shown)).min(self.places);
        if let Some(error) = error.filter(|error| *error > 0.0) {
            places = places.min(1 - magnitude(error / self.divisor));
        }
        // An error above the value itself must not turn it into a false zero.
        places = places.max(-magnitude(shown).max(0));
        let resolution = libm::pow(10.0, f64::from(-places));
        if shown.abs() < resolution / 2.0 {
            let sign = if shown < 0.0 { ">-" } else { "<" };
            return format!("{sign}{}", fixed(resolution, places));
        }
        fixed(shown, places)
    }
}

/// A number that was asked for, as it was given: not rounded where it has a short form. One that
/// was made of others, and so has none, has three digits. Without zeros at the end.
pub(super) fn given(value: f64) -> String {
    /// Characters of the longest number that somebody would type.
    const TYPED: usize = 10;
    // The last digits are those of conversions between units.
    let near = |digits: usize| format!("{value:.0$e}", digits - 1).parse().unwrap_or(value);
    let typed: f64 = near(12);
    let text = typed.to_string();
    grouped(&if text.len() <= TYPED { text } else { near(3).to_string() })
}

/// Exponent of the leading decimal digit: 0 for 1 to 9.99.
fn magnitude(value: f64) -> i32 {
    if value == 0.0 { 0 } else { libm::floor(libm::log10(value.abs())) as i32 }
}

/// `value` with `places` behind the point; a negative number of places rounds to tens and more.
fn fixed(value: f64, places: i32) -> String {
    let text = if places >= 0 {
        format!("{value:.*}", places as usize)
    } else {
        let step = libm::pow(10.0, f64::from(-places));
        format!("{:.0}", (value / step).round() * step)
    };
    let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    grouped(if zero { text.trim_start_matches('-') } else { &text })
}

/// Commas between thousands from 10,000 on.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.trim_start_matches('-');
    if digits.len() < 5 {
        return text.to_owned();
    }
    let mut out = String::from(if whole.starts_with('-') { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, standard_error: f64) -> Estimate {
        Estimate { mean, standard_error }
    }

    #[test]
    fn the_error_sets_the_digits() {
        assert_eq!(Scale::ONE.estimate(estimate(2.4137, 0.1234)), "2.41±0.12");
        assert_eq!(Scale::ONE.estimate(estimate(1234.6, 151.0)), "1230±150");
        assert_eq!(Scale::ONE.estimate(estimate(12.0, 0.0)), "12.0");
        assert_eq!(Scale::ONE.estimate(estimate(0.0, 0.0)), "0");
        let wide = RankedQuantile { value: 312.4, low: 100.0, high: 600.0 };
        assert_eq!(Scale::ONE.quantile(wide), "310");
    }

    #[test]
    fn one_scale_holds_for_a_row() {
        let scale = Scale::of([15_000.0, -250_000.0]);
        assert_eq!(scale.unit("GPUs"), "k GPUs");
        assert_eq!(
            (scale.value(15_000.0), scale.value(-250_400.0)),
            ("15.0".into(), "-250".into())
        );
        assert_eq!(scale.value(0.0), "0");
        assert_eq!(scale.value(2.0), "<0.01");
        assert_eq!(Scale::of([0.0]), Scale::ONE);
        assert_eq!(Scale::of_counts([0.3]).estimate(estimate(0.3, 0.2)), "<1");
        assert_eq!(Scale::of([1e12]).letter, "T");
        assert_eq!(Scale::of([0.0, 230.0, 2_240.0]), Scale::ONE);
        assert_eq!(Scale::of([1_230.0, 2_240.0]).letter, "k");
    }

    #[test]
    fn what_was_given_is_echoed() {
        assert_eq!(given(1_234.5), "1234.5");
        assert_eq!(given(0.35 * 1e3), "350");
        assert_eq!(given(0.047 * 1e3), "47");
        assert_eq!(given(8_192.0), "8192");
        assert_eq!(given(0.001), "0.001");
        assert_eq!(given(1_234_567.0), "1,234,567");
        assert_eq!(given(0.0), "0");
        assert_eq!(given(40.0 / 7.0), "5.71");
        assert_eq!(given(100.0 * 385.123 / 750.1), "51.3");
        assert_eq!(given(1e6 / 3.0), "333,000");
    }

    #[test]
    fn signs_and_thousands() {
        let quantile = |value| RankedQuantile { value, low: value, high: value };
        assert_eq!(Scale::ONE.signed(quantile(12.5)), "+12.5");
        assert_eq!(Scale::ONE.signed(quantile(-12.5)), "-12.5");
        assert_eq!(Scale::ONE.signed(quantile(0.0)), "0");
        assert_eq!(fixed(1_234_567.0, 0), "1,234,567");
        assert_eq!(fixed(-0.001, 1), "0.0");
    }
}

//! An axis on which equal distances are equal ratios.

/// From values to places on a sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LogAxis {
    /// Values at the ends, above zero.
    pub values: (f64, f64),
    /// Their places.
    pub places: (f64, f64),
}

impl LogAxis {
    /// Place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let part = libm::log(value / low) / libm::log(high / low);
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// Round values within the axis, 1, 2 and 5 of every decade, or fewer where neighbours would
    /// come closer than `space`.
    pub fn ticks(&self, space: f64) -> Vec<f64> {
        let wide = |marks: &[f64]| {
            let all = self.marks(marks);
            let near = |pair: &[f64]| (self.at(pair[1]) - self.at(pair[0])).abs() < space;
            (!all.windows(2).any(near)).then_some(all)
        };
        wide(&[1.0, 2.0, 5.0]).or_else(|| wide(&[1.0, 3.0])).unwrap_or_else(|| self.marks(&[1.0]))
    }

    fn marks(&self, of_decade: &[f64]) -> Vec<f64> {
        let (low, high) = self.values;
        let decade = |value: f64| libm::floor(libm::log10(value)) as i32;
        let decades = decade(low)..=decade(high);
        let all = decades.flat_map(|decade| {
            let power = libm::pow(10.0, f64::from(decade));
            of_decade.iter().map(move |mark| mark * power)
        });
        all.filter(|value| (low * 0.999_999..=high * 1.000_001).contains(value)).collect()
    }
}

/// A round value with its letter: `200`, `5k`, `20M`.
pub(super) fn figure(value: f64) -> String {
    let scales = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    let (divisor, letter) =
        scales.into_iter().find(|(divisor, _)| value >= 0.999 * divisor).unwrap_or((1.0, ""));
    let shown = value / divisor;
    // Round values have one digit; below one they need places.
    let places = if shown >= 0.999 { 0 } else { (-libm::floor(libm::log10(shown))) as usize };
    format!("{shown:.places$}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_distances() {
        let axis = LogAxis { values: (1.0, 100.0), places: (0.0, 200.0) };
        assert!((axis.at(10.0) - 100.0).abs() < 1e-9 && (axis.at(1_000.0) - 300.0).abs() < 1e-9);
        assert_eq!(axis.ticks(20.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        // 1 to 3 are 48 apart, 1 to 2 only 30.
        assert_eq!(axis.ticks(40.0), [1.0, 3.0, 10.0, 30.0, 100.0]);
        assert_eq!(axis.ticks(90.0), [1.0, 10.0, 100.0]);
    }

    #[test]
    fn round_values_are_short() {
        let told = [0.02, 0.5, 1.0, 200.0, 5_000.0, 2e7, 1e9].map(figure);
        assert_eq!(told, ["0.02", "0.5", "1", "200", "5k", "20M", "1B"]);
    }
}

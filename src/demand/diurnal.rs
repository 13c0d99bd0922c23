//! Daily and weekly curves in local time, and the season.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Factor;

/// A curve over the week with mean 1, in local time, and factors of the months.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Weekday factors of the hours 0 to 23; scaled to mean 1.
    pub hours: Vec<f64>,
    /// Weekend factors of the hours; the weekday ones if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekend_hours: Vec<f64>,
    /// Factors of Monday to Sunday; scaled to mean 1.
    pub days: Vec<f64>,
    /// Factors of January to December; scaled to mean 1, all alike if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<f64>,
    /// Busiest five minutes of an hour over that hour's mean.
    pub busiest_five_minutes: Factor,
    /// Where the curve comes from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

fn mean_one(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| value / mean).collect()
}

impl Profile {
    /// What a month's demand is multiplied by; months count from 0, January.
    #[must_use]
    pub fn month(&self, month: usize) -> f64 {
        if self.months.is_empty() { 1.0 } else { mean_one(&self.months)[month] }
    }

    /// The 168 factors of a local week from Monday 00:00, mean 1.
    #[must_use]
    pub fn week(&self) -> Vec<f64> {
        let weekday = mean_one(&self.hours);
        let weekend = match self.weekend_hours.as_slice() {
            [] => weekday.clone(),
            hours => mean_one(hours),
        };
        let days = mean_one(&self.days);
        let factor = |day: usize, hour: usize| {
            let hours = if day < 5 { &weekday } else { &weekend };
            days[day] * hours[hour]
        };
        let week: Vec<f64> = (0..7)
            .flat_map(|day| (0..24).map(move |hour| (day, hour)))
            .map(|(d, h)| factor(d, h))
            .collect();
        mean_one(&week)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_has_mean_one_and_its_weekend() {
        let profile = Profile {
            hours: (1..=24).map(f64::from).collect(),
            weekend_hours: vec![1.0; 24],
            months: (1..=12).map(f64::from).collect(),
            days: vec![2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0],
            busiest_five_minutes: Factor(1.1),
            source: "test".to_owned(),
            as_of: "2026".to_owned(),
        };
        let week = profile.week();
        assert!((week.iter().sum::<f64>() / 168.0 - 1.0).abs() < 1e-12);
        assert!((week[23] / week[0] - 24.0).abs() < 1e-9);
        assert_eq!(week[5 * 24], week[6 * 24 + 23]);
        // 1 to 12 have the mean 6.5.
        assert_eq!([0, 11].map(|month| profile.month(month)), [1.0 / 6.5, 12.0 / 6.5]);
        assert_eq!(Profile { months: Vec::new(), ..profile }.month(7), 1.0);
    }
}

//! A criterion in three parts, as Texas has adopted it in 2024: how often, how long, how deep.

use super::adequacy::{CriterionPart, Holds, ThreePart};
use crate::scenario::ThreePartLimits;
use crate::stats::Estimate;

/// Standard errors by which a value must lie within its limit, or beyond it.
const SURE: f64 = 2.0;

/// With no event in so many independent worlds, three over their number bounds the rate of events
/// with 95 % confidence: `exp(-3) = 0.05`.
const RULE_OF_THREE: f64 = 3.0;

/// The worst of an inner year.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct YearEvents {
    /// Hours of the longest event.
    pub hours: f64,
    /// Largest shortfall over the year's peak demand.
    pub depth: f64,
}

/// Whether an estimate over so many worlds is within a limit. An error can be no smaller than
/// what so few worlds can show.
fn holds(value: Estimate, limit: f64, worlds: usize) -> Holds {
    let doubt = SURE * value.standard_error;
    let most = (value.mean + doubt).max(RULE_OF_THREE / worlds.max(1) as f64);
    match () {
        () if worlds < 2 => Holds::NotResolved,
        () if most <= limit => Holds::Yes,
        () if value.mean - doubt > limit => Holds::No,
        () => Holds::NotResolved,
    }
}

/// The three parts of a year; `years` are the inner years, `samples` of each world in a row.
pub(super) fn three_part(
    limits: ThreePartLimits,
    frequency: Estimate,
    years: &[YearEvents],
    samples: usize,
) -> ThreePart {
    let worlds = years.len() / samples.max(1);
    let part = |value: Estimate, limit: f64| CriterionPart {
        value,
        limit,
        holds: holds(value, limit, worlds),
    };
    let share = |exceeds: &dyn Fn(&YearEvents) -> bool| {
        let of_world = |years: &[YearEvents]| {
            years.iter().filter(|year| exceeds(year)).count() as f64 / years.len() as f64
        };
        Estimate::of(&years.chunks(samples.max(1)).map(of_world).collect::<Vec<f64>>())
    };
    // A hair below: an event of twelve hours is too long whatever the rounding of a division.
    let longest = limits.duration.0 / 3_600.0 - 1e-9;
    let parts = [
        part(frequency, limits.frequency.0),
        part(share(&|year| year.hours >= longest), limits.exceedance.0),
        part(
            share(&|year| year.depth > 0.0 && year.depth >= limits.magnitude.0),
            limits.exceedance.0,
        ),
    ];
    let any = |wanted: Holds| parts.iter().any(|part| part.holds == wanted);
    let [frequency, duration, magnitude] = parts;
    let holds = match () {
        () if any(Holds::No) => Holds::No,
        () if any(Holds::NotResolved) => Holds::NotResolved,
        () => Holds::Yes,
    };
    ThreePart { frequency, duration, magnitude, holds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn year(hours: f64, depth: f64) -> YearEvents {
        YearEvents { hours, depth }
    }

    #[test]
    fn four_worlds_of_two_years_worked_by_hand() {
        let limits = ThreePartLimits::default();
        // Just twelve hours is too long, just under is not; a fifth of the peak is too much.
        let years = [
            [year(12.0, 0.1), year(11.0, 0.2)],
            [year(3.0, 0.19), year(20.0, 0.5)],
            [year(0.0, 0.0), year(0.0, 0.0)],
            [year(1.0, 0.01), year(0.0, 0.0)],
        ];
        let found = three_part(limits, Estimate::of(&[1.0; 4]), &years.concat(), 2);
        // Worlds with shares 1/2, 1/2, 0, 0: mean 1/4, standard error sqrt((1/12) / 4).
        for part in [found.duration, found.magnitude] {
            assert_eq!(part.value.mean, 0.25);
            assert!((part.value.standard_error - (1.0f64 / 48.0).sqrt()).abs() < 1e-15);
            assert_eq!((part.limit, part.holds), (0.0025, Holds::NotResolved));
        }
        // One event a year in every world is surely more than one in ten.
        assert_eq!((found.frequency.limit, found.frequency.holds), (0.1, Holds::No));
        assert_eq!(found.holds, Holds::No);
    }

    #[test]
    fn nothing_seen_in_few_worlds_is_no_proof() {
        let none = Estimate::default();
        // Three over the worlds: 29 do not bound one event in ten years, 30 do; 1200 bound 0.25 %.
        assert_eq!(holds(none, 0.1, 29), Holds::NotResolved);
        assert_eq!(holds(none, 0.1, 30), Holds::Yes);
        assert_eq!(holds(none, 0.0025, 1_199), Holds::NotResolved);
        assert_eq!(holds(none, 0.0025, 1_200), Holds::Yes);
        assert_eq!(holds(none, 0.1, 1), Holds::NotResolved);
        let found = |mean| Estimate { mean, standard_error: 0.01 };
        assert_eq!(holds(found(0.079), 0.1, 100), Holds::Yes);
        assert_eq!(holds(found(0.081), 0.1, 100), Holds::NotResolved);
        assert_eq!(holds(found(0.119), 0.1, 100), Holds::NotResolved);
        assert_eq!(holds(found(0.121), 0.1, 100), Holds::No);
    }
}

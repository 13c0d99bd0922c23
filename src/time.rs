//! The two clocks, which never mix, and the calendar.
//!
//! [`EngineTime`] counts picoseconds of one serving run (213 days fit); [`FleetTime`] counts
//! seconds UTC over years. Both are integers, so equal instants are equal and sums are exact.

use std::fmt;
use std::ops::{Add, Sub};

use serde::de::Error;

/// Picoseconds since the start of a serving run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct EngineTime(pub u64);

impl EngineTime {
    /// One second.
    pub const SECOND: Self = Self(1_000_000_000_000);

    /// The nearest picosecond to a number of seconds (0 for negative ones).
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e12 + 0.5) as u64)
    }

    /// The time in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-12
    }
}

impl Add for EngineTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for EngineTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// Seconds UTC since 1970-01-01 (leap seconds are not counted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct FleetTime(pub i64);

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Seconds of an hour.
pub const HOUR: i64 = 3_600;

/// Days from 1970-01-01 to a date of the Gregorian calendar (any month and day in range).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month (1-12) and day (1-31) of a day number.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days of a month.
fn days_of_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
}

impl FleetTime {
    /// Midnight UTC of a date, `None` when there is no such day.
    #[must_use]
    pub fn from_date(year: i64, month: i64, day: i64) -> Option<Self> {
        let legal = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        legal.then(|| Self(days_from_civil(year, month, day) * DAY))
    }

    /// Midnight UTC of the first of January.
    #[must_use]
    pub fn start_of_year(year: u16) -> Self {
        Self(days_from_civil(i64::from(year), 1, 1) * DAY)
    }

    /// Calendar year, month (1-12) and day (1-31), UTC.
    #[must_use]
    pub fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.0.div_euclid(DAY))
    }

    /// The year with the elapsed part of it: mid-2026 is 2026.5.
    #[must_use]
    pub fn decimal_year(self) -> f64 {
        let year = self.date().0;
        let (start, end) = (days_from_civil(year, 1, 1), days_from_civil(year + 1, 1, 1));
        let elapsed = self.0 - start * DAY;
        year as f64 + elapsed as f64 / ((end - start) * DAY) as f64
    }

    /// The instant of a decimal year, the other way round.
    #[must_use]
    pub fn of_decimal_year(year: f64) -> Self {
        let whole = year.floor();
        let start = Self::start_of_year(whole as u16).0;
        let next = Self::start_of_year((whole as u16).saturating_add(1)).0;
        Self(start + ((year - whole) * (next - start) as f64) as i64)
    }

    /// Hour of the week from Monday 00:00, 0 to 167.
    #[must_use]
    pub fn hour_of_week(self) -> usize {
        // 1970-01-01 was a Thursday: three days after a Monday.
        let hour = self.0.div_euclid(HOUR) + 3 * 24;
        hour.rem_euclid(168) as usize
    }

    /// Reads `2027`, `2026-12`, `2029-Q3` or `2027-01-15`: the first instant of what is named.
    ///
    /// # Errors
    /// A sentence that says what a date looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a date: write 2027, 2026-12, 2029-Q3 or 2027-01-15");
        let parts: Vec<&str> = text.trim().split('-').collect();
        let number = |part: &str| part.parse::<i64>().map_err(|_| wrong());
        let (year, month, day) = match parts.as_slice() {
            [year] => (number(year)?, 1, 1),
            [year, quarter] if quarter.starts_with('Q') => {
                let quarter = number(&quarter[1..])?;
                if !(1..=4).contains(&quarter) {
                    return Err(wrong());
                }
                (number(year)?, quarter * 3 - 2, 1)
            }
            [year, month] => (number(year)?, number(month)?, 1),
            [year, month, day] => (number(year)?, number(month)?, number(day)?),
            _ => return Err(wrong()),
        };
        if !(1970..=2200).contains(&year) {
            return Err(format!("`{text}`: the year must lie between 1970 and 2200"));
        }
        Self::from_date(year, month, day).ok_or_else(wrong)
    }
}

impl fmt::Display for FleetTime {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(to, "{year:04}-{month:02}-{day:02}")
    }
}

impl<'de> serde::Deserialize<'de> for FleetTime {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for FleetTime {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FleetTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-quantity": {
            "kind": "date",
            "examples": ["2029-Q3", "2027-01-15"],
            "units": [],
            "range": "1970 to 2200",
            "bare": false,
        } })
    }
}

impl serde::Serialize for FleetTime {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_gregorian_calendar() {
        assert_eq!(FleetTime::from_date(1970, 1, 1), Some(FleetTime(0)));
        assert_eq!(FleetTime::from_date(2000, 3, 1), Some(FleetTime(11_017 * DAY)));
        assert_eq!(FleetTime::from_date(2027, 2, 29), None);
        for days in -10_000..60_000 {
            let (year, month, day) = FleetTime(days * DAY).date();
            assert_eq!(FleetTime::from_date(year, month, day), Some(FleetTime(days * DAY)));
        }
    }

    #[test]
    fn seven_years_have_their_leap_days() {
        let hours = (FleetTime::start_of_year(2033).0 - FleetTime::start_of_year(2026).0) / HOUR;
        assert_eq!(hours, (7 * 365 + 2) * 24);
    }

    #[test]
    fn week_hours_start_on_monday() {
        let monday = FleetTime::parse("2026-11-23").unwrap();
        assert_eq!(monday.hour_of_week(), 0);
        assert_eq!(FleetTime(monday.0 - HOUR).hour_of_week(), 167);
    }

    #[test]
    fn dates_read_in_four_forms() {
        let at = |text| FleetTime::parse(text).map(|time| time.to_string());
        assert_eq!(at("2027").as_deref(), Ok("2027-01-01"));
        assert_eq!(at("2029-Q3").as_deref(), Ok("2029-07-01"));
        assert_eq!(at("2026-12").as_deref(), Ok("2026-12-01"));
        assert_eq!(at("2028-02-29").as_deref(), Ok("2028-02-29"));
        assert!(at("2027-Q5").is_err() && at("soon").is_err() && at("2027-13").is_err());
    }
}

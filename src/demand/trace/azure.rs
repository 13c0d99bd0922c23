//! The tables of the Azure public dataset (2023 and 2024): a time of day and two lengths.

use super::fault::{TraceFault, shown};
use super::row::{Row, tokens};
use crate::time::FleetTime;

/// Names of the columns, in the order of [`Columns`].
const NAMES: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// Places of time, prompt and output in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns([usize; 3]);

/// Fields of a line. No field of this format holds a comma or a quote, so that a line is a row:
/// no row can grow beyond a line, whatever a file holds.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| field.trim().trim_matches('"'))
}

impl Columns {
    /// Whether a line names all the columns.
    pub(super) fn are_in(header: &str) -> bool {
        NAMES.iter().all(|name| fields(header).any(|field| field == *name))
    }

    /// Finds the columns in the header.
    pub(super) fn find(header: &str) -> Result<Self, TraceFault> {
        let mut places = [0; 3];
        for (place, name) in places.iter_mut().zip(NAMES) {
            let fix = "the first line must name TIMESTAMP, ContextTokens and GeneratedTokens";
            let row = || shown(header);
            *place = fields(header)
                .position(|field| field == name)
                .ok_or_else(|| TraceFault::Missing { name, row: row(), fix })?;
        }
        Ok(Self(places))
    }

    /// Reads a line.
    pub(super) fn read(self, line: &str) -> Result<Row, TraceFault> {
        let mut found = [""; 3];
        for (field, (place, name)) in found.iter_mut().zip(self.0.into_iter().zip(NAMES)) {
            let fix = "complete the row or leave it out";
            let missing = || TraceFault::Missing { name, row: shown(line), fix };
            *field = fields(line).nth(place).ok_or_else(missing)?;
        }
        let time = picoseconds(found[0]).ok_or_else(|| TraceFault::Value {
            name: NAMES[0],
            value: shown(found[0]),
            allowed: "times such as 2023-11-16 18:15:46.6805900, with or without +00:00",
        })?;
        let count = |index: usize| tokens(NAMES[index], found[index].parse().ok(), found[index]);
        Ok(Row { time, prompt: count(1)?, cached: 0, output: count(2)? })
    }
}

/// A whole number of so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let whole = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| whole)
}

/// Picoseconds since 1970 of `2024-05-10 00:00:00[.fraction][Z or +hh:mm]`, a `T` between date and
/// time allowed; without an offset the time is UTC.
fn picoseconds(text: &str) -> Option<i128> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let mut parts = date.split('-');
    let mut number = |count: usize| digits(parts.next()?, count);
    let day = FleetTime::from_date(number(4)?, number(2)?, number(2)?)?;
    parts.next().is_none().then_some(())?;
    let (clock, offset) = match clock.find(['Z', '+', '-']) {
        Some(at) if &clock[at..] == "Z" => (&clock[..at], 0),
        Some(at) => (&clock[..at], offset(&clock[at..])?),
        None => (clock, 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut part = |limit: i64| digits(parts.next()?, 2).filter(|value| *value < limit);
    let seconds = (part(24)? * 60 + part(60)?) * 60 + part(60)?;
    parts.next().is_none().then_some(())?;
    let digital = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = &digital.then_some(fraction)?[..fraction.len().min(12)];
    let fraction = digits(fraction, fraction.len())? * 10_i64.pow(12 - fraction.len() as u32);
    let seconds = i128::from(day.0 + seconds - offset);
    Some(seconds * 1_000_000_000_000 + i128::from(fraction))
}

/// Seconds of an offset from UTC such as `+00:00` or `-0730`.
fn offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let number = text.get(1..)?.replacen(':', "", 1);
    let hours = digits(number.get(..2)?, 2)?;
    let minutes = digits(number.get(2..)?, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_digit() {
        // 2023-11-16 is day 19,677 since 1970; 18:15:46 is second 65,746 of it.
        let second = (19_677 * 86_400 + 65_746) * 1_000_000_000_000_i128;
        for (text, picosecond) in [
            ("2023-11-16 18:15:46.6805900", 680_590_000_000),
            ("2023-11-16 18:15:46.680590+00:00", 680_590_000_000),
            ("2023-11-16T20:15:46.68059+0200", 680_590_000_000),
            ("2023-11-16T10:45:46Z", -27_000_000_000_000_000),
            ("2023-11-16 10:45:46-07:30", 0),
            ("2023-11-16 18:15:46.1234567890123", 123_456_789_012),
        ] {
            assert_eq!(picoseconds(text), Some(second + picosecond), "{text}");
        }
        let none = "|2023-11-16|2023-11-16 18:15|2023-02-30 00:00:00|2023-11-16 24:00:00|\
                    2023-11-16 18:15:60|2023-11-16 18:15:46.|2023-11-16 18:15:46.1x|+2023-11-16 \
                    00:00:00|2023-11-16 18:15:46+1|2023-11-16 18:15:46+é0:00|2023-11-16 -1:00:00";
        assert!(none.split('|').all(|text| picoseconds(text).is_none()));
    }
}

//! Measures of loss of load over samples of a period: what one sample loses, and means with their
//! standard errors over all. Who is short in which hour is drawn in [`crate::fleet`].

use serde::Serialize;

use crate::stats::Estimate;

/// Hours of a day.
const DAY: usize = 24;
/// Hours of a week.
const WEEK: usize = 168;
/// Days of the months of a year of 365 days.
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Share of the samples in the tail of [`SystemAdequacy::cvar_95`].
const TAIL: f64 = 0.05;

/// Risk of a system, or of one area of it, over its period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemAdequacy {
    /// Samples of the whole period.
    pub samples: u32,
    /// Hours of the period.
    pub hours: usize,
    /// Hours of the period in which load is not covered: available < load.
    pub lole_hours: Estimate,
    /// Days of the period whose hour of largest load is not covered.
    pub lole_days: Estimate,
    /// Times that hours without cover begin (LOLEv): hours in a row are one event.
    pub lolev: Estimate,
    /// Load that is not covered, capacity-hours.
    pub eue: Estimate,
    /// The same over all load, parts per million.
    pub neue_ppm: Estimate,
    /// Load that is not covered in the worst twentieth of the samples (CVaR at 95 %),
    /// capacity-hours.
    pub cvar_95: Estimate,
    /// Hours of the longest event of a sample, 0 where it has none; and of the longest of all.
    pub longest: Estimate,
    /// The longest event of all samples, hours.
    pub longest_of_all: f64,
    /// Largest load that is not covered in an hour of a sample, 0 where all is.
    pub deepest: Estimate,
    /// The largest of all samples.
    pub deepest_of_all: f64,
    /// Probability of loss of load by hour of the day, from midnight; a period begins at midnight.
    pub lolp_by_hour: Vec<Estimate>,
    /// The same by week of 168 hours, the last of which may be shorter.
    pub lolp_by_week: Vec<Estimate>,
    /// The same by month, where the period is a year from the first of January (364 to 366 days).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lolp_by_month: Vec<Estimate>,
    /// Probability of loss of load in each hour of the period.
    pub lolp: Vec<f64>,
}

/// Kinds of hours that a probability of loss of load is told for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LolpBy {
    /// Hours of the day.
    Hour,
    /// Weeks of the period.
    Week,
    /// Months of a year.
    Month,
}

impl SystemAdequacy {
    /// Probability of loss of load by kind of hour; none by month where the period is no year.
    #[must_use]
    pub fn lolp_by(&self, by: LolpBy) -> &[Estimate] {
        match by {
            LolpBy::Hour => &self.lolp_by_hour,
            LolpBy::Week => &self.lolp_by_week,
            LolpBy::Month => &self.lolp_by_month,
        }
    }
}

/// Means by kind of hour of a probability that is known for each hour, without errors.
#[must_use]
pub fn exact_lolp_by(lolp: &[f64], by: LolpBy) -> Vec<Estimate> {
    let period = Period::of(lolp);
    if by == LolpBy::Month && period.months.is_empty() {
        return Vec::new();
    }
    let class = |hour: usize| match by {
        LolpBy::Hour => hour % DAY,
        LolpBy::Week => hour / WEEK,
        LolpBy::Month => period.month(hour),
    };
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (hour, probability) in lolp.iter().enumerate() {
        let class = class(hour);
        sums.resize(sums.len().max(class + 1), (0.0, 0.0));
        sums[class] = (sums[class].0 + probability, sums[class].1 + 1.0);
    }
    let mean = |(sum, count): (f64, f64)| Estimate { mean: sum / count, standard_error: 0.0 };
    sums.into_iter().map(mean).collect()
}

/// Whether a period of so many hours is a year: 52 weeks to 366 days.
#[must_use]
pub fn is_year(hours: usize) -> bool {
    (52 * WEEK..=366 * DAY).contains(&hours)
}

/// The hours that a load is asked for in, with what is needed to count them.
pub(super) struct Period {
    hours: usize,
    all: f64,
    /// By day, its hour of largest load, the first of equal ones.
    peaks: Vec<usize>,
    /// By month, the hour after its last one; none where the period is no year.
    months: Vec<usize>,
}

impl Period {
    /// The period of a load.
    pub fn of(load: &[f64]) -> Self {
        let hours = load.len();
        let peak = |day: usize| {
            let of_day = day * DAY..((day + 1) * DAY).min(hours);
            of_day.max_by(|a, b| load[*a].total_cmp(&load[*b]).then(b.cmp(a))).unwrap_or(0)
        };
        let leap = usize::from(hours == 366 * DAY);
        let mut end = 0;
        let months = MONTHS.iter().enumerate().map(|(month, days)| {
            end += DAY * (days + if month == 1 { leap } else { 0 });
            end.min(hours)
        });
        Self {
            hours,
            all: load.iter().sum(),
            peaks: (0..hours.div_ceil(DAY)).map(peak).collect(),
            months: if is_year(hours) { months.collect() } else { Vec::new() },
        }
    }

    /// Hours of the period.
    pub fn hours(&self) -> usize {
        self.hours
    }

    /// The month of an hour of a year, from 0.
    fn month(&self, hour: usize) -> usize {
        self.months.partition_point(|end| *end <= hour)
    }

    /// The hour of largest load of each day.
    pub fn peaks(&self) -> &[usize] {
        &self.peaks
    }

    /// Load of the whole period.
    pub fn load(&self) -> f64 {
        self.all
    }
}

/// What one sample has lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct SampleLoss {
    pub hours: f64,
    pub days: f64,
    pub events: f64,
    pub unserved: f64,
    longest: f64,
    deepest: f64,
    /// The hour after the last one that was short, and how many were so in a row.
    next: usize,
    run: f64,
}

impl SampleLoss {
    /// An hour is short; hours come in their order.
    #[inline]
    pub fn add(&mut self, hour: usize, missing: f64, period: &Period) {
        if hour != self.next || self.run == 0.0 {
            self.events += 1.0;
            self.run = 0.0;
        }
        (self.next, self.run) = (hour + 1, self.run + 1.0);
        self.hours += 1.0;
        self.unserved += missing;
        self.deepest = self.deepest.max(missing);
        self.longest = self.longest.max(self.run);
        if period.peaks[hour / DAY] == hour {
            self.days += 1.0;
        }
    }
}

/// Hours that are short over some samples: their sum and the sum of their squares by sample.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    sum: u64,
    squares: u64,
}

/// Sums over some samples. Integers, so that they do not depend on who adds them up.
pub(super) struct LossTally {
    /// Samples short in each hour.
    short: Vec<u32>,
    rows: Vec<SampleLoss>,
    by_hour: Vec<Counts>,
    by_week: Vec<Counts>,
    by_month: Vec<Counts>,
    /// The hours of the sample that is being told.
    row: SampleLoss,
    now: Vec<u32>,
}

impl LossTally {
    /// Nothing yet.
    pub fn of(period: &Period) -> Self {
        Self {
            short: vec![0; period.hours],
            rows: Vec::new(),
            by_hour: vec![Counts::default(); DAY.min(period.hours)],
            by_week: vec![Counts::default(); period.hours.div_ceil(WEEK)],
            by_month: vec![Counts::default(); period.months.len()],
            row: SampleLoss::default(),
            now: Vec::new(),
        }
    }

    /// An hour of the present sample is short.
    #[inline]
    pub fn add(&mut self, hour: usize, missing: f64, period: &Period) {
        self.short[hour] += 1;
        self.now.push(hour as u32);
        self.row.add(hour, missing, period);
    }

    /// The present sample is told.
    pub fn end_sample(&mut self, period: &Period) {
        self.rows.push(std::mem::take(&mut self.row));
        if self.now.is_empty() {
            return;
        }
        let mut hours = [0_u64; DAY];
        self.now.iter().for_each(|hour| hours[*hour as usize % DAY] += 1);
        for (counts, now) in self.by_hour.iter_mut().zip(hours) {
            counts.add(now);
        }
        // Hours are in their order: those of a week or a month are next to one another.
        let week = |hour: u32| hour as usize / WEEK;
        in_runs(&self.now, week, &mut self.by_week);
        if !self.by_month.is_empty() {
            let month = |hour: u32| period.month(hour as usize);
            in_runs(&self.now, month, &mut self.by_month);
        }
        self.now.clear();
    }

    /// Adds later samples.
    pub fn merge(&mut self, later: Self) {
        let add = |mine: &mut Vec<Counts>, theirs: &[Counts]| {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                mine.sum += theirs.sum;
                mine.squares += theirs.squares;
            }
        };
        for (mine, theirs) in self.short.iter_mut().zip(&later.short) {
            *mine += theirs;
        }
        add(&mut self.by_hour, &later.by_hour);
        add(&mut self.by_week, &later.by_week);
        add(&mut self.by_month, &later.by_month);
        self.rows.extend(later.rows);
    }

    /// Means and errors over all samples.
    pub fn adequacy(&self, period: &Period) -> SystemAdequacy {
        let values = |of: fn(&SampleLoss) -> f64| self.rows.iter().map(of).collect::<Vec<f64>>();
        let mean = |of: fn(&SampleLoss) -> f64| Estimate::of(&values(of));
        let largest = |of: fn(&SampleLoss) -> f64| values(of).into_iter().fold(0.0, f64::max);
        let eue = mean(|sample| sample.unserved);
        let ppm = if period.all > 0.0 { 1e6 / period.all } else { 0.0 };
        let (samples, hours) = (self.rows.len(), period.hours);
        let lolp = |counts: &[Counts], in_class: &dyn Fn(usize) -> usize| {
            let of = |(class, counts): (usize, &Counts)| counts.lolp(samples, in_class(class));
            counts.iter().enumerate().map(of).collect::<Vec<Estimate>>()
        };
        let month = |month: usize| {
            let begin = if month == 0 { 0 } else { period.months[month - 1] };
            period.months[month] - begin
        };
        SystemAdequacy {
            samples: samples as u32,
            hours,
            lole_hours: mean(|sample| sample.hours),
            lole_days: mean(|sample| sample.days),
            lolev: mean(|sample| sample.events),
            eue,
            neue_ppm: Estimate { mean: eue.mean * ppm, standard_error: eue.standard_error * ppm },
            cvar_95: Estimate::of_tail(&values(|sample| sample.unserved), TAIL),
            longest: mean(|sample| sample.longest),
            longest_of_all: largest(|sample| sample.longest),
            deepest: mean(|sample| sample.deepest),
            deepest_of_all: largest(|sample| sample.deepest),
            lolp_by_hour: lolp(&self.by_hour, &|hour| (hours - hour).div_ceil(DAY)),
            lolp_by_week: lolp(&self.by_week, &|week| WEEK.min(hours - week * WEEK)),
            lolp_by_month: lolp(&self.by_month, &month),
            lolp: self.short.iter().map(|short| f64::from(*short) / samples as f64).collect(),
        }
    }
}

impl Counts {
    fn add(&mut self, hours: u64) {
        self.sum += hours;
        self.squares += hours * hours;
    }

    /// Probability that an hour of this kind is short, where a sample has `hours` of them. The
    /// error is that of the share of them by sample.
    fn lolp(&self, samples: usize, hours: usize) -> Estimate {
        let (count, hours) = (samples as f64, hours as f64);
        if count == 0.0 || hours == 0.0 {
            return Estimate::default();
        }
        let mean = self.sum as f64 / count;
        let spread = self.squares as f64 - mean * self.sum as f64;
        let variance = if samples > 1 { spread.max(0.0) / (count - 1.0) } else { 0.0 };
        Estimate { mean: mean / hours, standard_error: (variance / count).sqrt() / hours }
    }
}

/// Counts hours in a row that are of one class.
fn in_runs(hours: &[u32], class: impl Fn(u32) -> usize, counts: &mut [Counts]) {
    for run in hours.chunk_by(|a, b| class(*a) == class(*b)) {
        counts[class(run[0])].add(run.len() as u64);
    }
}

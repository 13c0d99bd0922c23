//! Checks of regions, surfaces, workloads, curves and events.

use super::{Faults, Path, Scenario, highest, lowest};
use crate::demand::{
    Growth, Images, Occurrence, Reach, Service, Shape, TokenLengths, Volume, Workload,
    length_tables,
};
use crate::time::FleetTime;
use crate::units::Seconds;

/// Seconds of a year.
const YEAR: f64 = 31_557_600.0;
/// Widest offset from UTC that exists, hours.
const WIDEST_OFFSET: f64 = 14.0;

/// Longest time after which a refused call comes back: a week.
const LONGEST_WAIT: f64 = 604_800.0;
/// Most regions of a scenario.
const MOST_REGIONS: usize = 32;

/// Number and time zones of the regions.
pub(super) fn regions(scenario: &Scenario, faults: &mut Faults) {
    let few = scenario.regions.len() <= MOST_REGIONS;
    let message = format!("{} regions; at most {MOST_REGIONS} are legal", scenario.regions.len());
    faults.require(few, Path::of("regions"), &message, "join neighbouring regions");
    for (name, region) in &scenario.regions {
        let path = Path::of("regions").key(name).key("time_zones");
        for (index, (offset, _)) in region.time_zones.iter().enumerate() {
            let legal = offset.0.abs() <= WIDEST_OFFSET * 3600.0;
            let message = "an offset from UTC lies between -14 h and 14 h";
            faults.require(legal, path.index(index), message, "write it as \"-5 h\"");
        }
        let shares = region.time_zones.iter().map(|zone| zone.1);
        faults.whole(path, "parts of the time zones", shares);
    }
}

/// Each pair of regions has one round trip.
pub(super) fn round_trips(scenario: &Scenario, faults: &mut Faults) {
    let stated = |from: &str, to: &str| -> Option<Seconds> {
        scenario.regions.get(from).and_then(|region| region.round_trip.get(to)).copied()
    };
    for (name, region) in &scenario.regions {
        let path = Path::of("regions").key(name).key("round_trip");
        for (other, time) in &region.round_trip {
            faults.known(path.key(other), "region", other, &scenario.regions);
            faults.duration(path.key(other), *time);
            let twice = other > name && stated(other, name).is_some_and(|back| back != *time);
            let message = format!("`{other}` states another round trip to `{name}`");
            faults.require(!twice, path.key(other), &message, "state each pair once");
        }
        for other in scenario.regions.keys().filter(|other| *other > name) {
            let known = stated(name, other).or(stated(other, name)).is_some();
            let message = format!("no round trip between `{name}` and `{other}`");
            let help = format!("add \"{other}\": \"100 ms\" to `round_trip` of `{name}`");
            faults.require(known, Path::of("regions").key(name), &message, &help);
        }
    }
}

/// Names, shares and growth of the surfaces.
pub(super) fn surfaces(scenario: &Scenario, faults: &mut Faults) {
    for (name, surface) in &scenario.surfaces {
        let path = Path::of("surfaces").key(name);
        faults.region_shares(&path.key("regions"), &surface.regions, scenario);
        faults.growth(&path.key("daily_users"), &surface.daily_users);
        faults.growth(&path.key("adoption"), &surface.adoption);
        faults.growth(&path.key("requests"), &surface.requests);
        let list = path.key("workloads");
        let some = !surface.workloads.is_empty();
        faults.require(some, list.clone(), "a surface needs workloads", "name at least one");
        for (index, workload) in surface.workloads.iter().enumerate() {
            faults.known(list.index(index), "workload", workload, &scenario.workloads);
            let again = surface.workloads[..index].contains(workload);
            let message = format!("`{workload}` is named twice");
            faults.require(!again, list.index(index), &message, "keep one");
        }
    }
}

/// Lengths, promises, reach and curve of the workloads.
pub(super) fn workloads(scenario: &Scenario, faults: &mut Faults) {
    for (name, workload) in &scenario.workloads {
        let path = Path::of("workloads").key(name);
        faults.growth(&path.key("calls"), &workload.calls);
        lengths(scenario, faults, &path.key("prompt"), &workload.prompt);
        lengths(scenario, faults, &path.key("output"), &workload.output);
        if let Some(thinking) = &workload.thinking {
            lengths(scenario, faults, &path.key("thinking"), thinking);
        }
        if let Some(images) = &workload.images {
            pictures(faults, &path.key("images"), images);
        }
        let service = path.key("service");
        match workload.service {
            Service::Interactive { ttft_p99, tpot_p99 } => {
                faults.positive_duration(service.key("ttft_p99"), ttft_p99);
                faults.positive_duration(service.key("tpot_p99"), tpot_p99);
            }
            Service::Deferrable { deadline } => {
                faults.positive_duration(service.key("deadline"), deadline);
            }
        }
        refusals(faults, &path, workload);
        if let Reach::Within(budget) = workload.reach {
            faults.duration(path.key("reach"), budget);
        }
        faults.known(path.key("profile"), "profile", &workload.profile, &scenario.profiles);
    }
}

/// What becomes of refused calls: only interactive ones are ever refused.
fn refusals(faults: &mut Faults, path: &Path, workload: &Workload) {
    let live = workload.is_interactive();
    let message = "deferrable work waits: it is not refused";
    let help = "leave this out, or make the service interactive";
    if workload.degraded.is_some() {
        faults.require(live, path.key("degraded"), message, help);
    }
    if let Some(retries) = &workload.retries {
        faults.require(live, path.key("retries"), message, help);
        faults.positive_duration(path.key("retries").key("after"), retries.after);
        let soon = retries.after.0 <= LONGEST_WAIT;
        let message = "calls that come back after more than a week are new ones";
        faults.require(soon, path.key("retries").key("after"), message, "for example \"10 min\"");
        let ends = highest(&retries.share) < 1.0;
        let message = "calls that always come back would never end";
        faults.require(ends, path.key("retries").key("share"), message, "below 100 %");
    }
}

/// Images have a share, a number and a size that are believed.
fn pictures(faults: &mut Faults, path: &Path, images: &Images) {
    faults.growth(&path.key("share"), &images.share);
    faults.positive(path.key("per_call"), &images.per_call);
    faults.positive(path.key("tokens"), &images.tokens);
    let most = highest(&images.per_call) * highest(&images.tokens);
    let message = "images of more than a million tokens in one call are not believed";
    faults.require(most <= 1e6, path.key("tokens"), message, "one image has 200 to 1300 tokens");
}

/// The shape is known, and the mean is above zero in every year.
fn lengths(scenario: &Scenario, faults: &mut Faults, path: &Path, lengths: &TokenLengths) {
    faults.growth(&path.key("mean"), &lengths.mean);
    match &lengths.shape {
        Shape::Empirical(table) => {
            faults.known(path.key("shape"), "length table", table, length_tables());
        }
        Shape::Lognormal(sigma) => {
            let legal = sigma.is_finite() && (0.0..=5.0).contains(sigma);
            let message = "the deviation of the logarithm must lie between 0 and 5";
            faults.require(legal, path.key("shape"), message, "measured traces have 0.7 to 2.7");
        }
        Shape::Fixed => {}
    }
    let years = scenario.horizon.first_year..=scenario.horizon.last_year;
    let positive = years.take(20).all(|year| {
        let mean = lengths.mean.central(f64::from(year) + 0.5).0;
        mean > 0.0 && mean.is_finite()
    });
    let message = "the mean length must be above zero in every year";
    faults.require(positive, path.key("mean"), message, "at least \"1 tokens\"");
}

/// One remainder at most; shares of requests within 100 % on every surface.
pub(super) fn volumes(scenario: &Scenario, faults: &mut Faults) {
    let at = |name: &str| Path::of("workloads").key(name).key("volume");
    let remainders = scenario.workloads.iter().filter(|entry| entry.1.volume == Volume::Remainder);
    for (name, _) in remainders.skip(1) {
        let message = "another workload already takes the remainder";
        faults.add(at(name), message, "give this one share_of_requests(...)");
    }
    for (name, workload) in &scenario.workloads {
        match &workload.volume {
            Volume::ShareOfRequests(law) => faults.growth(&at(name).key("share_of_requests"), law),
            Volume::PerUserRequest(law) => faults.growth(&at(name).key("per_user_request"), law),
            Volume::PerDailyUser(law) => faults.growth(&at(name).key("per_daily_user"), law),
            Volume::Remainder => {}
        }
    }
    for (name, surface) in &scenario.surfaces {
        let share = |law: &Growth<_>, year: u16| -> f64 {
            let share: crate::units::Share = law.central(f64::from(year) + 0.5);
            share.0
        };
        let offered = || surface.workloads.iter().filter_map(|name| scenario.workloads.get(name));
        let total = |year: u16| -> f64 {
            offered()
                .filter_map(|workload| match &workload.volume {
                    Volume::ShareOfRequests(law) => Some(share(law, year)),
                    _ => None,
                })
                .sum()
        };
        let years = scenario.horizon.first_year..=scenario.horizon.last_year;
        if let Some(year) = years.take(20).find(|year| total(*year) > 1.0 + super::TOLERANCE) {
            let message = format!(
                "the workloads take {:.0} % of the requests in {year}",
                total(year) * 100.0
            );
            let path = Path::of("surfaces").key(name).key("workloads");
            faults.add(path, message, "lower their share_of_requests");
        }
        let rest = offered().any(|workload| workload.volume == Volume::Remainder);
        let middle = u16::midpoint(scenario.horizon.first_year, scenario.horizon.last_year);
        let some = !surface.workloads.is_empty();
        if some && !rest && total(middle) < 1.0 - super::TOLERANCE {
            let message = format!(
                "only {:.0} % of the requests in {middle} go to a workload",
                total(middle) * 100.0
            );
            let path = Path::of("surfaces").key(name).key("workloads");
            faults.add(path, message, "add a workload whose volume is `remainder`");
        }
    }
}

/// A profile has 24 hours, 7 days and 12 months if any, all above zero.
pub(super) fn profiles(scenario: &Scenario, faults: &mut Faults) {
    for (name, profile) in &scenario.profiles {
        let path = Path::of("profiles").key(name);
        let mut curve = |field: &str, values: &[f64], count: usize| {
            let message = format!("`{field}` has {} values, not {count}", values.len());
            let help = "one for each hour of the day, day from Monday or month from January";
            faults.require(values.len() == count, path.key(field), &message, help);
            let sane = |value: &f64| value.is_finite() && *value > 0.0 && *value < 1e6;
            if let Some(index) = values.iter().position(|value| !sane(value)) {
                let message = format!("a factor of `{field}` must be above zero and below 1e6");
                faults.add(path.key(field).index(index), message, "1 is the mean");
            }
        };
        curve("hours", &profile.hours, 24);
        curve("days", &profile.days, 7);
        if !profile.weekend_hours.is_empty() {
            curve("weekend_hours", &profile.weekend_hours, 24);
        }
        if !profile.months.is_empty() {
            curve("months", &profile.months, 12);
        }
        let peak = profile.busiest_five_minutes.0 >= 1.0;
        let message = "the busiest five minutes cannot lie below the hour's mean";
        faults.require(peak, path.key("busiest_five_minutes"), message, "1 or more");
    }
}

/// Dates and hours of planned events exist.
pub(super) fn events(scenario: &Scenario, faults: &mut Faults) {
    for (name, event) in &scenario.events {
        let path = Path::of("events").key(name);
        let when = path.key("when");
        let hour = match &event.when {
            Occurrence::Yearly { month, day, hour } => {
                // 2027 has no leap day: a yearly event must exist in every year.
                let exists = FleetTime::from_date(2027, i64::from(*month), i64::from(*day));
                let message = format!("there is no day {day} in month {month} of every year");
                faults.require(exists.is_some(), when.key("day"), &message, "month 1 to 12");
                *hour
            }
            Occurrence::Dates { dates, hour } => {
                let message = "an event needs at least one date";
                faults.require(!dates.is_empty(), when.key("dates"), message, "add one");
                *hour
            }
        };
        faults.require(hour <= 23, when.key("hour"), "the hour must be 0 to 23", "0 is midnight");
        faults.positive_duration(path.key("lasts"), event.lasts);
        faults.positive(path.key("factor"), &event.factor);
        named_regions(scenario, faults, &path, &event.regions);
    }
}

/// Surges last and multiply.
pub(super) fn surges(scenario: &Scenario, faults: &mut Faults) {
    for (name, surge) in &scenario.surges {
        let path = Path::of("surges").key(name);
        let rare = surge.per_year.0 <= 10_000.0;
        let message = "more than 10000 surges a year are no surges";
        faults.require(rare, path.key("per_year"), message, "use the profile for what is usual");
        let busy = surge.per_year.0 * highest(&surge.lasts) <= YEAR;
        let message = "surges of this kind would last for more than a year in every year";
        faults.require(busy, path.key("lasts"), message, "make them rarer or shorter");
        let huge = highest(&surge.factor) <= 1e6;
        let message = "a surge to more than a million times is not believed";
        faults.require(huge, path.key("factor"), message, "check the factor");
        faults.uncertain_duration(path.key("lasts"), &surge.lasts);
        let lasting = lowest(&surge.lasts) != 0.0;
        faults.require(lasting, path.key("lasts"), "a surge must last", "for example \"2 h\"");
        faults.positive(path.key("factor"), &surge.factor);
        let help = "it is drawn anew for each surge";
        faults.unshared(&path.key("lasts"), &surge.lasts, help);
        faults.unshared(&path.key("factor"), &surge.factor, help);
        named_regions(scenario, faults, &path, &surge.regions);
    }
}

/// Releases change known workloads by factors that are believed.
pub(super) fn releases(scenario: &Scenario, faults: &mut Faults) {
    for (name, release) in &scenario.releases {
        let path = Path::of("releases").key(name);
        faults.uncertain_duration(path.key("slip"), &release.slip);
        for (field, factor) in [("work", &release.work), ("requests", &release.requests)] {
            faults.positive(path.key(field), factor);
            let message = "a release that multiplies anything by more than 1000 is not believed";
            faults.require(highest(factor) <= 1e3, path.key(field), message, "1 is no change");
        }
        for (index, workload) in release.workloads.iter().enumerate() {
            let path = path.key("workloads").index(index);
            faults.known(path, "workload", workload, &scenario.workloads);
        }
    }
}

fn named_regions(scenario: &Scenario, faults: &mut Faults, path: &Path, names: &[String]) {
    for (index, name) in names.iter().enumerate() {
        faults.known(path.key("regions").index(index), "region", name, &scenario.regions);
    }
}

//! Synthetic adequacy with every field filled; nothing here was simulated.

use sparkgap::plan::{
    Adequacy, AdequacyYear, CriterionPart, Eue, Holds, Lolp, PeakSurvival, ScopeAdequacy,
    SupplyAdequacy, ThreePart,
};
use sparkgap::stats::Estimate;

use crate::answers::{FIRST_YEAR, YEARS};

fn estimate(mean: f64) -> Estimate {
    Estimate { mean, standard_error: mean * 0.1 }
}

/// So many short hours, and all else in proportion.
fn scope(region: Option<&str>, workload: Option<&str>, hours: f64) -> ScopeAdequacy {
    ScopeAdequacy {
        region: region.map(str::to_owned),
        workload: workload.map(str::to_owned),
        lole_hours: estimate(hours),
        lole_days: estimate(hours / 4.0),
        lolev: estimate(hours / 3.0),
        eue: Eue {
            calls: estimate(hours * 3e7),
            output_tokens: estimate(hours * 9e9),
            reference_gpu_hours: estimate(hours * 840.0),
        },
        neue_ppm: estimate(hours * 0.7),
        cvar_95: estimate(hours * 9_000.0),
        longest: estimate(hours / 2.0),
        longest_of_all: hours * 5.0,
        deepest: estimate(hours * 100.0),
        deepest_of_all: hours * 700.0,
    }
}

fn lolp(hours: f64) -> Option<Lolp> {
    let at = |month: usize, hour: usize| estimate(hours / 8_760.0 * (month * 24 + hour) as f64);
    (hours > 0.0).then(|| Lolp {
        by_hour: (0..24).map(|hour| at(6, hour)).collect(),
        by_month: (0..12).map(|month| at(month, 12)).collect(),
        table: (0..12).map(|month| (0..24).map(|hour| at(month, hour)).collect()).collect(),
        hours: [30.0; 12],
    })
}

fn supply(hours: f64) -> SupplyAdequacy {
    let part = |value: f64, limit: f64, holds: Holds| CriterionPart {
        value: estimate(value),
        limit,
        holds,
    };
    let holds = if hours > 0.0 { Holds::No } else { Holds::Yes };
    SupplyAdequacy {
        whole: scope(None, None, hours),
        regions: vec![scope(Some("east"), None, hours), scope(Some("west"), None, 0.0)],
        workloads: vec![scope(None, Some("chat"), hours * 0.3)],
        classes: vec![scope(Some("east"), Some("chat"), hours * 0.3)],
        lolp: lolp(hours),
        three_part: ThreePart {
            frequency: part(hours / 3.0, 0.1, holds),
            duration: part(0.01, 0.0025, Holds::NotResolved),
            magnitude: part(0.0, 0.0025, Holds::Yes),
            holds,
        },
        largest_site: survival("prometheus", hours),
    }
}

fn survival(name: &str, hours: f64) -> PeakSurvival {
    let survived = 1.0 / (1.0 + hours / 50.0);
    PeakSurvival {
        survived: Estimate { mean: survived, standard_error: 0.01 },
        missing: estimate(hours * 40.0),
        missing_of_all: hours * 90.0,
        lost: Some(name.to_owned()),
        lost_share: 0.8,
        worst: (hours > 0.0).then(|| name.to_owned()),
    }
}

/// Nothing short in the first year, more in every later one.
pub fn growing() -> Adequacy {
    let year = |index: u16| {
        let time = f64::from(index);
        AdequacyYear {
            year: FIRST_YEAR + index,
            own: supply(210.0 * time),
            with_contracts: supply(17.0 * time),
            largest_contract: survival("coreweave_1", 3.0 * time),
        }
    };
    Adequacy {
        years: (0..YEARS).map(year).collect(),
        lolp_own: lolp(600.0),
        lolp_with_contracts: lolp(50.0),
    }
}

/// Nothing short, ever, and nothing to lose.
pub fn none() -> Adequacy {
    let year = |index: u16| AdequacyYear { year: FIRST_YEAR + index, ..AdequacyYear::default() };
    Adequacy { years: (0..YEARS).map(year).collect(), ..Adequacy::default() }
}

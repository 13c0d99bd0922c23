//! Counts of units against a simulation that knows every tray of every rack: one object per rack,
//! one list of events, nothing shared with the counts but the failure rates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::ChaCha8Rng;
use sparkgap::fleet::{Consequence, EXACT_RACKS, UnitCounts, counted_law};
use sparkgap::hardware::Failures;
use sparkgap::rng::{StreamKey, exponential};
use sparkgap::stats::Estimate;
use sparkgap::supply::UnitLaw;
use sparkgap::units::Seconds;

const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;
const TRAYS: usize = 18;
const SPARE: usize = 2;
/// Hours between two samples of a path, and samples of a path.
const LAG: f64 = 12.0;
const SAMPLES: usize = 2_000;
/// Paths of each kind.
const PATHS: u64 = 300;

/// Rates per second: a tray, its repair, a rack as a whole, its repair. Frailer than real racks,
/// so that drains are common enough to be compared.
const RATES: [f64; 4] = [1.0 / (100.0 * DAY), 1.0 / (2.0 * DAY), 1.0 / (60.0 * DAY), 1.0 / DAY];

fn failures() -> Failures {
    Failures::Trays {
        trays: TRAYS as u32,
        spare_trays: SPARE as u32,
        tray_mtbf: Seconds(1.0 / RATES[0]),
        tray_mttr: Seconds(1.0 / RATES[1]),
        rack_mtbf: Seconds(1.0 / RATES[2]),
        rack_mttr: Seconds(1.0 / RATES[3]),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Serving,
    Draining,
    Gone,
}

/// One rack with all its trays.
struct Rack {
    mode: Mode,
    down: [bool; TRAYS],
    /// Raised when everything scheduled for it is void.
    life: u32,
}

/// Racks and their events: time in microseconds, rack, part (a tray, or the whole after the last
/// tray), life.
struct Racks {
    racks: Vec<Rack>,
    events: BinaryHeap<Reverse<(u64, usize, usize, u32)>>,
    random: ChaCha8Rng,
    now: f64,
}

impl Racks {
    fn new(count: usize, seed: u64) -> Self {
        let new = || Rack { mode: Mode::Serving, down: [false; TRAYS], life: 0 };
        let mut racks = Self {
            racks: (0..count).map(|_| new()).collect(),
            events: BinaryHeap::new(),
            random: StreamKey::world(seed, 77).stream("racks one by one"),
            now: 0.0,
        };
        (0..count).for_each(|rack| racks.begin(rack));
        racks
    }

    fn schedule(&mut self, rack: usize, part: usize, rate: f64) {
        let at = self.now + exponential(&mut self.random) / rate;
        self.events.push(Reverse(((at * 1e6) as u64, rack, part, self.racks[rack].life)));
    }

    /// A rack serves with all its trays.
    fn begin(&mut self, rack: usize) {
        self.racks[rack] =
            Rack { mode: Mode::Serving, down: [false; TRAYS], life: self.racks[rack].life + 1 };
        for tray in 0..TRAYS {
            self.schedule(rack, tray, RATES[0]);
        }
        self.schedule(rack, TRAYS, RATES[2]);
    }

    fn turn_tray(&mut self, rack: usize, tray: usize) {
        let state = &mut self.racks[rack];
        state.down[tray] = !state.down[tray];
        let down = state.down.iter().filter(|down| **down).count();
        if down > SPARE {
            state.mode = Mode::Draining;
        }
        if down == 0 && state.mode == Mode::Draining {
            // All trays are back: it serves, and may fail as a whole from now on.
            self.begin(rack);
            return;
        }
        let rate = if self.racks[rack].down[tray] { RATES[1] } else { RATES[0] };
        self.schedule(rack, tray, rate);
    }

    fn turn_rack(&mut self, rack: usize) {
        match self.racks[rack].mode {
            Mode::Serving => {
                self.racks[rack].mode = Mode::Gone;
                self.racks[rack].life += 1;
                self.schedule(rack, TRAYS, RATES[3]);
            }
            Mode::Gone => self.begin(rack),
            // A rack that drains does no work that could fail as a whole.
            Mode::Draining => {}
        }
    }

    fn run_to(&mut self, time: f64) {
        while let Some(&Reverse((at, rack, part, life))) = self.events.peek() {
            if at as f64 / 1e6 > time {
                break;
            }
            self.events.pop();
            if life == self.racks[rack].life {
                self.now = at as f64 / 1e6;
                if part < TRAYS { self.turn_tray(rack, part) } else { self.turn_rack(rack) }
            }
        }
    }

    fn serving(&self) -> f64 {
        self.racks.iter().filter(|rack| rack.mode == Mode::Serving).count() as f64
    }
}

/// Serving racks at every sample, one by one; the first hundred days are left out.
fn one_by_one(count: u32, seed: u64) -> Vec<f64> {
    let mut racks = Racks::new(count as usize, seed);
    let sample = |index: usize| {
        racks.run_to(100.0 * DAY + index as f64 * LAG * HOUR);
        racks.serving()
    };
    (0..SAMPLES).map(sample).collect()
}

/// The same by counts that follow every transition.
fn followed(count: u32, most: u32, seed: u64) -> Vec<f64> {
    let law = UnitLaw::new(&failures());
    let mut random = StreamKey::world(seed, u64::from(most)).stream("counts");
    let mut counts = UnitCounts::new(&law, most);
    let mut returns = counts.add_stationary(&law, count, &mut random);
    let (mut next, mut values) = (0.0, Vec::with_capacity(SAMPLES));
    let mut due = exponential(&mut random) / counts.rate(&law);
    while values.len() < SAMPLES {
        returns.sort_by(|a, b| b.total_cmp(a));
        let returning = returns.last().copied().unwrap_or(f64::MAX);
        let now = due.min(returning);
        while next <= now && values.len() < SAMPLES {
            values.push(f64::from(counts.serving()));
            next += LAG * HOUR;
        }
        if returning <= due {
            returns.pop();
            counts.return_drained(&law);
        } else if let Consequence::ReturnAfter(out) = counts.transition(&law, &mut random) {
            returns.push(now + out);
        }
        due = now + exponential(&mut random) / counts.rate(&law);
    }
    values
}

/// The same by counts that are taken an hour at a time.
fn stepped(count: u32, seed: u64) -> Vec<f64> {
    let law = UnitLaw::new(&failures()).stepped(HOUR);
    let mut random = StreamKey::world(seed, 99).stream("counts");
    let mut counts = UnitCounts::new(&law, count);
    assert!(counts.add_stationary(&law, count, &mut random).is_empty());
    let mut sample = |_| {
        let now = f64::from(counts.serving());
        for _ in 0..LAG as usize {
            counts.step(&law, &mut random);
        }
        now
    };
    (0..SAMPLES).map(&mut sample).collect()
}

/// Mean, variance and autocovariance at one and at four lags, each per rack, of many paths.
fn moments(count: u32, path: impl Fn(u64) -> Vec<f64>) -> [Estimate; 4] {
    let availability = UnitLaw::new(&failures()).availability();
    let expected = f64::from(count) * availability;
    let mut each = [const { Vec::new() }; 4];
    for seed in 0..PATHS {
        let values: Vec<f64> = path(seed).iter().map(|value| value - expected).collect();
        let together = |lag: usize| {
            let pairs = values.iter().zip(&values[lag..]);
            pairs.map(|(a, b)| a * b).sum::<f64>() / (SAMPLES - lag) as f64
        };
        let mean = values.iter().sum::<f64>() / SAMPLES as f64;
        for (to, value) in each.iter_mut().zip([mean, together(0), together(1), together(4)]) {
            to.push(value / f64::from(count));
        }
    }
    each.map(|values| Estimate::of(&values))
}

#[test]
fn counts_agree_with_racks_simulated_one_by_one() {
    let count = 20;
    let names = ["mean", "variance", "covariance at 12 h", "covariance at 48 h"];
    let true_ones = moments(count, |seed| one_by_one(count, seed));
    // The law of the chain is that of the racks.
    assert!(true_ones[0].within(0.0, 3.0), "{:?}", true_ones[0]);
    let forms: [(&str, [Estimate; 4]); 3] = [
        ("exact", moments(count, |seed| followed(count, EXACT_RACKS, seed))),
        ("renewal", moments(count, |seed| followed(count, EXACT_RACKS + 1, seed))),
        ("stepped", moments(count, |seed| stepped(count, seed))),
    ];
    for (form, found) in &forms {
        for ((name, found), truth) in names.iter().zip(found).zip(&true_ones) {
            let error = found.standard_error.hypot(truth.standard_error);
            let apart = (found.mean - truth.mean) / error;
            println!("{form}, {name}: {:.5} {:.5}, {apart:.2} SE", found.mean, truth.mean);
            assert!(apart.abs() < 3.0, "{form}, {name}: {found:?} {truth:?}");
        }
    }
}

#[test]
fn whole_units_are_stepped_as_their_two_states_say() {
    // A large pool: mean n q, variance n p q, covariance n p q exp(-(fail + repair) t).
    let (fail, repair, count) = (1.0 / (10.0 * DAY), 1.0 / DAY, 5_000_u32);
    let law = UnitLaw::Whole { fail, repair }.stepped(HOUR);
    let down = fail / (fail + repair);
    let mut each = [const { Vec::new() }; 3];
    for seed in 0..40 {
        let mut random = StreamKey::world(seed, 3).stream("counts");
        let mut counts = UnitCounts::new(&law, count);
        counts.add_stationary(&law, count, &mut random);
        let mut values = Vec::new();
        for _ in 0..5_000 {
            counts.step(&law, &mut random);
            values.push(f64::from(count - counts.serving()) - f64::from(count) * down);
        }
        let together = |lag: usize| {
            let pairs = values.iter().zip(&values[lag..]);
            pairs.map(|(a, b)| a * b).sum::<f64>() / (values.len() - lag) as f64
        };
        each[0].push(values.iter().sum::<f64>() / values.len() as f64);
        each[1].push(together(0));
        each[2].push(together(24));
    }
    let variance = f64::from(count) * down * (1.0 - down);
    let kept = (-(fail + repair) * 24.0 * HOUR).exp();
    for (values, expected) in each.iter().zip([0.0, variance, variance * kept]) {
        let found = Estimate::of(values);
        assert!(found.within(expected, 3.0), "{found:?} {expected}");
    }
}

#[test]
fn a_pool_is_stepped_where_its_units_turn_more_than_twice_an_epoch() {
    let racks = UnitLaw::new(&failures());
    let node = UnitLaw::Whole { fail: 1.0 / (263.2 * DAY), repair: 1.0 / DAY };
    for (law, per_unit) in [(node, 2.0 / (264.2 * DAY)), (racks.clone(), racks.transitions())] {
        let edge = 2.0 / (per_unit * HOUR);
        for (units, stepped) in [(edge * 0.99, false), (edge * 1.01, true)] {
            let counted = counted_law(law.clone(), units as u32, HOUR);
            assert_eq!(matches!(counted, UnitLaw::Stepped(_)), stepped, "{units}");
        }
    }
    assert_eq!(counted_law(UnitLaw::Firm, u32::MAX, HOUR), UnitLaw::Firm);
    // Once a rack is out, it comes back: two turns each.
    let out = 1.0 - racks.availability();
    let UnitLaw::Trays(trays) = &racks else { panic!("a tray law") };
    let turns = 2.0 * (1.0 - out) * (trays.rack_fail + trays.drain);
    assert!((racks.transitions() / turns - 1.0).abs() < 1e-12);
}

//! Arrival processes against what is known of them: dispersion of counts, independence of split
//! streams, and queues with infinitely many servers under a moving rate.

use rand::rngs::ChaCha8Rng;
use sparkgap::demand::{ArrivalTimes, Gaps, Interarrival, RateProfile, RateProfileError};
use sparkgap::rng::{StreamKey, exponential, uniform};
use sparkgap::time::EngineTime;
use sparkgap::units::Seconds;

fn stream(number: u64, purpose: &str) -> ChaCha8Rng {
    StreamKey::inner(11, 0, number).stream(purpose)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let products = a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b));
    products.sum::<f64>() / (a.len() - 1) as f64
}

/// Arrivals in each of `count` windows of a length in seconds, one after the other.
fn counts(arrivals: ArrivalTimes, window: f64, count: usize) -> Vec<f64> {
    let mut counts = vec![0.0; count];
    for arrival in arrivals {
        let index = (arrival.seconds() / window) as usize;
        if index >= count {
            break;
        }
        counts[index] += 1.0;
    }
    counts
}

#[test]
fn laws_read_back_and_faults_say_what_is_allowed() {
    for text in ["poisson", "gamma(2.5)", "weibull(0.5)", "gamma(20)", "weibull(0.05)"] {
        let law = Interarrival::parse(text).expect(text);
        assert_eq!(law.to_string(), text);
        let json = serde_json::to_string(&law).expect("JSON");
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Interarrival>(&json).expect("JSON"), law);
    }
    assert_eq!(Interarrival::parse(" gamma( 2 ) "), Ok(Interarrival::Gamma { cv: 2.0 }));
    for text in ["", "erlang(2)", "gamma", "gamma(2", "gamma()", "gamma(0.04)", "weibull(21)"] {
        let error = Interarrival::parse(text).expect_err(text).to_string();
        assert!(error.contains(&format!("`{text}`")) && error.contains("0.05 to 20"), "{error}");
    }
    assert!(Interarrival::parse("gamma(NaN)").is_err());
}

#[test]
fn counts_of_a_renewal_process_disperse_as_the_square_of_its_cv() {
    // Var N(t) / E N(t) tends to cv^2 (Cox 1962); 2,000 windows of 5,000 mean gaps.
    let laws = ["poisson", "gamma(0.5)", "gamma(2.5)", "weibull(2)", "weibull(0.3)"];
    for law in laws.map(|text| Interarrival::parse(text).expect(text)) {
        let (windows, length) = (2_000, 5_000.0);
        let arrivals = ArrivalTimes::new(100.0, Gaps::new(&law), None, stream(0, "renewal"));
        let counts = counts(arrivals, length / 100.0, windows);
        let dispersion = covariance(&counts, &counts) / mean(&counts);
        let squared = law.cv() * law.cv();
        // A variance of n normal numbers has the relative error sqrt(2/n); a mean count of
        // `length` in n windows the error sqrt(cv^2 length / n).
        let error = squared * (2.0 / windows as f64).sqrt();
        assert!((dispersion - squared).abs() < 3.0 * error, "{law}: {dispersion}, {squared}");
        let error = (squared * length / windows as f64).sqrt();
        assert!((mean(&counts) - length).abs() < 3.0 * error, "{law}: {}", mean(&counts));
    }
}

#[test]
fn a_split_poisson_process_is_two_independent_ones() {
    let gaps = Gaps::new(&Interarrival::Poisson);
    let mut coin = stream(0, "coin");
    let (windows, share) = (20_000, 0.3);
    let mut parts = [vec![0.0; windows], vec![0.0; windows]];
    for arrival in ArrivalTimes::new(10.0, gaps, None, stream(0, "split")) {
        let Some(index) = Some(arrival.seconds() as usize).filter(|at| *at < windows) else {
            break;
        };
        parts[usize::from(uniform(&mut coin) < share)][index] += 1.0;
    }
    let n = windows as f64;
    for (part, rate) in parts.iter().zip([7.0, 3.0]) {
        assert!((mean(part) - rate).abs() < 3.0 * (rate / n).sqrt());
        // The variance of a Poisson sample variance is (2 r^2 + r) / n.
        let error = ((2.0 * rate * rate + rate) / n).sqrt();
        assert!((covariance(part, part) - rate).abs() < 3.0 * error);
    }
    let error = (7.0 * 3.0 / n).sqrt();
    assert!(covariance(&parts[0], &parts[1]).abs() < 3.0 * error);
}

#[test]
fn infinitely_many_servers_hold_what_eick_massey_and_whitt_say() {
    // Rate L + B sin(g t), exponential service with rate mu, starting empty: N(t) is Poisson with
    // mean L/mu + B (mu sin gt - g cos gt) / (mu^2 + g^2), up to exp(-mu t).
    let (level, swing, speed, mu) = (20.0, 15.0, 0.5, 1.0);
    let period = std::f64::consts::TAU / speed;
    let profile = RateProfile::sinusoid(Seconds(period), swing / level).expect("a profile");
    let gaps = Gaps::new(&Interarrival::Poisson);
    let (runs, phases) = (3_000, 8);
    let at = |phase: usize| 2.0 * period + period * phase as f64 / phases as f64;
    let mut held = vec![vec![0.0; runs]; phases];
    for run in 0..runs {
        let arrivals = stream(run as u64, "arrivals");
        let arrivals = ArrivalTimes::new(level, gaps.clone(), Some(profile.clone()), arrivals);
        let mut service = stream(run as u64, "service");
        for arrival in arrivals.map(EngineTime::seconds).take_while(|at| *at < 3.0 * period) {
            let leaves = arrival + exponential(&mut service) / mu;
            for (phase, held) in held.iter_mut().enumerate() {
                held[run] += f64::from(arrival <= at(phase) && at(phase) < leaves);
            }
        }
    }
    for (phase, held) in held.iter().enumerate() {
        let angle = speed * at(phase);
        let wave = mu * angle.sin() - speed * angle.cos();
        let exact = level / mu + swing * wave / (mu * mu + speed * speed);
        let error = (exact / runs as f64).sqrt();
        assert!((mean(held) - exact).abs() < 3.0 * error, "{phase}: {} {exact}", mean(held));
        let error = ((2.0 * exact * exact + exact) / runs as f64).sqrt();
        let variance = covariance(held, held);
        assert!((variance - exact).abs() < 3.0 * error, "{phase}: {variance} {exact}");
    }
}

/// Integral of a periodic line through equally spaced knots, by small steps.
fn integral(multipliers: &[f64], period: f64, until: f64) -> f64 {
    let steps = 200_000;
    let count = multipliers.len();
    let step = until / f64::from(steps);
    let at = |time: f64| {
        let place = time / period * count as f64;
        let part = place - place.floor();
        let knot = place.floor() as usize;
        multipliers[knot % count] * (1.0 - part) + multipliers[(knot + 1) % count] * part
    };
    let scale = mean(multipliers);
    (0..steps).map(|n| at((f64::from(n) + 0.5) * step) * step).sum::<f64>() / scale
}

#[test]
fn the_clock_inverts_the_integral_of_the_rate() {
    let shapes: [&[f64]; 5] =
        [&[1.0], &[0.0, 2.0], &[0.0, 0.0, 5.0, 0.0, 0.0], &[1.0, 1.0, 1.0 + 1e-12], &[3.0, 0.1]];
    for shape in shapes {
        let profile = RateProfile::new(Seconds(60.0), shape).expect("a profile");
        let mut before = 0.0;
        for tick in 0..50 {
            let operational = f64::from(tick) * 3.7;
            let time = profile.clock(operational);
            assert!(time >= before, "{shape:?} at {operational}");
            before = time;
            let found = integral(shape, 60.0, time);
            assert!((found - operational).abs() < 1e-4, "{shape:?}: {found}, {operational}");
        }
    }
}

#[test]
fn hourly_factors_give_the_counts_of_their_hours() {
    let factors: Vec<f64> = (0..24).map(|hour| if hour < 8 { 0.0 } else { 6.0 }).collect();
    let profile = RateProfile::hourly(&factors).expect("a day");
    let gaps = Gaps::new(&Interarrival::Poisson);
    let days = 60;
    let arrivals = ArrivalTimes::new(0.5, gaps, Some(profile), stream(0, "day"));
    let counts = counts(arrivals, 3_600.0, days * 24);
    // Mean of the factors is 4, so a full hour has 1.5 times the rate; those at the edge an
    // eighth less or more.
    for (hour, share) in [(3, 0.0), (7, 1.5 / 8.0), (8, 1.5 * 7.0 / 8.0), (12, 1.5), (0, 1.5 / 8.0)]
    {
        let all: f64 = counts.iter().skip(hour).step_by(24).sum();
        let exact = 0.5 * 3_600.0 * days as f64 * share;
        assert!((all - exact).abs() <= 3.0 * exact.sqrt(), "{hour}: {all} {exact}");
    }
    assert!(RateProfile::hourly(&[1.0; 23]).unwrap_err().to_string().contains("24 (a day)"));
}

#[test]
fn profiles_that_cannot_be_say_why() {
    use RateProfileError::{Amplitude, Count, Multiplier, Period, Zero};
    let day = Seconds(86_400.0);
    let fault = |multipliers: &[f64]| RateProfile::new(day, multipliers).unwrap_err();
    assert!(matches!(fault(&[]), Count(0, _)));
    assert_eq!(fault(&[1.0, -0.5]), Multiplier(2, -0.5));
    assert!(matches!(fault(&[f64::NAN]), Multiplier(1, _)));
    assert!(matches!(fault(&[f64::INFINITY]), Multiplier(1, _)));
    assert_eq!(fault(&[0.0, 0.0]), Zero);
    assert!(RateProfile::new(day, &[0.0, f64::MIN_POSITIVE / 8.0]).is_ok());
    assert_eq!(RateProfile::new(Seconds(0.0), &[1.0]), Err(Period(0.0)));
    assert_eq!(RateProfile::sinusoid(day, 1.5), Err(Amplitude(1.5)));
    assert!(fault(&[1.0, -0.5]).to_string().contains("multiplier 2 of a rate profile is -0.5"));
}

#[test]
fn rates_of_nothing_and_of_a_billion() {
    let gaps = Gaps::new(&Interarrival::Poisson);
    let times = |rate: f64, profile: Option<RateProfile>| {
        ArrivalTimes::new(rate, gaps.clone(), profile, stream(0, "edge"))
    };
    for rate in [0.0, -1.0, f64::NAN, 1e-300] {
        assert_eq!(times(rate, None).next(), None, "{rate}");
    }
    let flat = RateProfile::new(Seconds(0.001), &[1.0]).expect("flat");
    for profile in [None, Some(flat)] {
        let count = 1_000_000;
        let last = times(1e9, profile.clone()).nth(count - 1).expect("endless").seconds();
        let error = 1e-9 * (count as f64).sqrt();
        assert!((last - 1e-9 * count as f64).abs() < 3.0 * error, "{last}");
        // The clock ends: after 106 days at most.
        let days: Vec<f64> = times(1e-5, profile.clone()).map(|at| at.seconds() / 8.64e4).collect();
        assert!(days.len() > 60 && days.len() < 130, "{}", days.len());
        assert!(days.iter().all(|day| *day <= ArrivalTimes::LAST.seconds() / 8.64e4));
        let mut ended = times(1e-6, profile.clone());
        assert!(ended.by_ref().count() < 30 && ended.next().is_none());
        // One request in 30,000 years.
        assert_eq!(times(1e-12, profile).next(), None);
    }
}

#[test]
fn a_flat_profile_and_another_rate_change_nothing_else() {
    let gaps = Gaps::new(&Interarrival::Gamma { cv: 3.0 });
    let times = |rate: f64, profile: Option<RateProfile>| -> Vec<u64> {
        let arrivals = ArrivalTimes::new(rate, gaps.clone(), profile, stream(0, "common"));
        arrivals.take(5_000).map(|at| at.0).collect()
    };
    let plain = times(100.0, None);
    let flat = RateProfile::new(Seconds(0.25), &[7.0, 7.0]).expect("flat");
    let same = times(100.0, Some(flat));
    assert!(plain.iter().zip(&same).all(|(a, b)| a.abs_diff(*b) <= 1));
    // Half the rate: the same arrivals at twice the time, to the picosecond that is cut off.
    let half = times(50.0, None);
    assert!(plain.iter().zip(&half).all(|(a, b)| (2 * a).abs_diff(*b) <= 2));
    let wave = RateProfile::sinusoid(Seconds(0.37), 1.0).expect("a wave");
    let moved = times(1_000.0, Some(wave));
    assert!(moved.windows(2).all(|pair| pair[0] <= pair[1]));
    // An operational second and a real one end together at the end of each period.
    let straight = times(1_000.0, None);
    let period = |at: &u64| at / 370_000_000_000;
    assert!(straight.iter().zip(&moved).all(|(a, b)| period(a) == period(b)));
}

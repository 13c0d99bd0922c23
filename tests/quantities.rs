//! Quantities, their laws and their growth: what is written is what is meant.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sparkgap::demand::{Growth, Shape, length_tables};
use sparkgap::engine::scaled_table;
use sparkgap::rng::StreamKey;
use sparkgap::rng::uniform;
use sparkgap::stats::Estimate;
use sparkgap::units::{
    AnnualGrowth, Dollars, GpuAmount, Quantity, Seconds, Share, Uncertain, Users, Watts, correlate,
    parse_quantity,
};

fn read<Q: Quantity>(text: &str) -> Result<f64, String> {
    parse_quantity::<Q>(text).map(Quantity::base).map_err(|error| error.to_string())
}

#[test]
fn numbers_carry_scales_and_units() {
    assert_eq!(read::<Watts>("2 GW"), Ok(2e9));
    assert_eq!(read::<Dollars>("35B USD"), Ok(35e9));
    assert_eq!(read::<Users>("1.4 B users"), Ok(1.4e9));
    assert_eq!(read::<GpuAmount>("1.2M gpus"), Ok(1.2e6));
    assert_eq!(read::<Seconds>("45 ms"), Ok(0.045));
    assert_eq!(read::<Seconds>("-6 h"), Ok(-21_600.0));
    assert_eq!(read::<Share>("8%"), Ok(0.08));
    assert_eq!(read::<AnnualGrowth>("-10 %/yr"), Ok(-0.1));
    assert_eq!(read::<Watts>("1_500 kW"), Ok(1.5e6));
}

#[test]
fn a_wrong_quantity_says_what_to_write() {
    let said = |error: Result<f64, String>, parts: &[&str]| {
        let error = error.expect_err("it is wrong");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    said(read::<Watts>("2"), &["needs its unit", "2 GW"]);
    said(read::<Watts>("2 GWh"), &["unknown power unit `GWh`", "kW, MW, GW"]);
    said(read::<Watts>("lots"), &["not a power"]);
    said(read::<Share>("120%"), &["out of range", "between 0% and 100%"]);
    said(read::<Watts>("-1 GW"), &["out of range"]);
    said(read::<AnnualGrowth>("-150 %/yr"), &["out of range"]);
    said(read::<Watts>("NaN GW"), &["not a power"]);
    said(read::<Watts>("1e999 GW"), &["not a power"]);
}

fn law(text: &str) -> Uncertain<Seconds> {
    Uncertain::parse(text).expect("a well-formed law")
}

#[test]
fn laws_have_the_quantiles_that_they_state() {
    let lognormal = law("lognormal(p10 3, p90 9) s");
    assert!((lognormal.at(0.1).0 - 3.0).abs() < 1e-9 && (lognormal.at(0.9).0 - 9.0).abs() < 1e-9);
    assert!((lognormal.central().0 - 27.0_f64.sqrt()).abs() < 1e-9);
    let triangular = law("triangular(1, 2, 4) s");
    // The mode cuts the area at (2 - 1) / (4 - 1).
    assert!((triangular.at(1.0 / 3.0).0 - 2.0).abs() < 1e-9);
    assert_eq!(law("uniform(10, 20) s").at(0.25), Seconds(12.5));
    assert!((law("normal(5, 2) s").at(0.841_344_746_068_543).0 - 7.0).abs() < 1e-6);
    let choice = law("choice(1, 2, 3) s");
    assert_eq!([0.1, 0.5, 0.99].map(|u| choice.at(u).0), [1.0, 2.0, 3.0]);
    assert_eq!(law("7 s").at(0.3), Seconds(7.0));
}

#[test]
fn a_wrong_law_is_refused() {
    let refused = [
        "triangular(3, 2, 1) s",
        "uniform(2, 1) s",
        "lognormal(p10 9, p90 3) s",
        "lognormal(3, 9) s",
        "lognormal(p10 0, p90 3) s",
        "normal(1, -1) s",
        "choice() s",
        "poisson(3) s",
        "uniform(1, 2",
        "uniform)1, 2( s",
        "uniform(1 s, 2 s)",
    ];
    for text in refused {
        assert!(Uncertain::<Seconds>::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_mean_of_draws_is_the_mean_of_the_law() {
    let mut stream = StreamKey::world(4, 0).stream("test");
    let law = law("triangular(1, 2, 6) s");
    let draws: Vec<f64> = (0..20_000).map(|_| law.at(uniform(&mut stream)).0).collect();
    assert!(Estimate::of(&draws).within(3.0, 3.0));
}

#[test]
fn correlated_uniforms_are_uniform_and_as_correlated_as_asked() {
    let mut stream = StreamKey::world(4, 1).stream("test");
    let (mut values, mut products) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let [common, a, b] = [(); 3].map(|()| uniform(&mut stream));
        let (a, b) = (correlate(common, a, 0.5), correlate(common, b, 0.5));
        values.push(a);
        products.push(12.0 * (a - 0.5) * (b - 0.5));
    }
    assert!(Estimate::of(&values).within(0.5, 3.0));
    // Rank correlation of a Gaussian copula with 0.5: 6 / pi asin(0.25).
    let ranks = 6.0 / std::f64::consts::PI * 0.25_f64.asin();
    assert!(Estimate::of(&products).within(ranks, 3.0));
    assert_eq!(correlate(0.3, 0.8, 0.0), correlate(0.6, 0.8, 0.0));
}

fn users(text: &str) -> Uncertain<Users> {
    Uncertain::parse(text).expect("a well-formed number")
}

fn growth(text: &str) -> Uncertain<AnnualGrowth> {
    Uncertain::parse(text).expect("a well-formed growth")
}

#[test]
fn growth_laws_hold_in_the_middle_of_2026() {
    let exponential = Growth::Exponential { start: users("100 users"), growth: growth("10 %/yr") };
    assert!((exponential.central(2026.5).0 - 100.0).abs() < 1e-9);
    assert!((exponential.central(2028.5).0 - 121.0).abs() < 1e-9);
    let linear = Growth::Linear {
        start: users("100 users"),
        per_year: users("30 users"),
        cap: Some(users("150 users")),
    };
    assert_eq!([2026.5, 2027.5, 2030.5].map(|year| linear.central(year).0), [100.0, 130.0, 150.0]);
    let series =
        Growth::Series(BTreeMap::from([(2026, users("10 users")), (2030, users("50 users"))]));
    assert_eq!(
        [2020.0, 2026.5, 2028.5, 2040.0].map(|y| series.central(y).0),
        [10.0, 10.0, 30.0, 50.0]
    );
    let constant = Growth::Constant(users("5 users"));
    assert_eq!(constant.central(2031.0), Users(5.0));
}

#[test]
fn a_logistic_starts_with_its_growth_and_ends_at_its_cap() {
    let logistic = Growth::Logistic {
        start: users("100 users"),
        growth: growth("20 %/yr"),
        cap: users("400 users"),
    };
    let at = |year: f64| logistic.central(year).0;
    assert!((at(2026.5) - 100.0).abs() < 1e-9);
    // The growth rate at the start, instantaneously: ln 1.2 a year.
    let slope = (at(2026.501) - at(2026.499)) / 0.002 / 100.0;
    assert!((slope - 1.2_f64.ln()).abs() < 1e-4, "{slope}");
    assert!((at(2080.0) / 400.0 - 1.0).abs() < 1e-3);
    assert!((2020..2060).all(|year| at(f64::from(year)) <= at(f64::from(year) + 1.0)));
}

#[test]
fn length_tables_sample_to_the_means_of_their_traces() {
    // A million draws of every shipped table, in strata: within 1 % of the trace's mean.
    for (name, table) in length_tables() {
        let count = 1_000_000;
        let total: f64 =
            (0..count).map(|i| table.at((f64::from(i) + 0.5) / f64::from(count)).round()).sum();
        let mean = total / f64::from(count);
        assert!((mean / table.mean - 1.0).abs() < 0.01, "{name}: {mean} {}", table.mean);
        let scaled = scaled_table(&Shape::Empirical(name.clone()), 500.0).expect("a known table");
        let area: f64 = scaled
            .quantiles
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0)
            .sum();
        assert!((area / 500.0 - 1.0).abs() < 0.01, "{name}: {area}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,40}") {
        let _ = Uncertain::<Watts>::parse(&text);
        let _ = Uncertain::<Share>::parse(&text);
        let _ = sparkgap::time::FleetTime::parse(&text);
    }

    #[test]
    fn what_is_written_reads_back_to_the_same_bits(value in 0.0f64..1.0, big in 0.0f64..1e12) {
        let share = ron::to_string(&Share(value)).expect("a number");
        prop_assert_eq!(ron::from_str::<Share>(&share).expect("it was ours"), Share(value));
        let watts = ron::to_string(&Watts(big)).expect("a number");
        prop_assert_eq!(ron::from_str::<Watts>(&watts).expect("it was ours"), Watts(big));
    }
}

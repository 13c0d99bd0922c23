//! Correlated draws: what was asked for comes out, and nothing else moves.

use sparkgap::fleet::{Draw, DrawnWorld, draw_world};
use sparkgap::scenario::{RankCorrelation, Scenario};
use sparkgap::units::Uncertain;

/// The small scenario with the prices of candidate and market as named draws, uniform from 1 to
/// 2 USD.
fn scenario(correlations: &[(&str, &str, f64)]) -> Scenario {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/small.ron");
    let mut scenario = Scenario::load(path).expect("a sound scenario");
    let price = |draw: &str| {
        let mut price = Uncertain::parse("uniform(1, 2) USD/gpu-h").expect("a price");
        price.draw = Some(draw.to_owned());
        price
    };
    scenario.horizon.last_year = 2026;
    scenario.candidate.price = Some(price("candidate"));
    scenario.market.as_mut().expect("it has one").price = price("market");
    scenario.correlations = correlations
        .iter()
        .map(|(one, other, rank)| RankCorrelation {
            between: ((*one).to_owned(), (*other).to_owned()),
            rank: *rank,
            source: "test".to_owned(),
            as_of: "2026".to_owned(),
        })
        .collect();
    scenario
}

fn drawn(scenario: &Scenario, draw: Draw<'_>) -> DrawnWorld {
    draw_world(scenario, draw, &|inputs| inputs.speed)
}

const WORLDS: usize = 2_000;

fn prices(scenario: &Scenario) -> Vec<[f64; 2]> {
    (0..WORLDS as u64)
        .map(|world| {
            let drawn = drawn(scenario, Draw::of_world(3, world));
            [drawn.candidate_price - 1.0, drawn.on_demand_price - 1.0]
        })
        .collect()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    order.into_iter().enumerate().for_each(|(rank, index)| ranks[index] = rank as f64);
    ranks
}

#[test]
fn draws_have_the_rank_correlation_asked_for_and_stay_uniform() {
    let count = WORLDS as f64;
    for rank in [-0.6, 0.3] {
        let prices = prices(&scenario(&[("market", "candidate", rank)]));
        let columns = [0, 1].map(|part| prices.iter().map(|p| p[part]).collect::<Vec<f64>>());
        let of_rank = columns.each_ref().map(|column| ranks(column));
        let squares: f64 = of_rank[0].iter().zip(&of_rank[1]).map(|(a, b)| (a - b).powi(2)).sum();
        let spearman = 1.0 - 6.0 * squares / (count * (count * count - 1.0));
        // Standard error of Spearman's coefficient at most 1 / sqrt(n - 1).
        assert!((spearman - rank).abs() < 3.0 / (count - 1.0).sqrt(), "{rank}: {spearman}");
        for column in &columns {
            let mut sorted = column.clone();
            sorted.sort_by(f64::total_cmp);
            let gap = |(index, value): (usize, &f64)| (value - (index as f64 + 0.5) / count).abs();
            let largest = sorted.iter().enumerate().map(gap).fold(0.0, f64::max);
            // Kolmogorov and Smirnov at 0.1 %.
            assert!(largest < 1.95 / count.sqrt(), "{largest}");
        }
    }
}

#[test]
fn correlations_move_neither_the_central_case_nor_other_draws() {
    let (plain, tied) = (scenario(&[]), scenario(&[("market", "candidate", 0.5)]));
    assert_eq!(drawn(&plain, Draw::central()), drawn(&tied, Draw::central()));
    let [plain, tied] = [&plain, &tied].map(|scenario| drawn(scenario, Draw::of_world(3, 1)));
    assert_ne!(plain.on_demand_price, tied.on_demand_price);
    assert_eq!((plain.world, plain.years), (tied.world, tied.years));
}

#[test]
fn correlations_that_cannot_be_are_refused() {
    let default = Scenario::embedded_text();
    let report = |correlations: &str| {
        let end = default.find("    // Which model serves").expect("the section");
        let start = default.find("    correlations: [").unwrap_or(end);
        let text =
            format!("{}correlations: [{correlations}],\n{}", &default[..start], &default[end..]);
        Scenario::from_ron(&text, "plan.ron").expect_err("broken").render(false)
    };
    let entry = |one: &str, other: &str, rank: f64| {
        format!(
            "(between: (\"{one}\", \"{other}\"), rank: {rank:?}, source: \"a\", as_of: \"2026\"),"
        )
    };
    let unknown = report(&entry("adoption_groth", "requests_growth", 0.3));
    assert!(unknown.contains("unknown draw `adoption_groth`"), "{unknown}");
    assert!(unknown.contains("did you mean `adoption_growth`?"), "{unknown}");
    let far = report(&entry("adoption_growth", "requests_growth", 1.0));
    assert!(far.contains("above -1 and below 1") && far.contains("correlations[0].rank"), "{far}");
    let own = report(&entry("adoption_growth", "adoption_growth", 0.5));
    assert!(own.contains("correlated with itself"), "{own}");
    let pair = entry("adoption_growth", "requests_growth", 0.3);
    let back = entry("requests_growth", "adoption_growth", 0.2);
    let twice = report(&(pair + &back));
    assert!(twice.contains("are correlated twice"), "{twice}");
    // Two that go with a third cannot go against each other.
    let three = entry("adoption_growth", "requests_growth", 0.9)
        + &entry("adoption_growth", "prompt_growth", 0.9)
        + &entry("requests_growth", "prompt_growth", -0.9);
    let three = report(&three);
    assert!(
        three.contains("these correlations cannot hold together: `adoption_growth`"),
        "{three}"
    );
    assert!(three.contains("nearer to 0"), "{three}");
}

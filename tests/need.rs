//! Need from stored residuals: order statistic, bisection, deferrable work.

use sparkgap::fleet::Residuals;
use sparkgap::plan::{Before, allowed_epochs, order_statistic, required_block, short_epochs};
use sparkgap::scenario::Criterion;
use sparkgap::units::{HoursPerYear, Share};

fn criterion(hours: f64) -> Criterion {
    Criterion {
        interactive_lole: HoursPerYear(hours),
        deferrable_misses: Share(0.001),
        three_part: None,
    }
}

fn residuals(margins: &[f64]) -> Residuals {
    Residuals {
        own: margins.to_vec(),
        with_contracts: margins.to_vec(),
        own_spare: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
        spare_with_contracts: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
        deferrable: vec![0.0; margins.len()],
        returns: (0.0, 1),
    }
}

/// Hours in which a block is short, the plain way.
fn short_hours(margins: &[f64], block: f64) -> usize {
    margins.iter().filter(|margin| **margin > block).count()
}

#[test]
fn need_is_the_smallest_block_that_meets_the_criterion() {
    let margins: Vec<f64> = (0..200).map(|hour| f64::from(hour * 37 % 199) - 120.0).collect();
    let year = residuals(&margins);
    let block = required_block(&[&year], 0..200, Before::Own, &criterion(2.4), &[1], 1.0);
    assert!(short_hours(&margins, block) <= 2);
    assert!(short_hours(&margins, block - 1e-9) > 2);
}

#[test]
fn bisection_gives_the_order_statistic() {
    let margins: Vec<f64> = (0..500).map(|hour| f64::from(hour * 61 % 499) - 300.0).collect();
    let (mut low, mut high) = (-1_000.0, 1_000.0);
    while high - low > 1e-9 {
        let middle = (low + high) / 2.0;
        if short_hours(&margins, middle) > 4 { low = middle } else { high = middle }
    }
    let mut pooled = margins.clone();
    let allowed = allowed_epochs(&criterion(4.9), 1, 1.0);
    assert!((order_statistic(&mut pooled, allowed) - high).abs() < 1e-6);
}

#[test]
fn two_regions_that_need_nothing_alone_may_need_something_together() {
    // Each short 100 GPUs in 2 different hours: 2.4 h/yr allows two short hours but not four.
    let mut first: Vec<f64> = vec![-10.0; 100];
    let mut second: Vec<f64> = vec![-10.0; 100];
    (first[3], first[4], second[50], second[51]) = (100.0, 100.0, 100.0, 100.0);
    let need = |margins: &[f64]| {
        let year = residuals(margins);
        required_block(&[&year], 0..100, Before::Own, &criterion(2.4), &[1], 1.0).max(0.0)
    };
    let together: Vec<f64> =
        first.iter().zip(&second).map(|(a, b): (&f64, &f64)| a.max(0.0) + b.max(0.0)).collect();
    assert_eq!((need(&first), need(&second), need(&together)), (0.0, 0.0, 100.0));
}

#[test]
fn deferrable_work_raises_the_need_until_it_is_done_in_time() {
    // No spare at all, 10 GPUs of deferrable work arriving each hour: the block must do 99.9 %
    // of it, less the last day's arrivals, which are not due within the year.
    let mut year = residuals(&[0.0; 1_000]);
    year.deferrable = vec![10.0; 1_000];
    let block = required_block(&[&year], 0..1_000, Before::Own, &criterion(2.4), &[24], 1.0);
    assert!((9.7..=10.0).contains(&block), "{block}");
}

#[test]
fn calls_that_come_back_lengthen_a_shortage_as_worked_by_hand() {
    // Half of the 8 refused: 4 and 1 make the second hour short, half of 5 leaves the third
    // covered; two epochs later it is the third that has 4 more.
    let margins = [8.0, 1.0, -3.0, -4.0];
    assert_eq!(short_epochs(&margins, (0.5, 1), 0.0), 2);
    assert_eq!(short_epochs(&margins, (0.5, 2), 0.0), 3);
    assert_eq!(short_epochs(&margins, (0.5, 1), 2.5), 2);
    assert_eq!(short_epochs(&margins, (0.0, 1), 1.0), 1);
    // Without returns, one short hour is allowed beside a block of 1; with them half of what is
    // refused in it, 8 - b, must fit into b - 1: a block of 10/3.
    let mut year = residuals(&margins);
    let block =
        |year: &Residuals| required_block(&[year], 0..4, Before::Own, &criterion(1.0), &[1], 1.0);
    assert_eq!(block(&year), 1.0);
    year.returns = (0.5, 1);
    assert!((block(&year) - 10.0 / 3.0).abs() < 0.1, "{}", block(&year));
    assert!(short_epochs(&margins, year.returns, block(&year)) <= 1);
}

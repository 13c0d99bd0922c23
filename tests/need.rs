//! Need from stored residuals: order statistic, bisection, deferrable work.

use sparkgap::fleet::Residuals;
use sparkgap::plan::{Before, allowed_epochs, order_statistic, required_block};
use sparkgap::scenario::Criterion;
use sparkgap::units::{HoursPerYear, Share};

fn criterion(hours: f64) -> Criterion {
    Criterion { interactive_lole: HoursPerYear(hours), deferrable_misses: Share(0.001) }
}

fn residuals(margins: &[f64]) -> Residuals {
    Residuals {
        own: margins.to_vec(),
        with_contracts: margins.to_vec(),
        own_spare: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
        spare_with_contracts: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
        deferrable: vec![0.0; margins.len()],
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
    let block = required_block(&[&year], 0..200, Before::Own, &criterion(2.4), 1, 1.0);
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
        required_block(&[&year], 0..100, Before::Own, &criterion(2.4), 1, 1.0).max(0.0)
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
    let block = required_block(&[&year], 0..1_000, Before::Own, &criterion(2.4), 24, 1.0);
    assert!((9.7..=10.0).contains(&block), "{block}");
}

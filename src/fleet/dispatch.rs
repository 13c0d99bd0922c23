//! Who is served by what in one epoch: merit order over pools. What block would serve the rest is
//! in [`super::block`].

use super::world::World;

/// One entry of a merit list.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Offer {
    pool: u16,
    /// Pool x workload.
    cell: u32,
    /// Calls per second of one GPU.
    rate: f64,
}

/// Merit lists of one kind in one span, laid out flat: what the pools offer to each class, best
/// first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Merit {
    /// By class, where its offers begin; one more for the end.
    starts: Vec<u32>,
    offers: Vec<Offer>,
}

impl Merit {
    /// The lists of `pools` by class with `rates` by pool and workload; pools that are not
    /// `present` are left out.
    pub fn new(
        world: &World,
        pools: &[Vec<u16>],
        rates: &[f64],
        present: impl Fn(usize) -> bool,
    ) -> Self {
        let mut merit = Self { starts: vec![0], offers: Vec::new() };
        for (class, list) in world.classes.iter().zip(pools) {
            for &pool in list.iter().filter(|pool| present(usize::from(**pool))) {
                let cell = usize::from(pool) * world.workloads + class.workload;
                merit.offers.push(Offer { pool, cell: cell as u32, rate: rates[cell] });
            }
            merit.starts.push(merit.offers.len() as u32);
        }
        merit
    }

    /// Takes GPUs from `free` for `calls` per second of each class and leaves in `calls` what found
    /// none; nothing else is told.
    pub fn take(&self, free: &mut [f64], calls: &mut [f64]) {
        for (class, left) in calls.iter_mut().enumerate().filter(|(_, left)| **left > 0.0) {
            let sliver = *left * 1e-12;
            for offer in self.of(class) {
                let gpus = &mut free[usize::from(offer.pool)];
                let taken = (*left / offer.rate).min(*gpus);
                *gpus -= taken;
                *left -= taken * offer.rate;
                if *left <= sliver {
                    *left = 0.0;
                    break;
                }
            }
        }
    }

    fn of(&self, class: usize) -> &[Offer] {
        &self.offers[self.starts[class] as usize..self.starts[class + 1] as usize]
    }
}

/// Which of many are marked, a bit for each.
#[derive(Debug, Clone, PartialEq)]
struct Marks(Vec<u64>);

impl Marks {
    fn none(of: usize) -> Self {
        Self(vec![0; of.div_ceil(64)])
    }

    fn contains(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }
}

/// Working arrays of the dispatch, allocated once per inner sample.
#[derive(Debug, Clone)]
pub(super) struct Dispatch {
    /// GPUs of each pool that are free.
    pub free: Vec<f64>,
    /// Calls per second of each class that are not served yet.
    pub residual: Vec<f64>,
    /// Classes with something left to serve.
    waiting: Marks,
    /// GPUs by pool and workload in this epoch.
    used: Vec<f64>,
    /// GPUs by pool and workload that hold the workload's model.
    pub loaded: Vec<f64>,
    /// GPU-epochs of each pool that reloading still takes.
    pub lost: Vec<f64>,
    /// GPUs of each pool that are reloading: as many are lost at a time.
    reloading: Vec<f64>,
    /// Pools that served something in this epoch.
    touched: Marks,
    /// Whether some borrowed GPUs hold a model.
    lent: bool,
    /// Epochs of this calendar year in which each site's training may still be interrupted.
    pub epochs_left: Vec<u64>,
}

impl Dispatch {
    pub fn new(world: &World) -> Self {
        let (pools, classes) = (world.pools.len(), world.classes.len());
        let cells = pools * world.workloads;
        Self {
            free: vec![0.0; pools],
            residual: vec![0.0; classes],
            waiting: Marks::none(classes),
            used: vec![0.0; cells],
            loaded: vec![0.0; cells],
            lost: vec![0.0; pools],
            reloading: vec![0.0; pools],
            touched: Marks::none(pools),
            lent: false,
            epochs_left: vec![0; world.sites.len()],
        }
    }

    /// Begins a calendar year: training may be interrupted again.
    pub fn begin_year(&mut self, world: &World) {
        for (left, site) in self.epochs_left.iter_mut().zip(&world.sites) {
            *left = site.borrow_epochs;
        }
    }

    /// Begins an epoch, with what is asked for in `residual`: all usable GPUs are free but those
    /// that are loading a model.
    pub fn begin(&mut self, usable: &[f64]) {
        let pools = self.free.iter_mut().zip(usable).zip(&mut self.lost).zip(&self.reloading);
        for (((free, usable), lost), reloading) in pools {
            let taken = lost.min(*reloading);
            *free = (usable - taken).max(0.0);
            *lost -= taken;
        }
        self.wait();
    }

    /// Marks the classes with something left to serve: needed after `residual` was changed.
    pub fn wait(&mut self) {
        for (word, residual) in self.waiting.0.iter_mut().zip(self.residual.chunks(64)) {
            let bits = residual.iter().enumerate().map(|(bit, left)| u64::from(*left > 0.0) << bit);
            *word = bits.fold(0, |word, bit| word | bit);
        }
    }

    /// Serves what is left of every class, in order, from the pools of its merit list, best
    /// first. Returns whether anything remains unserved.
    pub fn serve(&mut self, merit: &Merit) -> bool {
        let (free, used) = (self.free.as_mut_slice(), self.used.as_mut_slice());
        let mut short = 0;
        for (word, waiting) in self.waiting.0.iter_mut().enumerate() {
            let mut classes = *waiting;
            while classes != 0 {
                let bit = classes.trailing_zeros();
                classes &= classes - 1;
                let class = word * 64 + bit as usize;
                let mut left = self.residual[class];
                // What rounding leaves of a sum that is exactly covered: equal is no loss.
                let sliver = left * 1e-12;
                for offer in merit.of(class) {
                    let pool = usize::from(offer.pool);
                    let gpus = free[pool];
                    if gpus <= 0.0 {
                        continue;
                    }
                    self.touched.0[pool / 64] |= 1 << (pool % 64);
                    let capacity = gpus * offer.rate;
                    let cell = &mut used[offer.cell as usize];
                    if capacity >= left {
                        let taken = left / offer.rate;
                        free[pool] = (gpus - taken).max(0.0);
                        *cell += taken;
                        left = 0.0;
                        break;
                    }
                    left -= capacity;
                    free[pool] = 0.0;
                    *cell += gpus;
                    if left <= sliver {
                        left = 0.0;
                        break;
                    }
                }
                self.residual[class] = left;
                if left <= 0.0 {
                    *waiting &= !(1 << bit);
                }
            }
            short |= *waiting;
        }
        short != 0
    }

    /// Serves what is left from GPUs of training, where a site's hours of the year last; any of a
    /// site is an epoch of it. GPUs that were not borrowed in the last epoch load a model first.
    /// Returns whether anything remains unserved.
    pub fn borrow(&mut self, world: &World, merit: &Merit) -> bool {
        let width = world.workloads;
        let serving = (1.0 - world.reload_share).max(0.0);
        for pool in world.borrowed() {
            let lent = world.pools[pool].site.is_some_and(|site| self.epochs_left[site] > 0);
            let free = self.free[pool];
            let held: f64 = self.loaded[pool * width..(pool + 1) * width].iter().sum();
            let ready = held.min(free);
            self.free[pool] = if lent { ready + (free - ready) * serving } else { 0.0 };
        }
        let short = self.serve(merit);
        for (site, left) in self.epochs_left.iter_mut().enumerate() {
            let touched = &self.touched;
            let of_site =
                |pool: usize| world.pools[pool].site == Some(site) && touched.contains(pool);
            *left -= u64::from(world.borrowed().any(of_site));
        }
        short
    }

    /// Work done on borrowed GPUs in this epoch, in GPUs that need `cost` for a call per second of
    /// a workload.
    pub fn borrowed_work(&self, world: &World, rates: &[f64], cost: &[f64]) -> f64 {
        let width = world.workloads;
        let cells = world.borrowed().flat_map(|pool| pool * width..(pool + 1) * width);
        let used = cells.filter(|cell| self.used[*cell] > 0.0);
        used.map(|cell| self.used[cell] * rates[cell] * cost[cell % width]).sum()
    }

    /// Whether what is served and what is left make up what was asked, workload by workload.
    pub fn conserves(&self, world: &World, rates: &[f64], asked: &[f64]) -> bool {
        let width = world.workloads;
        (0..width).all(|workload| {
            let of = |values: &[f64]| -> f64 {
                let mine = world.classes.iter().zip(values);
                mine.filter(|(class, _)| class.workload == workload).map(|(_, calls)| calls).sum()
            };
            let cells = (workload..self.used.len()).step_by(width);
            let served: f64 = cells.map(|cell| self.used[cell] * rates[cell]).sum();
            (of(asked) - served - of(&self.residual)).abs() <= of(asked) * 1e-9
        })
    }

    /// Ends an epoch that never was: nothing is charged to the next one, and what it touched does
    /// not count as borrowed there.
    pub fn forget(&mut self) {
        self.used.fill(0.0);
        self.touched.0.fill(0);
    }

    /// Accounts for GPUs that had to load another workload's model: they are lost for `share` of
    /// an epoch, charged to the next one. Idle GPUs keep the model that they last served; borrowed
    /// ones go back to training, and what they load when they come is charged as they come.
    pub fn reload(&mut self, world: &World, share: f64) {
        let width = world.workloads;
        if self.lent {
            for pool in world.borrowed().filter(|pool| !self.touched.contains(*pool)) {
                self.loaded[pool * width..(pool + 1) * width].fill(0.0);
            }
            self.lent = false;
        }
        for word in 0..self.touched.0.len() {
            let mut pools = std::mem::take(&mut self.touched.0[word]);
            while pools != 0 {
                self.reload_pool(world, word * 64 + pools.trailing_zeros() as usize, share);
                pools &= pools - 1;
            }
        }
    }

    fn reload_pool(&mut self, world: &World, pool: usize, share: f64) {
        let width = world.workloads;
        let cells = pool * width..(pool + 1) * width;
        let (used, loaded) = (&mut self.used[cells.clone()], &mut self.loaded[cells]);
        let (mut moved, mut idle) = (0.0, 0.0);
        for (now, held) in used.iter().zip(loaded.iter()) {
            moved += (now - held).max(0.0);
            idle += (held - now).max(0.0);
        }
        if world.borrowed().contains(&pool) {
            let come = used.iter().sum::<f64>() - loaded.iter().sum::<f64>();
            moved = (moved - come.max(0.0)).max(0.0);
            loaded.copy_from_slice(used);
            self.lent = true;
        } else if moved > 0.0 {
            let total: f64 = loaded.iter().sum();
            let gpus: f64 = used.iter().sum::<f64>() + self.free[pool];
            // GPUs that hold no model yet are loaded first, then idle ones change hands.
            let taken = (moved - (gpus - total).max(0.0)).clamp(0.0, idle);
            let keep = if idle > 0.0 { 1.0 - taken / idle } else { 1.0 };
            for (now, held) in used.iter().zip(loaded.iter_mut()) {
                *held = if now >= held { *now } else { now + (*held - now) * keep };
            }
        }
        // A reload of more than an epoch goes on in the next ones.
        let still = if self.lost[pool] > 0.0 { self.reloading[pool] } else { 0.0 };
        self.reloading[pool] = still + moved;
        self.lost[pool] += moved * share;
        used.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::world::{Class, SiteLaw};

    /// Two regions with a pool each and two workloads, by hand.
    fn two_pools() -> World {
        let load = crate::scenario::System {
            name: String::new(),
            description: String::new(),
            seed: 0,
            samples: 1,
            units: std::collections::BTreeMap::new(),
            firm: crate::scenario::Level::Constant(0.0),
            load: crate::scenario::Load::Hourly(vec![0.0]),
        };
        let mut world = World::of_system(&load);
        world.workloads = 2;
        world.pools.push(world.pools[0].clone());
        world.pools[1].accelerator = 1;
        let class = |region, workload| Class { region, workload, curve: 0, candidate_reach: 1 };
        world.classes = vec![class(0, 0), class(1, 0), class(0, 1), class(1, 1)];
        world
    }

    #[test]
    fn two_pools_are_shared_out_as_worked_by_hand() {
        let world = two_pools();
        // Pool 0 does 2 calls of workload 0 or 1 of workload 1 per GPU; pool 1 does 4 or 1.
        let rates = [2.0, 1.0, 4.0, 1.0];
        let mut dispatch = Dispatch::new(&world);
        dispatch.residual = vec![12.0, 20.0, 6.0, 4.0];
        dispatch.begin(&[10.0, 10.0]);
        let local = Merit::new(&world, &[vec![0], vec![1], vec![0], vec![1]], &rates, |_| true);
        // Local: 12 / 2 = 6 GPUs, 20 / 4 = 5, then 4 of the 6 calls on the last 4 GPUs, 4 / 1 = 4.
        assert!(dispatch.serve(&local));
        assert_eq!(dispatch.residual, [0.0, 0.0, 2.0, 0.0]);
        assert_eq!(dispatch.free, [0.0, 1.0]);
        // Remote: one of the two calls left fits on the GPU left.
        let remote = Merit::new(&world, &[vec![1], vec![0], vec![1], vec![0]], &rates, |_| true);
        assert!(dispatch.serve(&remote));
        assert_eq!(dispatch.residual, [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(dispatch.used, [6.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn offered_is_served_plus_unserved_in_every_epoch() {
        let world = two_pools();
        let rates = [2.0, 1.0, 4.0, 1.0];
        let merit = [vec![vec![0], vec![1], vec![0], vec![1]], vec![vec![1, 0]; 4]];
        let merit = merit.map(|lists| Merit::new(&world, &lists, &rates, |_| true));
        let mut dispatch = Dispatch::new(&world);
        for epoch in 0..1_000u32 {
            // Whole numbers and powers of two: sums are exact.
            let offered: Vec<f64> =
                (0..4).map(|class| f64::from((epoch * 7 + class * 13) % 29)).collect();
            let gpus = [f64::from(epoch % 11), f64::from(epoch % 7)];
            dispatch.residual.clone_from(&offered);
            dispatch.begin(&gpus);
            for list in &merit {
                dispatch.serve(list);
            }
            for workload in 0..2 {
                let of = |values: &[f64]| {
                    let mine = world.classes.iter().zip(values);
                    mine.filter(|(class, _)| class.workload == workload)
                        .map(|(_, v)| v)
                        .sum::<f64>()
                };
                let served: f64 =
                    (0..2).map(|p| dispatch.used[p * 2 + workload] * rates[p * 2 + workload]).sum();
                assert_eq!(of(&offered), served + of(&dispatch.residual), "epoch {epoch}");
            }
            for (pool, total) in gpus.iter().enumerate() {
                let used: f64 = dispatch.used[pool * 2..pool * 2 + 2].iter().sum();
                assert_eq!(used + dispatch.free[pool], *total, "epoch {epoch}");
            }
            dispatch.reload(&world, 0.0);
        }
    }

    #[test]
    fn gpus_that_change_hands_are_lost_for_a_while() {
        let world = two_pools();
        let rates = [2.0, 1.0, 4.0, 1.0];
        let local = Merit::new(&world, &[vec![0], vec![1], vec![0], vec![1]], &rates, |_| true);
        let mut dispatch = Dispatch::new(&world);
        let mut epoch = |residual: [f64; 4]| {
            dispatch.residual = residual.to_vec();
            // Nothing is lost here: what would be is asked for below.
            dispatch.begin(&[1e3, 1e3]);
            dispatch.free = vec![10.0, 10.0];
            dispatch.serve(&local);
            dispatch.reload(&world, 0.5);
            dispatch.lost[0]
        };
        // 8 GPUs load workload 0; 2 fresh ones and 4 of the idle ones then load workload 1.
        assert_eq!(epoch([16.0, 0.0, 0.0, 0.0]), 4.0);
        assert_eq!(epoch([8.0, 0.0, 6.0, 0.0]), 3.0);
        assert_eq!(epoch([8.0, 0.0, 6.0, 0.0]), 0.0);
    }

    #[test]
    fn a_reload_of_more_than_an_epoch_goes_on() {
        let world = two_pools();
        let rates = [2.0, 1.0, 4.0, 1.0];
        let local = Merit::new(&world, &[vec![0], vec![1], vec![0], vec![1]], &rates, |_| true);
        let mut dispatch = Dispatch::new(&world);
        let mut free = |residual: [f64; 4], share: f64| {
            dispatch.residual = residual.to_vec();
            dispatch.begin(&[10.0, 10.0]);
            let free = dispatch.free[0];
            dispatch.serve(&local);
            dispatch.reload(&world, share);
            free
        };
        // All ten load workload 0 at once. Then five change hands and take two and a half epochs.
        assert_eq!(free([20.0, 0.0, 0.0, 0.0], 0.0), 10.0);
        assert_eq!(free([10.0, 0.0, 5.0, 0.0], 2.5), 10.0);
        let nothing = [0.0; 4];
        let later = [0, 1, 2, 3].map(|_| free(nothing, 2.5));
        assert_eq!(later, [5.0, 5.0, 7.5, 10.0]);
    }

    #[test]
    fn borrowed_gpus_that_change_hands_are_lost_for_a_while() {
        let mut world = two_pools();
        (world.own_pools, world.borrowed_pools, world.reload_share) = (1, 1, 0.5);
        world.pools[1].site = Some(0);
        let name = "hall".to_owned();
        world.sites = vec![SiteLaw { name, fail: 0.0, recover: 1.0, borrow_epochs: 5 }];
        let rates = [2.0, 1.0, 4.0, 1.0];
        let merit = Merit::new(&world, &vec![vec![1]; 4], &rates, |_| true);
        let mut dispatch = Dispatch::new(&world);
        dispatch.begin_year(&world);
        let mut epoch = |residual: [f64; 4]| {
            dispatch.residual = residual.to_vec();
            dispatch.begin(&[0.0, 1e3]);
            dispatch.free[1] = 10.0;
            dispatch.borrow(&world, &merit);
            let free = dispatch.free[1];
            dispatch.reload(&world, 0.5);
            (free, dispatch.lost[1])
        };
        // Half of 10 GPUs' time; 16 / 4 of it serve. They came: nothing is lost later.
        assert_eq!(epoch([16.0, 0.0, 0.0, 0.0]), (1.0, 0.0));
        // The 4 and half of 6 others; 4 serve workload 1 and change hands: half of 4 is lost.
        assert_eq!(epoch([0.0, 0.0, 4.0, 0.0]), (3.0, 2.0));
        assert_eq!(epoch([0.0, 0.0, 4.0, 0.0]), (3.0, 0.0));
    }
}

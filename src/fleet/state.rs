//! What stands, what is up and what is asked for at any instant of an inner sample: drains the
//! event queue up to each epoch. Who is served is decided in [`super::dispatch`].

use rand::rngs::ChaCha8Rng;

use super::units::{Consequence, UnitCounts};
use super::world::{DemandEvent, Pool, World};
use crate::event_queue::{Event, EventQueue};
use crate::rng::{StreamKey, exponential, uniform};
use crate::supply::UnitLaw;

const UNITS_CHANGED: u8 = 0;
const UNIT_TRANSITIONED: u8 = 1;
const RACK_RETURNED: u8 = 2;
const SITE_TURNED: u8 = 3;
const DEMAND_CHANGED: u8 = 4;
const KIND_MATURED: u8 = 5;

/// State of one inner sample.
pub(super) struct FleetState<'w> {
    world: &'w World,
    queue: EventQueue,
    pub counts: Vec<UnitCounts>,
    /// When each pool's next transition is due; an event at another time is stale.
    due: Vec<u64>,
    failures: Vec<ChaCha8Rng>,
    site_up: Vec<bool>,
    outages: Vec<ChaCha8Rng>,
    /// Planned events and drawn surges, and which of them are on.
    pub events: Vec<DemandEvent>,
    active: Vec<bool>,
    /// What each region's demand is multiplied by now.
    pub factor: Vec<f64>,
    /// Whether that is 1 everywhere.
    pub calm: bool,
    /// Usable GPUs of each pool now.
    pub usable: Vec<f64>,
    /// Pools whose GPUs per unit vary by epoch.
    pub varying: Vec<usize>,
    /// Pools whose kind of unit is still new.
    young: Vec<bool>,
    /// Pools that are stepped, and up to when they are.
    stepped: Vec<usize>,
    stepped_to: u64,
    /// Pools whose GPUs per unit vary by span, and the span that it is.
    seasonal: Vec<usize>,
    span: usize,
}

/// Ticks (seconds) until an event that is `seconds` away: at least one, at most far away.
pub(super) fn ticks(seconds: f64) -> u64 {
    // A rate of zero gives an infinite time: beyond any horizon.
    if seconds < 1e15 { (seconds as u64).max(1) } else { 1 << 60 }
}

impl<'w> FleetState<'w> {
    pub fn new(world: &'w World, key: StreamKey) -> Self {
        let pools = |which: fn(&Pool) -> bool| -> Vec<usize> {
            (0..world.pools.len()).filter(|pool| which(&world.pools[*pool])).collect()
        };
        let mut events = world.events.clone();
        events.extend(draw_surges(world, key));
        let stream = |kind: &str, name: &str| key.stream(&format!("{kind}/{name}"));
        let mut simulation = Self {
            world,
            queue: EventQueue::with_capacity(world.changes.len() + 2 * events.len() + 256),
            counts: world.pools.iter().map(|pool| UnitCounts::new(&pool.law, pool.most)).collect(),
            due: vec![u64::MAX; world.pools.len()],
            failures: world.pools.iter().map(|pool| stream("failures", &pool.name)).collect(),
            site_up: vec![true; world.sites.len()],
            outages: world.sites.iter().map(|site| stream("outages", &site.name)).collect(),
            active: vec![false; events.len()],
            events,
            factor: vec![1.0; world.regions],
            calm: true,
            usable: vec![0.0; world.pools.len()],
            varying: pools(|pool| !pool.gpus_by_epoch.is_empty()),
            young: world.pools.iter().map(|pool| pool.young.is_some()).collect(),
            stepped: pools(|pool| matches!(pool.law, UnitLaw::Stepped(_))),
            stepped_to: 0,
            seasonal: pools(|pool| !pool.by_span.is_empty()),
            span: 0,
        };
        simulation.schedule_all();
        simulation
    }

    fn schedule_all(&mut self) {
        for (id, change) in self.world.changes.iter().enumerate() {
            if change.time == 0 {
                self.install(change.pool, change.units);
            } else {
                let event = Event { time: change.time, kind: UNITS_CHANGED, id: id as u32 };
                self.queue.push(event);
            }
        }
        for (id, event) in self.events.iter().enumerate() {
            for time in [event.start, event.end] {
                self.queue.push(Event { time, kind: DEMAND_CHANGED, id: id as u32 });
            }
        }
        for (site, law) in self.world.sites.iter().enumerate() {
            // In the long run a site is out for fail / (fail + recover) of the time.
            let out = uniform(&mut self.outages[site]) * (law.fail + law.recover) < law.fail;
            self.site_up[site] = !out;
            self.schedule_site(site, 0);
        }
        for (pool, facts) in self.world.pools.iter().enumerate() {
            if let Some(young) = &facts.young {
                self.queue.push(Event { time: young.until, kind: KIND_MATURED, id: pool as u32 });
            }
            self.refresh(pool);
        }
    }

    /// How the units of a pool fail now.
    fn law(&self, pool: usize) -> &'w UnitLaw {
        let facts = &self.world.pools[pool];
        match &facts.young {
            Some(young) if self.young[pool] => &young.law,
            _ => &facts.law,
        }
    }

    /// Units that stand before the horizon begins, in the long-run mix of states.
    fn install(&mut self, pool: usize, units: u32) {
        let law = self.law(pool);
        let random = &mut self.failures[pool];
        for out in self.counts[pool].add_stationary(law, units, random) {
            let event = Event { time: ticks(out), kind: RACK_RETURNED, id: pool as u32 };
            self.queue.push(event);
        }
        self.schedule_pool(pool, 0);
    }

    fn schedule_pool(&mut self, pool: usize, now: u64) {
        let rate = self.counts[pool].rate(self.law(pool));
        if rate > 0.0 {
            let time = now + ticks(exponential(&mut self.failures[pool]) / rate);
            self.due[pool] = time;
            self.queue.push(Event { time, kind: UNIT_TRANSITIONED, id: pool as u32 });
        } else {
            self.due[pool] = u64::MAX;
        }
    }

    fn schedule_site(&mut self, site: usize, now: u64) {
        let law = &self.world.sites[site];
        let rate = if self.site_up[site] { law.fail } else { law.recover };
        let time = now + ticks(exponential(&mut self.outages[site]) / rate);
        self.queue.push(Event { time, kind: SITE_TURNED, id: site as u32 });
    }

    /// Usable GPUs of a pool after a change.
    fn refresh(&mut self, pool: usize) {
        let facts = &self.world.pools[pool];
        let up = facts.site.is_none_or(|site| self.site_up[site]);
        let units = if up { f64::from(self.counts[pool].serving()) } else { 0.0 };
        // The same in every span: times 1, which changes no bit.
        let part = facts.by_span.get(self.span).copied().unwrap_or(1.0);
        self.usable[pool] = units * facts.gpus_per_unit * part;
    }

    /// Applies every event up to the start of an epoch.
    pub fn advance(&mut self, now: u64) {
        self.begin_span(now);
        self.step(now);
        while let Some(event) = self.queue.pop_until(now) {
            let id = event.id as usize;
            match event.kind {
                UNITS_CHANGED => {
                    let change = self.world.changes[id];
                    let law = self.law(change.pool);
                    self.counts[change.pool].resize(law, change.units);
                    self.schedule_pool(change.pool, event.time);
                    self.refresh(change.pool);
                }
                UNIT_TRANSITIONED if self.due[id] == event.time => {
                    self.transition(id, event.time);
                }
                RACK_RETURNED => {
                    let law = self.law(id);
                    self.counts[id].return_drained(law);
                    self.schedule_pool(id, event.time);
                    self.refresh(id);
                }
                SITE_TURNED => {
                    self.site_up[id] = !self.site_up[id];
                    self.schedule_site(id, event.time);
                    for pool in 0..self.world.pools.len() {
                        if self.world.pools[pool].site == Some(id) {
                            self.refresh(pool);
                        }
                    }
                }
                DEMAND_CHANGED => self.change_demand(id, event.time),
                KIND_MATURED => {
                    // Times to the next transition have no memory: the one that was due is void,
                    // another is drawn at the new rates.
                    self.young[id] = false;
                    self.schedule_pool(id, event.time);
                }
                _ => {}
            }
        }
    }

    /// Steps the pools that are counted an epoch at a time; each epoch once.
    fn step(&mut self, now: u64) {
        if now <= self.stepped_to {
            return;
        }
        self.stepped_to = now;
        for index in 0..self.stepped.len() {
            let pool = self.stepped[index];
            let law = self.law(pool);
            if self.counts[pool].step(law, &mut self.failures[pool]) {
                self.refresh(pool);
            }
        }
    }

    /// Moves on to the span of an epoch.
    fn begin_span(&mut self, now: u64) {
        let spans = &self.world.spans;
        let over = |span: usize| now >= self.world.epoch_start(spans[span].end);
        if self.span + 1 < spans.len() && over(self.span) {
            self.span += 1;
            for index in 0..self.seasonal.len() {
                self.refresh(self.seasonal[index]);
            }
        }
    }

    fn transition(&mut self, pool: usize, now: u64) {
        let law = self.law(pool);
        let consequence = self.counts[pool].transition(law, &mut self.failures[pool]);
        if let Consequence::ReturnAfter(out) = consequence {
            let time = now + ticks(out);
            self.queue.push(Event { time, kind: RACK_RETURNED, id: pool as u32 });
        }
        self.schedule_pool(pool, now);
        self.refresh(pool);
    }

    fn change_demand(&mut self, id: usize, now: u64) {
        self.active[id] = now < self.events[id].end;
        // Recomputed from scratch in list order, so that no rounding accumulates.
        for region in 0..self.world.regions {
            let touching = self.events.iter().zip(&self.active);
            let touching = touching.filter(|(event, on)| **on && event.regions >> region & 1 == 1);
            self.factor[region] = touching.map(|(event, _)| event.factor).product();
        }
        self.calm = self.factor.iter().all(|factor| *factor == 1.0);
    }
}

/// The surges of one inner sample, each law from its own stream, widened to whole epochs.
fn draw_surges(world: &World, key: StreamKey) -> Vec<DemandEvent> {
    let horizon = world.epoch_start(world.epochs) as f64;
    let mut events = Vec::new();
    for law in world.surges.iter().filter(|law| law.rate > 0.0) {
        let mut random = key.stream(&format!("surges/{}", law.name));
        let mut time = 0.0;
        loop {
            time += exponential(&mut random) / law.rate;
            if time >= horizon {
                break;
            }
            let lasts = law.lasts.at(uniform(&mut random)).0;
            let factor = law.factor.at(uniform(&mut random)).0;
            let start = time as u64 / world.epoch_s * world.epoch_s;
            let end = ((time + lasts) as u64).div_ceil(world.epoch_s) * world.epoch_s;
            let regions = match law.spread {
                Some(chance) => spread(law.regions, chance, &mut random),
                None => law.regions,
            };
            events.push(DemandEvent { start, end, regions, factor });
        }
    }
    events
}

/// Regions of a surge that begins in one of `regions`, each alike, and takes each other one with
/// it by a chance.
fn spread(regions: u32, chance: f64, random: &mut ChaCha8Rng) -> u32 {
    let count = f64::from(regions.count_ones());
    let mut first = (uniform(random) * count) as u32;
    let mut touched = 0;
    for bit in (0..u32::BITS).filter(|bit| regions >> bit & 1 == 1) {
        // One number for each region, so that another chance sees the same surges.
        let joins = uniform(random) < chance;
        if joins || first == 0 {
            touched |= 1 << bit;
        }
        first = first.wrapping_sub(1);
    }
    touched
}

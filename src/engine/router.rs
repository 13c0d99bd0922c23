//! Which replica gets the next request.

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::Router;
use crate::time::EngineTime;

/// A router at work on the replicas of one cluster.
#[derive(Debug)]
pub(super) struct Routing {
    router: Router,
    choice: ChaCha8Rng,
    turn: usize,
    /// Requests on each replica: the last report and what was sent since.
    pub(super) loads: Vec<u32>,
}

impl Routing {
    pub(super) fn new(router: &Router, replicas: u32, choice: ChaCha8Rng) -> Self {
        Self { router: router.clone(), choice, turn: 0, loads: vec![0; replicas as usize] }
    }

    /// Age of the load reports; `None` for a router that does not read them.
    pub(super) fn report_age(&self) -> Option<EngineTime> {
        match &self.router {
            Router::RoundRobin | Router::Random => None,
            Router::PowerOfTwo(age) | Router::LeastLoaded(age) | Router::SessionAffinity(age) => {
                Some(EngineTime::from_seconds(age.0))
            }
        }
    }

    /// Whether turns of a session go where the one before was served.
    pub(super) fn keeps_sessions(&self) -> bool {
        matches!(self.router, Router::SessionAffinity(_))
    }

    /// The replica for a request that has no place yet.
    #[inline]
    pub(super) fn choose(&mut self) -> usize {
        let chosen = match self.router {
            Router::RoundRobin => {
                let turn = self.turn;
                self.turn = if turn + 1 < self.loads.len() { turn + 1 } else { 0 };
                turn
            }
            Router::Random => self.any(),
            Router::PowerOfTwo(_) | Router::SessionAffinity(_) => {
                let (first, second) = self.any_two();
                if self.loads[second] < self.loads[first] { second } else { first }
            }
            Router::LeastLoaded(_) => self.least(),
        };
        self.loads[chosen] += 1;
        chosen
    }

    /// Notes a request that goes where it must.
    pub(super) fn send(&mut self, place: usize) -> usize {
        self.loads[place] += 1;
        place
    }

    #[inline]
    fn any(&mut self) -> usize {
        self.any_two().0
    }

    /// Two replicas at random, perhaps the same, by the halves of one random number.
    #[inline]
    fn any_two(&mut self) -> (usize, usize) {
        let (drawn, count) = (self.choice.next_u64(), self.loads.len() as u64);
        let place = |half: u64| ((half * count) >> 32) as usize;
        (place(drawn >> 32), place(drawn & u64::from(u32::MAX)))
    }

    /// The least loaded; starting at a random place keeps ties from piling up on the first.
    fn least(&mut self) -> usize {
        let start = self.any();
        let (before, from) = self.loads.split_at(start);
        let lowest = |part: &[u32]| part.iter().copied().min().unwrap_or(u32::MAX);
        let least = lowest(before).min(lowest(from));
        let found = from.iter().position(|load| *load == least).map(|place| place + start);
        found.or_else(|| before.iter().position(|load| *load == least)).unwrap_or(start)
    }
}

//! Prefill and decode replicas from which nothing comes back: calls arrive by themselves and nobody
//! tries again.
//!
//! Prefill then goes ahead of decode, and a context is routed as soon as it is known to be the next
//! one and that no load report comes before it. Decode replicas run from report to report without a
//! stop for each other. Equal bit for bit to running all replicas in the order of their steps, but
//! for one thing: a load report may count a user in or out whose context arrives and whose patience
//! ends in the step in flight, the latter after the report.

use std::cmp::Reverse;

use super::super::totals::Totals;
use super::super::traffic::later;
use super::Ordered;
use crate::time::EngineTime;

/// Contexts on their way, up to which prefill goes ahead.
const AHEAD: usize = 4_096;

impl Ordered<'_, '_, '_> {
    /// Runs until nobody has anything left to do; the sums of the two pools and the end.
    pub(super) fn run_onward(mut self) -> (Totals, Totals, EngineTime) {
        loop {
            let (entry, decode) = (self.entry_next(), self.decode_next());
            if entry == u64::MAX && decode == u64::MAX {
                return self.balance();
            }
            let handed = self.earliest_hand_over(entry);
            let reports = self.decode.as_ref().map_or(u64::MAX, |(pool, _)| pool.reports_due);
            let ahead = entry < reports && self.coming.len() < AHEAD;
            if entry != u64::MAX && (ahead || decode >= handed) {
                self.enter(entry);
            } else {
                self.decode_until(decode, handed);
            }
        }
    }

    /// When something happens at the prefill replicas next.
    fn entry_next(&self) -> u64 {
        self.edge(0).min(self.source.next_arrival())
    }

    /// When something happens at the decode replicas next, as far as is known.
    fn decode_next(&self) -> u64 {
        let coming = self.coming.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
        self.edge(1).min(coming)
    }

    /// No context that is not on its way yet arrives before this: it is computed in a step that
    /// starts at `entry` or later, and sent.
    fn earliest_hand_over(&self, entry: u64) -> u64 {
        let latency = self.decode.as_ref().map(|(_, transfer)| transfer.latency);
        latency.map_or(entry, |latency| later(EngineTime(entry), latency).0)
    }

    /// Lets a call arrive or a prefill replica run.
    fn enter(&mut self, now: u64) {
        self.entry.read_reports(now);
        let arrival = self.source.next_arrival();
        if self.edge(0) < arrival {
            if let Some(place) = self.take_edge(0) {
                self.advance(place, arrival.min(self.entry.reports_due));
            }
        } else if let Some(journey) = self.source.take() {
            let index = self.add(journey);
            self.arrive(index);
        }
    }

    /// Hands over the next context, or lets a decode replica run until one may come.
    fn decode_until(&mut self, now: u64, handed: u64) {
        let Some((pool, _)) = &mut self.decode else { return };
        pool.read_reports(now);
        let reports = pool.reports_due;
        // A router that looks at the replicas for every context wants them in step.
        let looks = pool.age == 0;
        let coming = self.coming.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
        let due = coming < handed && coming < reports && (!looks || coming <= self.edge(1));
        if due {
            if let Some(Reverse((at, index, _))) = self.coming.pop() {
                self.hand_over(index, at);
            }
        } else if let Some(place) = self.take_edge(1) {
            self.advance(place, handed.min(coming).min(reports));
        }
    }
}

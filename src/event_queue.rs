//! The future-event list: integer time, ties broken by kind and then id.
//!
//! An event is a packed key, so that pop order is a total order that no insertion order can
//! change: two events are the same event if time, kind and id agree.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One scheduled event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, in the ticks of the clock in use.
    pub time: u64,
    /// What kind; at equal times smaller kinds come first.
    pub kind: u8,
    /// Whom it concerns; at equal times and kinds smaller ids come first.
    pub id: u32,
}

/// Events in order of (time, kind, id).
#[derive(Debug, Clone, Default)]
pub struct EventQueue {
    heap: BinaryHeap<Reverse<u128>>,
}

fn pack(event: Event) -> u128 {
    (u128::from(event.time) << 40) | (u128::from(event.kind) << 32) | u128::from(event.id)
}

fn unpack(key: u128) -> Event {
    Event { time: (key >> 40) as u64, kind: (key >> 32) as u8, id: key as u32 }
}

impl EventQueue {
    /// An empty queue with room for `capacity` events.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(capacity) }
    }

    /// Schedules an event.
    pub fn push(&mut self, event: Event) {
        self.heap.push(Reverse(pack(event)));
    }

    /// Removes and returns the next event at or before `time`.
    pub fn pop_until(&mut self, time: u64) -> Option<Event> {
        match self.heap.peek() {
            Some(Reverse(key)) if (key >> 40) as u64 <= time => self.pop(),
            _ => None,
        }
    }

    /// Removes and returns the next event.
    pub fn pop(&mut self) -> Option<Event> {
        self.heap.pop().map(|Reverse(key)| unpack(key))
    }

    /// Number of scheduled events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is scheduled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Forgets all events and keeps the memory.
    pub fn clear(&mut self) {
        self.heap.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_broken_by_kind_then_id_whatever_the_insertion_order() {
        let events = [(5, 1, 2), (5, 0, 9), (4, 7, 7), (5, 1, 1), (u64::MAX, 255, u32::MAX)]
            .map(|(time, kind, id)| Event { time, kind, id });
        let mut expected = events.to_vec();
        expected.sort_by_key(|event| (event.time, event.kind, event.id));
        for rotation in 0..events.len() {
            let mut queue = EventQueue::default();
            for index in 0..events.len() {
                queue.push(events[(index + rotation) % events.len()]);
            }
            let popped: Vec<Event> = std::iter::from_fn(|| queue.pop()).collect();
            assert_eq!(popped, expected);
        }
    }

    #[test]
    fn pop_until_stops_at_its_time() {
        let mut queue = EventQueue::with_capacity(2);
        queue.push(Event { time: 10, kind: 0, id: 0 });
        assert_eq!(queue.pop_until(9), None);
        assert_eq!(queue.pop_until(10).map(|event| event.time), Some(10));
        assert!(queue.is_empty());
    }
}

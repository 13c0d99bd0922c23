//! Running sequences: found by the step in which they end, and by age for preemption.
//!
//! Both orders are intrusive doubly linked lists over one vector of slots, so that inserting,
//! completing and preempting cost O(1) and allocate nothing once the vector has grown.

use super::replica::Waiting;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// Lists of the completion wheel; sequences with longer outputs are met again one turn later.
const WHEEL: usize = 1 << 12;

/// A decoding sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) waiting: Waiting,
    /// Tokens in memory when decode started.
    pub(super) context: u64,
    /// Step number before its first decode step.
    pub(super) start: u64,
    /// Step number after its last decode step.
    pub(super) finish: u64,
    /// Residue of the step numbers in which it claims a block.
    pub(super) class: u32,
}

#[derive(Debug, Clone)]
struct Slot {
    running: Running,
    older: u32,
    newer: u32,
    previous: u32,
    next: u32,
}

/// The running sequences of a replica.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    wheel: Vec<u32>,
    newest: u32,
    count: u64,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            wheel: vec![NONE; WHEEL],
            newest: NONE,
            count: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    #[inline]
    pub(super) fn insert(&mut self, running: Running) {
        let list = running.finish as usize % WHEEL;
        let next = self.wheel[list];
        let slot = Slot { running, older: self.newest, newer: NONE, previous: NONE, next };
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        if next != NONE {
            self.slots[next as usize].previous = index;
        }
        self.wheel[list] = index;
        if self.newest != NONE {
            self.slots[self.newest as usize].newer = index;
        }
        self.newest = index;
        self.count += 1;
    }

    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> Running {
        let Slot { running, older, newer, previous, next } = self.slots[index as usize];
        if previous == NONE {
            self.wheel[running.finish as usize % WHEEL] = next;
        } else {
            self.slots[previous as usize].next = next;
        }
        if next != NONE {
            self.slots[next as usize].previous = previous;
        }
        if newer == NONE {
            self.newest = older;
        } else {
            self.slots[newer as usize].older = older;
        }
        if older != NONE {
            self.slots[older as usize].newer = newer;
        }
        self.free.push(index);
        self.count -= 1;
        running
    }

    /// Whether a sequence may end with step number `step`.
    #[inline]
    pub(super) fn may_finish(&self, step: u64) -> bool {
        self.wheel[step as usize % WHEEL] != NONE
    }

    /// Removes a sequence that ends with step number `step`.
    #[inline]
    pub(super) fn pop_finished(&mut self, step: u64) -> Option<Running> {
        let mut index = self.wheel[step as usize % WHEEL];
        while index != NONE {
            let slot = &self.slots[index as usize];
            if slot.running.finish == step {
                return Some(self.remove(index));
            }
            index = slot.next;
        }
        None
    }
}

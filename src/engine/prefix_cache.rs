//! What ended turns of sessions leave in the memory of a replica, until the next turn takes it or
//! somebody needs the room: whole blocks, least recently released first out, an entry's tail
//! before its head.

use super::calls::NONE;
use super::request::Retained;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// 0: the place is free.
    blocks: u32,
    stamp: u32,
    older: u32,
    newer: u32,
}

/// The prefix cache of a replica.
#[derive(Debug, Clone)]
pub(super) struct PrefixCache {
    entries: Vec<Entry>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    blocks: u64,
}

impl PrefixCache {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), oldest: NONE, newest: NONE, blocks: 0 }
    }

    /// Blocks that it holds: all of them can be evicted.
    #[inline]
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.free.capacity() * size_of::<u32>()
    }

    /// Keeps blocks for the next turn of a session.
    pub(super) fn release(&mut self, blocks: u64) -> Retained {
        if blocks == 0 {
            return Retained::NONE;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { blocks: 0, stamp: 0, older: NONE, newer: NONE });
            (self.entries.len() - 1) as u32
        });
        let older = std::mem::replace(&mut self.newest, index);
        if older == NONE {
            self.oldest = index;
        } else {
            self.entries[older as usize].newer = index;
        }
        let entry = &mut self.entries[index as usize];
        (entry.blocks, entry.older, entry.newer) = (blocks as u32, older, NONE);
        self.blocks += blocks;
        Retained { entry: index, stamp: entry.stamp }
    }

    /// Blocks behind a ticket; 0 when it is void.
    pub(super) fn held(&self, ticket: Retained) -> u64 {
        match self.entries.get(ticket.entry as usize) {
            Some(entry) if entry.stamp == ticket.stamp => u64::from(entry.blocks),
            _ => 0,
        }
    }

    /// Gives up the entry of a valid ticket: its blocks belong to the caller.
    pub(super) fn take(&mut self, ticket: Retained) -> u64 {
        let blocks = self.held(ticket);
        if blocks > 0 {
            self.unlink(ticket.entry);
        }
        blocks
    }

    fn unlink(&mut self, index: u32) {
        let Entry { blocks, older, newer, .. } = self.entries[index as usize];
        if newer == NONE {
            self.newest = older;
        } else {
            self.entries[newer as usize].older = older;
        }
        if older == NONE {
            self.oldest = newer;
        } else {
            self.entries[older as usize].newer = newer;
        }
        self.blocks -= u64::from(blocks);
        let entry = &mut self.entries[index as usize];
        entry.blocks = 0;
        entry.stamp = entry.stamp.wrapping_add(1);
        self.free.push(index);
    }

    /// Frees `wanted` blocks, of which it must hold that many.
    pub(super) fn evict(&mut self, wanted: u64) {
        let mut wanted = wanted;
        while wanted > 0 && self.oldest != NONE {
            let entry = &mut self.entries[self.oldest as usize];
            if u64::from(entry.blocks) > wanted {
                entry.blocks -= wanted as u32;
                self.blocks -= wanted;
                return;
            }
            wanted -= u64::from(entry.blocks);
            self.unlink(self.oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_released_goes_first_and_from_its_tail() {
        let mut cache = PrefixCache::new();
        let tickets = [cache.release(5), cache.release(3), cache.release(4)];
        cache.evict(2);
        assert_eq!(tickets.map(|ticket| cache.held(ticket)), [3, 3, 4]);
        cache.evict(4);
        assert_eq!(tickets.map(|ticket| cache.held(ticket)), [0, 2, 4]);
        assert_eq!((cache.take(tickets[2]), cache.blocks()), (4, 2));
        // The place is used again; the old ticket stays void.
        let again = cache.release(7);
        assert_eq!((cache.held(tickets[2]), cache.held(tickets[0]), cache.held(again)), (0, 0, 7));
        cache.evict(9);
        assert_eq!((cache.blocks(), cache.release(0)), (0, Retained::NONE));
    }
}

//! Mooncake traces: lengths and the blocks of each prompt, from which a prefix cache finds the
//! tokens that need not be computed again.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::fault::{TraceFault, shown};
use super::row::{Row, object, time_field, token_field};

/// Tokens of a block.
const BLOCK: u64 = 512;

/// How large the prefix cache is that the cached tokens of a Mooncake trace are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrefixHits {
    /// No cache: nothing is cached.
    #[default]
    None,
    /// Every block seen before is held (memory grows with the number of different blocks).
    Unlimited,
    /// A cache of so many tokens, in whole blocks of 512, least recently used out first.
    Tokens(u64),
}

#[derive(Deserialize)]
struct Line {
    timestamp: Option<Value>,
    input_length: Option<Value>,
    output_length: Option<Value>,
    hash_ids: Option<Vec<u64>>,
}

/// Blocks by their last use.
#[derive(Debug)]
pub(super) struct PrefixCache {
    capacity: u64,
    used: u64,
    uses: BTreeMap<u64, u64>,
    oldest: BTreeMap<u64, u64>,
}

impl PrefixCache {
    pub(super) fn new(hits: PrefixHits) -> Self {
        let capacity = match hits {
            PrefixHits::None => 0,
            PrefixHits::Unlimited => u64::MAX,
            PrefixHits::Tokens(tokens) => tokens / BLOCK,
        };
        Self { capacity, used: 0, uses: BTreeMap::new(), oldest: BTreeMap::new() }
    }

    /// Reads a line and remembers its blocks.
    pub(super) fn read(&mut self, line: &str) -> Result<Row, TraceFault> {
        let found: Line = object(line)?;
        let prompt = token_field("input_length", &found.input_length, line)?;
        let output = token_field("output_length", &found.output_length, line)?;
        let time = time_field("timestamp", &found.timestamp, 1_000, line)?;
        let mut cached = 0;
        if self.capacity > 0 && prompt > 0 && output > 0 {
            let missing = || TraceFault::Missing {
                name: "hash_ids",
                row: shown(line),
                fix: "without it, read the trace with no prefix hits",
            };
            let blocks = found.hash_ids.ok_or_else(missing)?;
            let tokens = self.admit(&blocks) * BLOCK;
            cached = tokens.min(u64::from(prompt - 1)) as u32;
        }
        Ok(Row { time, prompt, cached, output })
    }

    /// Length of the longest run of leading blocks that are held, in blocks; then holds all.
    fn admit(&mut self, blocks: &[u64]) -> u64 {
        let hits = blocks.iter().take_while(|block| self.uses.contains_key(block)).count();
        // The last block is used first: a block is of no use without those before it.
        for block in blocks.iter().rev() {
            self.used += 1;
            if let Some(before) = self.uses.insert(*block, self.used) {
                self.oldest.remove(&before);
            }
            self.oldest.insert(self.used, *block);
            if self.uses.len() as u64 > self.capacity
                && let Some((_, oldest)) = self.oldest.pop_first()
            {
                self.uses.remove(&oldest);
            }
        }
        hits as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_of_three_blocks_worked_by_hand() {
        let mut cache = PrefixCache::new(PrefixHits::Tokens(3 * 512 + 511));
        assert_eq!(cache.admit(&[1, 2, 3]), 0);
        assert_eq!(cache.admit(&[1, 2, 4]), 2); // 3 goes out for 4
        assert_eq!(cache.admit(&[1, 2, 3]), 2); // 4 goes out
        assert_eq!(cache.admit(&[2, 1]), 2); // a run of leading blocks, whatever they were
        assert_eq!(cache.admit(&[9, 2, 1]), 0); // 3 goes out; a hit behind a miss is none
        assert_eq!(cache.admit(&[5, 6, 7, 8]), 0); // longer than the cache: 8 goes out at once
        assert_eq!(cache.admit(&[5, 6, 7, 8]), 3);
        assert_eq!((cache.uses.len(), cache.oldest.len()), (3, 3));
        let mut all = PrefixCache::new(PrefixHits::Unlimited);
        assert_eq!(
            [all.admit(&[1, 2, 3]), all.admit(&[1, 2, 4]), all.admit(&[1, 2, 3])],
            [0, 2, 3]
        );
    }
}

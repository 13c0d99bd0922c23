//! What a rank of data-parallel attention waits for the others: the imbalance between ranks that
//! step together. Derived in `docs/model.md`; who sends what to which rank is not known here.

use serde::Serialize;

use super::Roofline;

/// Sizes into which the prompt tokens of a step are sorted.
pub const CHUNK_SIZES: usize = 24;

/// Chance of still more prompt tokens in one rank that is left out.
const NEGLIGIBLE: f64 = 1e-4;

/// Pieces of prompts of one size.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Chunk {
    /// Pieces that fall due in a step for each decoding sequence.
    pub due: f64,
    /// Pairs of a token of the piece and the context that it attends to.
    pub pairs: f64,
}

/// The ranks of a replica as one of them meets them: each decodes as many sequences as it does, and
/// their prompts and contexts scatter independently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Peers {
    /// Ranks that step together, this one included.
    pub ranks: f64,
    /// Prompt tokens in a piece of the first size; the sizes are its whole multiples.
    pub unit: f64,
    /// The pieces of prompts by size.
    pub chunks: [Chunk; CHUNK_SIZES],
    /// Prompt tokens of a rank in a step at most; it decodes no more sequences than that.
    pub most: f64,
    /// Earlier context that is read for a prompt token.
    pub cached: f64,
    /// Mean context of a sequence, tokens.
    pub context: f64,
    /// Context tokens by which the fullest rank exceeds the mean, over the square root of its
    /// sequences.
    pub excess: f64,
}

impl Peers {
    /// Seconds that a step takes in the mean beyond a rank's own price when every rank decodes
    /// `decode` sequences: the expected price of the busiest rank less that of any. The busiest
    /// one is that with most prompt tokens or that with most context.
    pub(super) fn wait(&self, roofline: &Roofline, decode: f64) -> f64 {
        if decode <= 0.0 {
            return 0.0;
        }
        let kv = decode * self.context;
        let fullest = kv + self.excess * decode.sqrt();
        let price = |shared: f64, kv: f64, size: usize| {
            let own = size as f64 * self.unit;
            let pairs = if size > 0 { self.chunks[size - 1].pairs } else { 0.0 };
            roofline.seconds_beside(shared, decode, kv, own, own * self.cached, pairs)
        };
        let chances = self.chances(decode);
        let (mut up_to, mut all_up_to) = (chances[0], libm::pow(chances[0], self.ranks));
        let mut busiest = all_up_to * price(0.0, fullest, 0);
        let mut own = up_to * price(0.0, kv, 0);
        // In steps with prompts the experts of all ranks share them.
        let mean: f64 = (0..).zip(&chances).map(|(size, chance)| f64::from(size) * chance).sum();
        let shared = mean * self.unit / (1.0 - all_up_to).max(f64::MIN_POSITIVE);
        let floor = price(shared, fullest, 0);
        for (size, chance) in chances.iter().enumerate().skip(1) {
            if 1.0 - all_up_to < NEGLIGIBLE {
                break;
            }
            let next = up_to + chance;
            let all_next = libm::pow(next, self.ranks);
            busiest += (all_next - all_up_to) * price(shared, kv, size).max(floor);
            own += chance * price(size as f64 * self.unit, kv, size);
            (up_to, all_up_to) = (next, all_next);
        }
        (busiest - own).max(0.0)
    }

    /// Chances that a rank of `decode` sequences has no prompt token in a step, one unit of them,
    /// two, and so on; more than the largest size counts as that. The pieces in a step are Poisson,
    /// and their sum follows Panjer's recursion (1981).
    fn chances(&self, decode: f64) -> [f64; CHUNK_SIZES + 1] {
        let mut chances = [0.0; CHUNK_SIZES + 1];
        let pieces: f64 = self.chunks.iter().map(|chunk| chunk.due).sum();
        chances[0] = libm::exp(-decode * pieces);
        let mut left = 1.0 - chances[0];
        for size in 1..CHUNK_SIZES {
            let terms = (1..=size).map(|piece| {
                piece as f64 * self.chunks[piece - 1].due * chances[size - piece]
            });
            chances[size] = (decode / size as f64 * terms.sum::<f64>()).min(left);
            left -= chances[size];
        }
        chances[CHUNK_SIZES] = left;
        chances
    }
}

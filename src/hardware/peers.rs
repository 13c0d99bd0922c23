//! What a rank of data-parallel attention waits for the others: the imbalance between ranks that
//! step together. Derived in `docs/model.md`; who sends what to which rank is not known here.

use serde::Serialize;

use super::Roofline;

/// Sizes into which the prompt tokens of a step are sorted.
pub const CHUNK_SIZES: usize = 24;

/// Rounds in which shares and lengths of steps with and without prompts settle.
const ROUNDS: u32 = 6;

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
    /// Sequences of a rank at most.
    pub sequences: u32,
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
    /// `decode` sequences: the expected price of the busiest rank less that of any.
    ///
    /// Prompts come in time, not in steps: a step that follows a long one has more of them. Steps
    /// with prompts and steps without are told apart, and their shares and lengths are iterated.
    pub(super) fn wait(&self, roofline: &Roofline, decode: f64) -> f64 {
        if decode <= 0.0 {
            return 0.0;
        }
        let prices = Prices::new(self, roofline, decode);
        let (mut mean, mut plain, mut mixed) = (1.0, 1.0, 1.0);
        let mut wait = 0.0;
        for _ in 0..ROUNDS {
            let after_plain = self.following(&prices, decode * plain / mean);
            let after_mixed = self.following(&prices, decode * mixed / mean);
            let begins = 1.0 - after_plain.none;
            let share = begins / (begins + after_mixed.none).max(f64::MIN_POSITIVE);
            let blend = |plain: f64, mixed: f64| plain + share * (mixed - plain);
            mean = blend(after_plain.busiest, after_mixed.busiest);
            wait = mean - blend(after_plain.own, after_mixed.own);
            plain = prices.fullest;
            // What is left of the mean for steps with prompts; too few of them leave none.
            mixed = if share > NEGLIGIBLE { plain + (mean - plain) / share } else { plain };
            mixed = mixed.max(plain);
        }
        wait.max(0.0)
    }

    /// The step in which as many prompts are due as fall due for `decode` sequences in a mean step.
    fn following(&self, prices: &Prices, decode: f64) -> Following {
        let chances = self.chances(decode);
        let mut up_to = chances[0];
        let none = libm::pow(up_to, self.ranks);
        let mut all_up_to = none;
        let mut busiest = none * prices.fullest;
        let mut own = up_to * prices.own[0];
        for (size, chance) in chances.iter().enumerate().skip(1) {
            if 1.0 - all_up_to < NEGLIGIBLE {
                break;
            }
            up_to += chance;
            let next = libm::pow(up_to, self.ranks);
            busiest += (next - all_up_to) * prices.busiest[size];
            own += chance * prices.own[size];
            all_up_to = next;
        }
        Following { none, busiest, own }
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
            let terms = (1..=size)
                .map(|piece| piece as f64 * self.chunks[piece - 1].due * chances[size - piece]);
            chances[size] = (decode / size as f64 * terms.sum::<f64>()).min(left);
            left -= chances[size];
        }
        chances[CHUNK_SIZES] = left;
        chances
    }
}

/// What is to be expected of a step.
struct Following {
    /// Chance that no rank has a prompt.
    none: f64,
    /// Seconds of the busiest rank.
    busiest: f64,
    /// Seconds of one rank by its own price.
    own: f64,
}

/// Prices of a step by the prompt tokens of a rank, in units.
struct Prices {
    /// A rank by its own price.
    own: [f64; CHUNK_SIZES + 1],
    /// The busiest rank: the one with so many prompt tokens, or the one with most context.
    busiest: [f64; CHUNK_SIZES + 1],
    /// The rank with most context, and no prompt anywhere.
    fullest: f64,
}

impl Prices {
    fn new(peers: &Peers, roofline: &Roofline, decode: f64) -> Self {
        let kv = decode * peers.context;
        let fullest = kv + peers.excess * decode.sqrt();
        let price = |shared: f64, kv: f64, size: usize| {
            let own = size as f64 * peers.unit;
            let pairs = if size > 0 { peers.chunks[size - 1].pairs } else { 0.0 };
            roofline.seconds_beside(shared, decode, kv, own, own * peers.cached, pairs)
        };
        // In steps with prompts the experts of all ranks share them.
        let sizes = (1..).zip(&peers.chunks);
        let due = sizes.map(|(size, chunk)| f64::from(size) * peers.unit * chunk.due);
        let pieces: f64 = peers.chunks.iter().map(|chunk| chunk.due).sum();
        let some = 1.0 - libm::exp(-decode * pieces * peers.ranks);
        let shared = decode * due.sum::<f64>() / some.max(f64::MIN_POSITIVE);
        let floor = price(shared, fullest, 0);
        Self {
            own: std::array::from_fn(|size| price(size as f64 * peers.unit, kv, size)),
            busiest: std::array::from_fn(|size| price(shared, kv, size).max(floor)),
            fullest: price(0.0, fullest, 0),
        }
    }
}

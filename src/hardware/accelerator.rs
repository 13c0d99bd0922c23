//! One kind of GPU package: its peaks, its memory, its power, how it fails and how far software
//! has come with it. All rates are dense and per package (a Vera Rubin NVL72 rack has 72).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Provenance;
use crate::time::FleetTime;
use crate::units::{
    Bytes, BytesPerSecond, DollarsPerGpuHour, Factor, FlopsPerSecond, Seconds, Share, Uncertain,
    Watts,
};

/// Number format of weights and of the matrix products with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 4-bit floating point with block scales (NVFP4, MXFP4): 0.5625 bytes a weight. With experts
    /// it is their format; all other weights are kept at 8 bits, as the published checkpoints do.
    Fp4,
    /// 4-bit integers for the experts' weights only, multiplied at 16 bits; all other weights are
    /// kept at 16 bits. A dense model has all its weights at 4 bits.
    Int4,
    /// 8-bit floating point.
    Fp8,
    /// 16-bit brain floating point.
    Bf16,
}

impl Precision {
    /// Format of the weights that are not routed experts, in a model with experts.
    #[must_use]
    pub fn beside_experts(self) -> Self {
        match self {
            Self::Fp4 => Self::Fp8,
            Self::Int4 => Self::Bf16,
            Self::Fp8 | Self::Bf16 => self,
        }
    }

    /// Format of the products of attention, which never run at 4 bits.
    #[must_use]
    pub fn of_attention(self) -> Self {
        match self {
            Self::Fp4 | Self::Fp8 => Self::Fp8,
            Self::Int4 | Self::Bf16 => Self::Bf16,
        }
    }

    /// Bytes of one stored weight; 4-bit formats add an 8-bit scale to every 16 weights.
    #[must_use]
    pub fn bytes_per_weight(self) -> f64 {
        match self {
            Self::Fp4 | Self::Int4 => 0.5625,
            Self::Fp8 => 1.0,
            Self::Bf16 => 2.0,
        }
    }
}

/// Realised part of the peaks, and the overheads, as fitted at one date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Realised share of peak compute in large matrix products at 16 bits.
    pub compute: Share,
    /// The same at 8 bits and below.
    pub narrow_compute: Share,
    /// Realised share of peak memory bandwidth.
    pub memory: Share,
    /// Realised share of the link's bandwidth.
    pub network: Share,
    /// Fixed time of one layer and step with grouped attention and no experts: kernel launches,
    /// synchronisation, collectives' latency.
    pub layer_overhead: Seconds,
    /// What a layer with experts takes beyond that.
    pub expert_overhead: Seconds,
    /// What a layer with latent attention takes beyond that.
    pub latent_overhead: Seconds,
    /// What a layer with sparse attention takes beyond that.
    pub sparse_overhead: Seconds,
    /// What a layer of a model with hybrid attention takes beyond that.
    pub hybrid_overhead: Seconds,
    /// What a layer takes beyond that for each doubling of the GPUs of a rank: latency of its
    /// collectives.
    pub collective_overhead: Seconds,
    /// Host time of one decoding sequence and step: sampling, scheduling, sending the token.
    pub sequence_overhead: Seconds,
    /// Date of the software that these were fitted on.
    pub fitted: FleetTime,
    /// Whether they were fitted to measurements of this generation, are inherited as a bound, or
    /// stated. Figures that are changed without a `source` and a date `fitted` of their own count
    /// as stated, and so do fitted ones on hardware with other peaks, memory, links or software.
    pub provenance: Provenance,
    /// Where the fit comes from. Name your own, and its date, where you put other figures.
    pub source: String,
}

/// Throughput multiplier of better software on the same hardware:
/// `m(t) = 1 + (ceiling - 1) (1 - exp(-t / time_constant))`, t since `launch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftwareCurve {
    /// When software for it began to mature.
    pub launch: FleetTime,
    /// Multiplier reached in the end, relative to launch.
    pub ceiling: Uncertain<Factor>,
    /// Time constant of the approach.
    pub time_constant: Seconds,
}

impl SoftwareCurve {
    /// Multiplier at `time` relative to launch, for a drawn `ceiling`; 1 before launch.
    #[must_use]
    pub fn multiplier(&self, ceiling: Factor, time: FleetTime) -> f64 {
        let elapsed = (time.0 - self.launch.0).max(0) as f64;
        1.0 + (ceiling.0 - 1.0) * (1.0 - libm::exp(-elapsed / self.time_constant.0))
    }
}

/// The piece that is installed, fails and is bought as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// GPUs in a unit: 72 in an NVL72 rack, 8 in a node.
    pub gpus: u32,
    /// GPUs of it that serve while the unit is up: 64 of 72 where two trays are spare.
    pub serving: u32,
}

/// How a unit fails and is repaired; times are exponential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failures {
    /// The unit is up or down as a whole.
    Whole {
        /// Mean time between failures of a unit in service.
        mtbf: Seconds,
        /// Mean time to repair.
        mttr: Seconds,
    },
    /// A rack of trays: it serves until more than `spare_trays` are down, then drains, and
    /// returns when all trays are repaired; other trays go on failing meanwhile.
    Trays {
        /// Trays in a rack.
        trays: u32,
        /// Trays that may be down before the rack drains.
        spare_trays: u32,
        /// Mean time between failures of one tray.
        tray_mtbf: Seconds,
        /// Mean time to repair one tray.
        tray_mttr: Seconds,
        /// Mean time between failures of the rack as a whole (switch tray, spine, cooling, power).
        rack_mtbf: Seconds,
        /// Mean time to repair the rack as a whole, all its trays included.
        rack_mttr: Seconds,
    },
}

impl Failures {
    /// The same with everything failing `factor` times as often; repairs take as long.
    #[must_use]
    pub fn more_often(&self, factor: f64) -> Self {
        let rarer = |time: Seconds| Seconds(time.0 / factor);
        match *self {
            Self::Whole { mtbf, mttr } => Self::Whole { mtbf: rarer(mtbf), mttr },
            Self::Trays { trays, spare_trays, tray_mtbf, tray_mttr, rack_mtbf, rack_mttr } => {
                Self::Trays {
                    trays,
                    spare_trays,
                    tray_mtbf: rarer(tray_mtbf),
                    tray_mttr,
                    rack_mtbf: rarer(rack_mtbf),
                    rack_mttr,
                }
            }
        }
    }
}

/// The first months of a kind of unit, in which it fails more often: all of its units alike, from
/// the day of its first volume deliveries (the accelerator's delay added).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Infancy {
    /// How long that is.
    pub lasts: Seconds,
    /// How many times as often everything fails.
    pub factor: Uncertain<Factor>,
    /// Where that comes from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

/// One kind of accelerator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accelerator {
    /// Name for people: `GB300 NVL72`.
    pub label: String,
    /// First volume deliveries.
    pub available: FleetTime,
    /// How much later than planned its deliveries come, to everyone alike: added to the slip of
    /// each site and contract, and to the time a candidate of it takes; on time if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Uncertain<Seconds>>,
    /// Dense peak at 4 bits; none where the hardware has no such format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp4: Option<FlopsPerSecond>,
    /// Dense peak at 8 bits.
    pub fp8: FlopsPerSecond,
    /// Dense peak at 16 bits.
    pub bf16: FlopsPerSecond,
    /// Usable memory of a package.
    pub memory: Bytes,
    /// Memory bandwidth of a package.
    pub memory_bandwidth: BytesPerSecond,
    /// One-directional bandwidth of a package's scale-up links.
    pub scale_up: BytesPerSecond,
    /// One-directional bandwidth of a package's network beyond them.
    pub scale_out: BytesPerSecond,
    /// Packages that the scale-up links reach.
    pub scale_up_domain: u32,
    /// All-in IT power of a package, its part of rack and network included; PUE is extra.
    pub power: Watts,
    /// The unit in which it is installed.
    pub unit: Unit,
    /// How units fail.
    pub failures: Failures,
    /// How much more often in their first months; as later on if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infancy: Option<Infancy>,
    /// Realised part of the peaks.
    pub efficiency: Efficiency,
    /// What the step time is divided by beyond the fitted efficiencies: the error of the fit on a
    /// model that it has not seen, and the doubt about hardware that has not been measured.
    pub realised: Uncertain<Factor>,
    /// How software improves.
    pub software: SoftwareCurve,
    /// Rent under a three-year commitment.
    pub rent: Uncertain<DollarsPerGpuHour>,
    /// From order to acceptance.
    pub lead_time: Uncertain<Seconds>,
    /// Years in service before it is retired.
    pub life: Seconds,
    /// Where the physical facts come from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

impl Accelerator {
    /// Compute rate that large matrix products reach at a precision.
    #[must_use]
    pub fn realised_rate(&self, precision: Precision) -> FlopsPerSecond {
        // Products of weights that are expanded to 16 bits run at 16 bits.
        let wide = match precision {
            Precision::Fp4 => self.fp4.is_none(),
            Precision::Fp8 => false,
            Precision::Int4 | Precision::Bf16 => true,
        };
        let share = if wide { self.efficiency.compute } else { self.efficiency.narrow_compute };
        self.peak(precision) * share.0
    }

    /// Dense peak at a precision; hardware without 4-bit units expands 4-bit weights to 16 bits.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopsPerSecond {
        match precision {
            Precision::Fp4 => self.fp4.unwrap_or(self.bf16),
            Precision::Fp8 => self.fp8,
            Precision::Int4 | Precision::Bf16 => self.bf16,
        }
    }

    /// Throughput multiplier of the software at `time` relative to the date of the fit.
    #[must_use]
    pub fn software_multiplier(&self, ceiling: Factor, time: FleetTime) -> f64 {
        self.software_since(self.efficiency.fitted, ceiling, time)
    }

    /// The same relative to any other date, that of a measurement for example.
    #[must_use]
    pub fn software_since(&self, date: FleetTime, ceiling: Factor, time: FleetTime) -> f64 {
        self.software.multiplier(ceiling, time) / self.software.multiplier(ceiling, date)
    }
}

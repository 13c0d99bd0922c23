//! Answers known without this program: closed forms, enumerations, and slow references.

#[path = "oracle/adequacy.rs"]
mod adequacy;
#[path = "oracle/areas.rs"]
mod areas;
#[path = "oracle/capacity_value.rs"]
mod capacity_value;
#[path = "oracle/clusters.rs"]
mod clusters;
#[path = "oracle/drive.rs"]
mod drive;
#[path = "oracle/engine_queueing.rs"]
mod engine_queueing;
#[path = "oracle/engine_sharing.rs"]
mod engine_sharing;
#[path = "oracle/exactness.rs"]
mod exactness;
#[path = "oracle/measured.rs"]
mod measured;
#[path = "oracle/naive.rs"]
mod naive;
#[path = "oracle/naive_state.rs"]
mod naive_state;
#[path = "oracle/queueing.rs"]
mod queueing;
#[path = "oracle/ranks.rs"]
mod ranks;
#[path = "oracle/routing.rs"]
mod routing;
#[path = "oracle/serving.rs"]
mod serving;

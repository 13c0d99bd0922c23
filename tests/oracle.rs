//! Answers known without this program: closed forms, enumerations, and slow references.

#[path = "oracle/adequacy.rs"]
mod adequacy;
#[path = "oracle/measured.rs"]
mod measured;
#[path = "oracle/naive.rs"]
mod naive;
#[path = "oracle/queueing.rs"]
mod queueing;
#[path = "oracle/ranks.rs"]
mod ranks;
#[path = "oracle/serving.rs"]
mod serving;

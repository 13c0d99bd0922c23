//! The report floor: synthetic answers in, bytes out, and the bytes read back.

mod adequacies;
mod answers;
mod chart;
mod files;
mod heatmap;
mod print;

//! `sparkgap frontier`: its figures against hand-worked ones, its charts, and the command as typed.

mod chart;
mod command;
mod figures;
#[path = "../support/hand_worked.rs"]
mod hand_worked;

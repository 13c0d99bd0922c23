//! `sparkgap frontier`: its figures against hand-worked ones, its charts, and the command as typed.

mod chart;
mod command;
mod figures;

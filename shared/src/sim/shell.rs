//! The simulator's shell.

pub mod parse;
pub mod syntax;

//! Vitrine against the real kernel: the built program, as root, from the outside.
//!
//! - [`config`], [`doctor`]: settings of `vitrine serve`; what the host can do
//! - [`cli`], [`tty`], [`limits`], [`flags`]: `vitrine run` as people use it
//! - [`serve`], [`knobs`], [`killed`], [`protocol`]: `vitrine serve` and its three processes
//! - [`doors`], [`inside`], [`exhaust`], [`hostile`]: what a program in a container can reach, use
//!   up, and hold up

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "each of the test programs uses its part")]
mod harness;

mod cli;
mod config;
mod doctor;
mod doors;
mod exhaust;
mod flags;
mod hostile;
mod inside;
mod killed;
mod knobs;
mod limits;
mod protocol;
mod serve;
mod tty;

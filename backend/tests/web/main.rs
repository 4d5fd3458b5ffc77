//! The web process over real sockets, with a launcher and an observer played by the tests.
#![allow(clippy::unwrap_used)]

mod attacks;
mod beyond;
mod client;
mod flood;
mod killed;
mod pages;
mod rules;
mod stage;
mod terminals;

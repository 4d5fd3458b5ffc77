//! The `vitrine` server: three processes, each with just the privilege it needs.
//!
//! ```text
//! launcher   root, one thread, never reads the network   clone3, id maps, mounts, cgroup writes
//!   ├─ web       own uid, no capabilities                HTTP, WebSocket, who may do what
//!   ├─ observer  own uid, two capabilities               reads /proc and cgroup files, once for all
//!   └─ machines
//! ```
//!
//! In reading order: [`ipc`] (what the three say to each other), then the three themselves.

// The docs are made with private items in them.
#![allow(rustdoc::private_intra_doc_links)]

pub mod cli;
pub mod config;
pub mod doctor;
pub mod ipc;
mod kernel_log;
pub mod launcher;
pub mod observer;
pub mod service;
pub mod sim;
pub mod views;
pub mod web;

//! Vitrine against the real kernel: the built program, as root, from the outside.
//!
//! - [`births`]: what is told of a birth, of one that fails, and of what befalls a container then
//! - [`config`], [`doctor`]: settings of `vitrine serve`; what the host can do
//! - [`cli`], [`tty`], [`limits`], [`flags`], [`images`], [`run_as`]: `vitrine run` as people
//!   use it
//! - [`cgroups`], [`groups`], [`delegated`]: groups in both dialects, and what the kernel does with
//!   them; those that a page makes; all of it below a group that was delegated
//! - [`views`], [`words`]: `vitrine ps`, `top`, `cgroups`, `namespaces`; words that are wrong
//! - [`spaces`]: what a page is told of a machine's namespaces
//! - [`both`]: one line, run in a container and in its machine
//! - [`shell`], [`lab`], [`lab_docker`], [`lab_groups`], [`lab_shut`]: a shell in the machine
//!   itself, and what profile `lab` opens and does not
//! - [`transcripts`]: what the simulator says beside what a machine says
//! - [`streams`]: standard streams that are full or closed
//! - [`beyond`]: TLS, and listening beyond loopback
//! - [`serve`], [`knobs`], [`killed`], [`protocol`], [`protocol_doc`]: `vitrine serve` and its three processes
//! - [`hides`]: what each flag hides and what leaks without it
//! - [`truth`]: what a limited container is told in `/proc`, and what mends it
//! - [`no_busybox`]: both on a host without busybox
//! - [`focus`], [`memory`]: one group's CPU, twenty times a second, beside the kernel's counters; what
//!   else it uses, and whom the kernel killed
//! - [`rootless`]: the same as an ordinary user
//! - [`doors`], [`inside`], [`exhaust`], [`hostile`]: what a program in a container can reach, use
//!   up, and hold up

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "each of the test programs uses its part")]
mod harness;

mod beyond;
mod births;
mod both;
mod cgroups;
mod cli;
mod config;
mod delegated;
mod doctor;
mod doors;
mod exhaust;
mod explain;
mod flags;
mod focus;
mod groups;
mod hides;
mod hostile;
mod images;
mod inside;
mod killed;
mod knobs;
mod lab;
mod lab_docker;
mod lab_groups;
mod lab_shut;
mod limits;
mod memory;
mod no_busybox;
mod protocol;
mod protocol_doc;
mod rootless;
mod run_as;
mod serve;
mod shell;
mod spaces;
mod streams;
mod transcripts;
mod truth;
mod tty;
mod views;
mod words;

//! What is seen: values in, callbacks out.

pub(crate) mod about;
pub(crate) mod about_server;
pub(crate) mod bar;
pub(crate) mod birth;
pub(crate) mod busy;
pub(crate) mod cpu;
pub(crate) mod cpu_lens;
pub(crate) mod explain;
pub(crate) mod eyes;
pub(crate) mod feed;
pub(crate) mod figure;
pub(crate) mod forge;
pub(crate) mod header;
pub(crate) mod lab;
pub(crate) mod machine;
pub(crate) mod modal;
pub(crate) mod notes;
pub(crate) mod parts;
pub(crate) mod profile;
pub(crate) mod quota;
pub(crate) mod raw;
pub(crate) mod rosetta;
pub(crate) mod shelf;
pub(crate) mod start;
pub(crate) mod terminal;
pub(crate) mod threads;

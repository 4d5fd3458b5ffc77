//! To come: seccomp programs, PID 1, the embedded page.
fn main() {}

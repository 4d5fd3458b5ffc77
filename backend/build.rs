//! Build-time parts of the binary, each in a file of its own.

#[path = "build/init.rs"]
mod init;
#[path = "build/page.rs"]
mod page;
#[path = "build/seccomp.rs"]
mod seccomp;

fn main() {
    seccomp::compile();
    init::build();
    page::embed();
}

//! Build-time parts of the binary, each in a file of its own.

#[path = "build/page.rs"]
mod page;

fn main() {
    page::embed();
}

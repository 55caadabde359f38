//! Rebuilds the crate when the page was built anew. It never runs Node: without a built page the server says how to
//! build it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=ui/dist");
}

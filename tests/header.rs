//! `include/apivideo.h` is what the pinned cbindgen writes for `src/capi`, and both headers can be
//! read in a terminal.
//!
//! `make header` runs this with `APIVIDEO_WRITE_HEADER=1`, which writes the file instead.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn fresh() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let mut fresh = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root())
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut fresh);
    let mut fresh = String::from_utf8(fresh).unwrap();
    for (name, value) in [
        ("@VERSION@", env!("CARGO_PKG_VERSION")),
        ("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR")),
        ("@MINOR@", env!("CARGO_PKG_VERSION_MINOR")),
        ("@PATCH@", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        fresh = fresh.replace(name, value);
    }
    fresh
}

#[test]
fn the_committed_header_is_up_to_date() {
    let fresh = fresh();
    let path = root().join("include/apivideo.h");
    if std::env::var_os("APIVIDEO_WRITE_HEADER").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "include/apivideo.h differs from what src/capi says. Run `make header` and commit the result."
    );
}

#[test]
fn the_lines_of_the_headers_end_at_100_columns() {
    let cpp = fs::read_to_string(root().join("include/apivideo.hpp")).unwrap();
    for text in [fresh(), cpp] {
        let long: Vec<&str> = text.lines().filter(|l| l.chars().count() > 100).collect();
        assert!(long.is_empty(), "{long:#?}");
    }
}

//! `include/apivideo.h` is what the pinned cbindgen writes for `src/capi`, and both headers can be
//! read in a terminal.
//!
//! `make header` runs this with `APIVIDEO_WRITE_HEADER=1`, which writes the file instead.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut fresh = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut fresh);
    let fresh = String::from_utf8(fresh).unwrap();

    let path = root.join("include/apivideo.h");
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
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    for name in ["apivideo.h", "apivideo.hpp"] {
        let text = fs::read_to_string(include.join(name)).unwrap();
        let long: Vec<&str> = text.lines().filter(|l| l.chars().count() > 100).collect();
        assert!(long.is_empty(), "{name}: {long:#?}");
    }
}

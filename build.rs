//! Names the shared library and keeps it loaded: its threads may outlive a `dlclose`. On Windows,
//! where it keeps itself loaded, the name and version are a resource of the DLL.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let soversion = soversion();
    match target("OS").as_str() {
        "linux" | "android" | "freebsd" => {
            link_with(&format!("-Wl,-soname,libapivideo.so.{soversion}"));
            link_with("-Wl,-z,nodelete");
        }
        "macos" => link_with(&format!(
            "-Wl,-install_name,@rpath/libapivideo.{soversion}.dylib"
        )),
        "windows" if target("ENV") == "gnu" => {
            if target("ABI") != "llvm" {
                // The same sources give the same bytes, whenever.
                link_with("-Wl,--no-insert-timestamp");
            }
            match version_resource() {
                Ok(object) => link_with(&object.display().to_string()),
                Err(why) => println!("cargo:warning=apivideo.dll has no version resource: {why}"),
            }
        }
        _ => {}
    }
}

/// What is built for: OS, ENV…
fn target(what: &str) -> String {
    env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default()
}

fn link_with(argument: &str) {
    println!("cargo:rustc-cdylib-link-arg={argument}");
}

/// As much of the version as Cargo.toml says is part of the ABI's name.
fn soversion() -> String {
    let numbers = include_str!("Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("version_suffix_components = "))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let version: Vec<&str> = env!("CARGO_PKG_VERSION").split('.').take(numbers).collect();
    version.join(".")
}

/// What a DLL's properties show, compiled by mingw's windres, or the one that WINDRES names.
fn version_resource() -> Result<PathBuf, String> {
    println!("cargo:rerun-if-env-changed=WINDRES");
    println!("cargo:rerun-if-changed=packaging/windows/version.rc");
    let windres =
        env::var("WINDRES").unwrap_or_else(|_| format!("{}-w64-mingw32-windres", target("ARCH")));
    let object = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("version.o");
    let version = env!("CARGO_PKG_VERSION");
    let result = Command::new(&windres)
        .arg(format!("-DVERSION=\\\"{version}\\\""))
        .arg(format!("-DNUMBERS={},0", version.replace('.', ",")))
        .args(["packaging/windows/version.rc", "-O", "coff", "-o"])
        .arg(&object)
        .status();
    match result {
        Ok(status) if status.success() => Ok(object),
        Ok(status) => Err(format!("{windres} failed, {status}")),
        Err(why) => Err(format!("{windres}: {why}")),
    }
}

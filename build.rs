//! Names the shared library and keeps it loaded: its threads may outlive a `dlclose`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let soversion = soversion();
    match os.as_str() {
        "linux" | "android" | "freebsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libapivideo.so.{soversion}");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" => {
            println!(
                "cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libapivideo.{soversion}.dylib"
            );
        }
        _ => {}
    }
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

//! Names the shared library and keeps it loaded: its threads may outlive a `dlclose`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let major = env!("CARGO_PKG_VERSION_MAJOR");
    let minor = env!("CARGO_PKG_VERSION_MINOR");
    // Before 1.0 a minor release may change the ABI, so it is part of the name.
    let soversion = if major == "0" {
        format!("0.{minor}")
    } else {
        major.to_owned()
    };
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

//! Which library this is.

use std::ffi::c_char;

/// The ABI that this header describes. A library fits if `apivideo_abi_version()` gives the same
/// number.
///
/// It grows when something changes or is removed. It stays when something is only added.
pub const APIVIDEO_ABI_VERSION: u32 = 1;

/// Cargo.toml's. The header has it from there too, by tests/header.rs.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// Gives the version of the loaded library, such as "0.1.0".
///
/// Never NULL. The text is static. Any thread may call this.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Gives the version of the loaded library as one number, which grows with each release: major ×
/// 1,000,000 + minor × 1,000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version_number() -> u32 {
    /// While compiling.
    const NUMBERS: [u32; 3] = [
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    ];
    NUMBERS[0] * 1_000_000 + NUMBERS[1] * 1_000 + NUMBERS[2]
}

const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("cargo gives numbers"),
    }
}

/// Gives the ABI of the loaded library. A program that loads it at run time should compare this
/// with `APIVIDEO_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_abi_version() -> u32 {
    APIVIDEO_ABI_VERSION
}

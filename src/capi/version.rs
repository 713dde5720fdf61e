//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version's first number.
pub const APIVIDEO_VERSION_MAJOR: u32 = 0;
/// The version's second number. Before 1.0 another one may mean another ABI.
pub const APIVIDEO_VERSION_MINOR: u32 = 1;
/// The version's third number.
pub const APIVIDEO_VERSION_PATCH: u32 = 0;

/// The ABI that the header describes. A library fits if `apivideo_abi_version()` gives the same number.
///
/// It grows when something that was there changes or goes; not when something is added.
pub const APIVIDEO_ABI_VERSION: u32 = 1;

/// In the header as well, as APIVIDEO_VERSION; cbindgen.toml has that one.
const VERSION: &CStr = c"0.1.0";

/// The version of the library that is loaded, such as "0.1.0".
///
/// Never NULL. The text is static. Any thread may call this.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the library that is loaded as one number that grows: major × 1,000,000 + minor × 1,000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version_number() -> u32 {
    APIVIDEO_VERSION_MAJOR * 1_000_000 + APIVIDEO_VERSION_MINOR * 1_000 + APIVIDEO_VERSION_PATCH
}

/// The ABI of the library that is loaded. Compare it with `APIVIDEO_ABI_VERSION` where it is loaded at run time.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_abi_version() -> u32 {
    APIVIDEO_ABI_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_s_numbers_are_the_package_s() {
        let numbers =
            format!("{APIVIDEO_VERSION_MAJOR}.{APIVIDEO_VERSION_MINOR}.{APIVIDEO_VERSION_PATCH}");
        assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
        assert_eq!(VERSION.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    }
}

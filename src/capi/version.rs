//! Which library this is.

use std::ffi::{CStr, c_char};

/// The first number of the header's version.
pub const APIVIDEO_VERSION_MAJOR: u32 = 0;
/// The second number of the header's version. Before 1.0, another one may mean another ABI.
pub const APIVIDEO_VERSION_MINOR: u32 = 1;
/// The third number of the header's version.
pub const APIVIDEO_VERSION_PATCH: u32 = 0;

/// The ABI that this header describes. A library fits if `apivideo_abi_version()` gives the same
/// number.
///
/// It grows when something changes or is removed. It stays when something is only added.
pub const APIVIDEO_ABI_VERSION: u32 = 1;

/// In the header as well, as APIVIDEO_VERSION; cbindgen.toml has that one.
const VERSION: &CStr = c"0.1.0";

/// Gives the version of the loaded library, such as "0.1.0".
///
/// Never NULL. The text is static. Any thread may call this.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Gives the version of the loaded library as one number, which grows with each release: major ×
/// 1,000,000 + minor × 1,000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_version_number() -> u32 {
    APIVIDEO_VERSION_MAJOR * 1_000_000 + APIVIDEO_VERSION_MINOR * 1_000 + APIVIDEO_VERSION_PATCH
}

/// Gives the ABI of the loaded library. A program that loads it at run time should compare this
/// with `APIVIDEO_ABI_VERSION`.
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

//! The environment's variables. Each client reads them once, when it is made.

use std::ffi::OsString;

use crate::error::{Error, Status};
use crate::ffi::privileges;

/// What fills in for settings that a program leaves out.
pub(crate) const API_KEY: &str = "APIVIDEO_API_KEY";
pub(crate) const ENVIRONMENT: &str = "APIVIDEO_ENVIRONMENT";
pub(crate) const BASE_URL: &str = "APIVIDEO_BASE_URL";
pub(crate) const CA_FILE: &str = "APIVIDEO_CA_FILE";
pub(crate) const STORE: &str = "APIVIDEO_STORE";

/// The value of a variable; none if it is empty. A program that has more rights than its user sees
/// none at all: who may start it must not choose where its secrets go.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    match privileges::are_raised() {
        true => None,
        false => std::env::var_os(name).filter(|value| !value.is_empty()),
    }
}

/// A variable that has to be text. Its value may be a secret, so no message repeats it.
pub(crate) fn text(
    name: &str,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<String>, Error> {
    let text = variable(name).map(OsString::into_string).transpose();
    text.map_err(|_| Error::new(Status::InvalidUtf8, format!("`{name}` is not valid UTF-8.")))
}
